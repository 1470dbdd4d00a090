use super::*;
use crate::core::evidence::Layer;
use crate::core::ids::OutageId;
use crate::core::outcome::Reason;
use crate::core::view::{ChannelView, Counts, HelpView, State};

const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// The desk, its board, and the picture as it is made up.
struct Office {
    desk: Desk,
    board: Board,
    view: View,
    policy: Option<PolicyTrouble>,
    store: Option<String>,
    now: Timestamp,
}

impl Office {
    fn new() -> Office {
        let view = View {
            at: START,
            turn: 1,
            policy: "h".into(),
            gateways: vec![],
            channels: vec![],
            uplinks: vec![],
            held_all: None,
            deliveries: Counts::default(),
            drill_deliveries: Counts::default(),
            help: HelpView::default(),
            oldest: [None; 5],
            oldest_deliveries: vec![],
            outages: vec![],
            events: vec![],
        };
        let desk = Desk::new(&view, START);
        Office { desk, board: Board::default(), view, policy: None, store: None, now: START }
    }

    fn look(&mut self) -> Vec<What> {
        self.look_at(vec![]).0
    }

    fn look_at(&mut self, told: Vec<Told>) -> (Vec<What>, u32) {
        let seen =
            Seen { view: &self.view, policy: self.policy.as_ref(), store: self.store.clone(), now: self.now };
        let (notices, left_out) = self.desk.look(&seen, told, &self.board);
        (notices.into_iter().map(|notice| notice.what).collect(), left_out)
    }

    fn pass(&mut self, span: Span) {
        self.now += span;
    }

    fn channels(&mut self, usable: &[(Channel, u32)]) {
        let of = |(channel, usable): &(Channel, u32)| ChannelView {
            channel: *channel,
            state: if *usable > 0 { State::Up } else { State::Down },
            gateways: 1,
            usable: *usable,
        };
        self.view.channels = usable.iter().map(of).collect();
    }

    fn outage(&self, id: u64, of: OutageOf) -> Outage {
        Outage {
            id: OutageId(id),
            of,
            channel: Channel::Whatsapp,
            onset: self.now,
            detected: self.now,
            recovered: None,
            cause: Reason::DnsServfail,
            layer: Some(Layer::Dns),
            attempts_failed: 3,
            open: false,
            signs: vec![],
        }
    }
}

fn gateway() -> OutageOf {
    OutageOf::Gateway("wa".into())
}

#[test]
fn an_outage_is_one_thread_from_its_beginning_to_its_end() {
    let mut office = Office::new();
    office.view.outages = vec![office.outage(1, gateway())];
    assert!(matches!(office.look()[..], [What::Outage(_)]));
    assert!(office.look().is_empty(), "once");
    office.pass(Span::from_mins(5));
    office.view.outages[0].recovered = Some(office.now);
    assert!(matches!(office.look()[..], [What::OutageOver(_)]));
    assert!(office.look().is_empty());
    let [(name, thread)] = &office.board.threads()[..] else { panic!() };
    assert_eq!((name.as_str(), thread.notices, thread.over), ("outage-o-1", 2, Some(office.now)));
}

#[test]
fn a_gateway_that_falls_with_its_channel_is_one_word() {
    let mut office = Office::new();
    office.view.outages =
        vec![office.outage(1, gateway()), office.outage(2, OutageOf::Channel(Channel::Whatsapp))];
    let [What::Outage(outage)] = &office.look()[..] else { panic!() };
    assert_eq!(outage.id, OutageId(2));
    for outage in &mut office.view.outages {
        outage.recovered = Some(office.now);
    }
    assert_eq!(office.look().len(), 1, "and one for its end");
}

#[test]
fn what_goes_on_is_told_again_until_somebody_has_seen_it() {
    let mut office = Office::new();
    office.view.outages = vec![office.outage(1, gateway())];
    office.look();
    office.pass(AGAIN_MODERATE);
    assert_eq!(office.look().len(), 1);
    office.board.acknowledge("outage-o-1", "amal".into(), office.now);
    office.pass(AGAIN_MODERATE);
    assert!(office.look().is_empty());
    office.view.outages[0].recovered = Some(office.now);
    assert_eq!(office.look().len(), 1, "its end is told all the same");
}

#[test]
fn what_is_silenced_is_not_told_and_counted() {
    let mut office = Office::new();
    office.view.outages = vec![office.outage(1, gateway())];
    office.look();
    let until = office.now + Span::from_hours(3);
    let silence = crate::api::board::Silence { who: "amal".into(), until, reason: "known".into() };
    office.board.silence("outage-o-1", silence);
    office.pass(AGAIN_MODERATE);
    assert_eq!(office.look_at(vec![]), (vec![], 1));
    office.pass(AGAIN_MODERATE.times(2));
    assert_eq!(office.look().len(), 1, "its time is over");
}

#[test]
fn no_way_out_is_told_soon_one_way_left_later_and_a_blip_never() {
    let mut office = Office::new();
    let (wa, sms) = (Channel::Whatsapp, Channel::Sms);
    office.channels(&[(wa, 0), (sms, 0)]);
    assert!(office.look().is_empty());
    office.pass(NO_WAY_OUT_AFTER);
    assert_eq!(office.look(), [What::NoWayOut]);
    office.channels(&[(wa, 0), (sms, 1)]);
    assert_eq!(office.look(), [What::WaysAreBack], "one way is out of the worst");
    office.pass(ONE_WAY_LEFT_AFTER);
    assert_eq!(office.look(), [What::OneWayLeft(sms)]);
    office.channels(&[(wa, 1), (sms, 1)]);
    assert_eq!(office.look(), [What::WaysAreBack]);
    office.channels(&[(wa, 0), (sms, 0)]);
    office.look();
    office.pass(Span::from_secs(10));
    office.channels(&[(wa, 1), (sms, 1)]);
    assert!(office.look().is_empty(), "it was over before it was worth a word");
}

#[test]
fn the_red_button_and_a_house_of_one_channel_are_no_alarm() {
    let mut office = Office::new();
    office.channels(&[(Channel::Sms, 1)]);
    office.look();
    office.pass(ONE_WAY_LEFT_AFTER);
    assert!(office.look().is_empty(), "there never was another");
    office.channels(&[(Channel::Sms, 0), (Channel::Whatsapp, 0)]);
    office.view.held_all = Some(crate::core::record::Overlay {
        kind: crate::core::record::OverlayKind::Held,
        who: "ali".into(),
        reason: "wrong text".into(),
        since: office.now,
    });
    office.look();
    office.pass(NO_WAY_OUT_AFTER);
    assert!(office.look().is_empty());
}

#[test]
fn a_refused_edit_and_a_full_disk_are_told_with_their_ends() {
    let mut office = Office::new();
    office.policy = Some(PolicyTrouble { at: office.now, report: "error".into() });
    office.store = Some("the disk is full".into());
    let told = office.look();
    assert!(matches!(told[..], [What::Store(_), What::PolicyRejected { .. }]), "the gravest first: {told:?}");
    assert!(office.look().is_empty());
    office.pass(Span::from_secs(5));
    office.policy = Some(PolicyTrouble { at: office.now, report: "another".into() });
    assert!(
        matches!(office.look()[..], [What::PolicyRejected { .. }]),
        "another wrong edit is another notice"
    );
    (office.policy, office.store) = (None, None);
    assert_eq!(office.look(), [What::PolicyTaken, What::StoreOver]);
    assert_eq!(office.board.threads().len(), 2, "of the same threads");
}

#[test]
fn too_many_are_folded_into_one_that_says_so() {
    let mut office = Office::new();
    let missed = |n: u64| Told::Missed { message: MessageId::new(START, 0, n), deliveries: 1 };
    let (told, left_out) = office.look_at((0..30).map(missed).collect());
    assert_eq!((told.len(), left_out), (WINDOW_MAX, 10));
    assert_eq!(office.look_at(vec![missed(3)]), (vec![], 0), "once a message");
    office.pass(WINDOW);
    assert_eq!(office.look(), [What::Folded(10)]);
}

#[test]
fn calls_for_help_are_told_at_once_then_together_and_again_until_somebody_has_seen_it() {
    let mut office = Office::new();
    let id = MessageId::new(START, 0, 1);
    let message = Some(id);
    let help = |office: &Office, people: u32| Help {
        message,
        people,
        newest: office.now,
        exercise: false,
        who: vec!["…001".into()],
    };
    let open = |office: &mut Office, people: u32| {
        let of = crate::core::view::HelpOf { message, people, oldest: START };
        office.view.help = HelpView { people, oldest: Some(START), messages: vec![of], exercises: 0 };
        let help = help(office, people);
        let (told, _) = office.look_at(vec![Told::Help(help.clone())]);
        (told, help)
    };
    let (told, first) = open(&mut office, 1);
    assert_eq!(told, [What::Help(first.clone())], "at once");
    assert!(office.look_at(vec![Told::Help(first)]).0.is_empty(), "the same call is told once");
    office.pass(Span::from_mins(2));
    assert!(open(&mut office, 2).0.is_empty());
    office.pass(Span::from_mins(2));
    let (told, third) = open(&mut office, 3);
    assert!(told.is_empty());
    office.pass(Span::from_mins(6));
    assert_eq!(office.look(), [What::Help(third)], "ten minutes after the first, with the count of all");
    office.pass(AGAIN_SEVERE);
    assert!(matches!(office.look()[..], [What::Help(_)]), "nobody has seen it");
    let (name, thread) = office.board.threads().remove(0);
    assert_eq!((name, thread.severity, thread.over), (format!("help-{id}"), Severity::Severe, None));
    office.board.acknowledge(&format!("help-{id}"), "amal".into(), office.now);
    office.pass(AGAIN_SEVERE);
    assert!(office.look().is_empty());
    let (told, fourth) = open(&mut office, 4);
    assert_eq!(told, [What::Help(fourth)]);
    office.pass(AGAIN_SEVERE);
    assert!(matches!(office.look()[..], [What::Help(_)]), "who has seen one call has not seen the next");
    office.pass(Span::from_secs(11));
    office.view.help = HelpView::default();
    assert!(office.look().is_empty(), "its end is no news");
    assert_eq!(office.board.threads()[0].1.over, Some(office.now));
}

#[test]
fn what_was_over_long_before_the_start_is_history() {
    let mut view = Office::new().view;
    let old = Outage { recovered: Some(START), ..Office::new().outage(1, gateway()) };
    view.outages = vec![old];
    let later = START + HISTORY + Span::from_secs(1);
    let mut office = Office { desk: Desk::new(&view, later), view, now: later, ..Office::new() };
    assert!(office.look().is_empty());
}

#[test]
fn an_erasure_that_closes_calls_for_help_is_told_once_whatever_is_heard_twice() {
    let mut office = Office::new();
    let part = |calls: u32, at: Timestamp| Told::HelpErased { calls, at };
    let first = vec![part(2, START), part(1, START + Span::from_ms(3))];
    assert_eq!(office.look_at(first.clone()).0, [What::HelpErased { calls: 3 }], "its parts are one word");
    assert!(office.look_at(first).0.is_empty(), "heard again");
    office.pass(Span::from_hours(1));
    assert!(office.look().is_empty(), "nothing goes on, so nothing is told again");
    let next = vec![part(1, office.now)];
    assert_eq!(office.look_at(next).0, [What::HelpErased { calls: 1 }]);
}
