//! A gateway as probes and sends show it: it falls, it is accused or spared, it comes back.

use super::*;
use crate::core::channel::GatewayId;
use crate::core::hearsay::{Told, Word};

const DWELL: Span = Span::from_secs(20);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn probe(verdict: Verdict) -> ProbeReport {
    ProbeReport {
        gateway: GatewayId(0),
        probe: "api".into(),
        aims_at: Layer::Api,
        reached: Some(Layer::Dns),
        verdict,
        phases: vec![],
        took: Span::from_ms(20),
        interval: Span::from_secs(15),
    }
}

fn refused() -> Outcome {
    Outcome::Rejected { reason: Reason::ProviderFault }
}

#[test]
fn one_refused_send_is_doubt_at_once() {
    let mut cell = Cell::new(at(0));
    cell.outcome(&refused(), false, at(5));
    assert_eq!(cell.judge(DWELL, true, at(5)).map(|c| c.to), Some(State::Degraded));
}

#[test]
fn a_green_probe_does_not_cancel_refused_sends() {
    let mut cell = Cell::new(at(0));
    for second in 0..30 {
        cell.outcome(&refused(), false, at(second * 20_000));
        cell.probe(&probe(Verdict::Fine), false, at(second * 20_000 + 10_000));
        cell.judge(DWELL, true, at(second * 20_000 + 10_000));
    }
    assert_eq!(cell.state(), State::Down);
    assert!(cell.answers());
}

#[test]
fn a_thousand_failures_in_one_second_are_one_observation() {
    let mut cell = Cell::new(at(0));
    (0..1000).for_each(|ms| cell.outcome(&refused(), false, at(ms)));
    assert_eq!(cell.worst(), FAILED);
}

#[test]
fn half_a_percent_of_failures_at_a_high_rate_is_health() {
    let mut cell = Cell::new(at(0));
    for n in 0..60_000i64 {
        let outcome = if n % 200 == 0 { refused() } else { Outcome::Accepted { provider_id: None } };
        cell.outcome(&outcome, false, at(n * 10));
        cell.judge(DWELL, true, at(n * 10));
    }
    assert_eq!(cell.state(), State::Up, "{:?}", cell.values());
}

#[test]
fn a_bad_address_says_nothing_against_the_gateway() {
    let mut cell = Cell::new(at(0));
    for n in 0..100 {
        cell.outcome(&Outcome::Rejected { reason: Reason::NotOnChannel }, false, at(n * 1000));
    }
    assert_eq!(cell.worst(), 0);
}

#[test]
fn down_recovers_half_open_and_then_up() {
    let mut cell = Cell::new(at(0));
    for n in 0..12 {
        cell.probe(&probe(Verdict::Failed(Reason::DnsServfail)), false, at(n * 2000));
        cell.judge(DWELL, true, at(n * 2000));
    }
    assert_eq!((cell.state(), cell.layer()), (State::Down, Some(Layer::Tcp)));
    let mut states = Vec::new();
    for n in 20..60 {
        cell.probe(&probe(Verdict::Fine), false, at(n * 2000));
        states.extend(cell.judge(DWELL, true, at(n * 2000)).map(|c| c.to));
    }
    assert_eq!(states, [State::Recovering, State::Up]);
}

#[test]
fn a_link_that_is_let_in_again_ends_what_its_refusal_began() {
    let mut cell = Cell::new(at(0));
    cell.link(Some(Reason::Credentials), false, at(0));
    assert_eq!(cell.judge(DWELL, true, at(0)).map(|c| c.to), Some(State::Down));
    // A sign of life that shows no credentials: it says that somebody is there, and neither ends it nor keeps it.
    let alive = |cell: &mut Cell, seconds: std::ops::Range<i64>| {
        for second in seconds {
            cell.probe(&probe(Verdict::Fine), false, at(second * 1000));
            cell.judge(DWELL, true, at(second * 1000));
        }
    };
    alive(&mut cell, 1..60);
    assert_eq!(cell.state(), State::Down);
    cell.link(None, false, at(60_000));
    alive(&mut cell, 60..70);
    assert_eq!(cell.state(), State::Up);
}

#[test]
fn a_link_that_is_down_by_our_own_doing_accuses_nobody() {
    let mut cell = Cell::new(at(0));
    for second in 0..60 {
        cell.link(Some(Reason::Busy), false, at(second * 1_000));
    }
    assert_eq!((cell.worst(), cell.reason()), (0, None));
    cell.link(Some(Reason::TcpRefused), false, at(60_000));
    assert!(cell.worst() >= DOUBT);
}

#[test]
fn what_is_limited_is_doubted_and_never_declared_for_that_alone() {
    let mut cell = Cell::new(at(0));
    for n in 0..1000 {
        cell.probe(&probe(Verdict::Limited(Reason::Limited)), false, at(n * 2000));
        cell.judge(DWELL, true, at(n * 2000));
    }
    assert_eq!((cell.state(), cell.reason()), (State::Degraded, Some(Reason::Limited)));
    // What fails as well is declared as ever.
    for n in 1000..1100 {
        cell.probe(&probe(Verdict::Failed(Reason::TcpTimeout)), false, at(n * 2000));
        cell.judge(DWELL, true, at(n * 2000));
    }
    assert_eq!(cell.state(), State::Down);
}

#[test]
fn what_is_noted_is_shown_and_not_weighed() {
    let mut cell = Cell::new(at(0));
    cell.probe(&probe(Verdict::Fine), false, at(0));
    cell.judge(DWELL, true, at(0));
    for n in 0..10 {
        cell.probe(&probe(Verdict::Noted(Reason::Limited)), false, at(n * 2000));
        cell.judge(DWELL, true, at(n * 2000));
    }
    assert_eq!((cell.state(), cell.worst(), cell.reason()), (State::Up, 0, None));
    assert_eq!(cell.probes(at(18_000))[0].verdict, Verdict::Noted(Reason::Limited));
}

#[test]
fn a_refused_credential_is_down_at_once() {
    let mut cell = Cell::new(at(0));
    cell.outcome(&Outcome::Rejected { reason: Reason::Credentials }, false, at(1));
    assert_eq!(cell.judge(DWELL, true, at(1)).map(|c| c.to), Some(State::Down));
}

#[test]
fn what_is_seen_while_our_line_is_down_is_void_and_old_evidence_lapses() {
    let mut cell = Cell::new(at(0));
    cell.probe(&probe(Verdict::Fine), false, at(0));
    cell.judge(DWELL, true, at(0));
    assert_eq!(cell.state(), State::Up);
    cell.probe(&probe(Verdict::Failed(Reason::TcpTimeout)), true, at(1000));
    assert_eq!(cell.worst(), 0);
    cell.judge(DWELL, true, at(100_000));
    assert_eq!(cell.state(), State::Unknown);
}

/// What a provider's page says, every two minutes.
fn page(word: Word) -> ProbeReport {
    ProbeReport {
        probe: "status-page".into(),
        aims_at: Layer::Http,
        verdict: Verdict::Says(Told::new(word, "whatever")),
        interval: Span::from_mins(2),
        ..probe(Verdict::Fine)
    }
}

fn fails() -> ProbeReport {
    probe(Verdict::Failed(Reason::TcpTimeout))
}

#[test]
fn a_page_alone_neither_doubts_nor_declares_nor_vouches() {
    for word in Word::ALL {
        let mut cell = Cell::new(at(0));
        for minute in 1..600 {
            for name in ["a", "b", "c", "d"] {
                cell.probe(&ProbeReport { probe: name.into(), ..page(word) }, false, at(minute * 60_000));
            }
            cell.judge(DWELL, true, at(minute * 60_000));
            assert_eq!(cell.state(), State::Unknown, "{word}: nothing was seen");
        }
        assert_eq!((cell.worst(), cell.seen(), cell.onset(), cell.reason()), (0, false, None, None));
        assert!(cell.suspicion() < DOUBT && cell.history().len() == 1);
        cell.probe(&probe(Verdict::Fine), false, at(36_000_000));
        cell.judge(DWELL, true, at(36_000_000));
        assert_eq!(cell.state(), State::Up, "{word}");
    }
}

/// A road that fails and comes back by turns: not enough to be declared for what we see of it. Says how it ends.
fn wavers(word: Option<Word>) -> State {
    let mut cell = Cell::new(at(0));
    for (second, is_fine) in [false, false, true, false, true, false].into_iter().enumerate() {
        let now = at(second as i64 * 2_000);
        if let Some(word) = word {
            cell.probe(&page(word), false, now);
        }
        cell.probe(&if is_fine { probe(Verdict::Fine) } else { fails() }, false, now);
        cell.judge(DWELL, true, now);
    }
    for second in 12..60 {
        cell.judge(DWELL, true, at(second * 1_000));
    }
    cell.state()
}

#[test]
fn a_bad_word_tips_our_own_weak_evidence_sooner_and_a_good_one_offsets_none() {
    assert_eq!((wavers(None), wavers(Some(Word::Major))), (State::Degraded, State::Down));
    for green in [Word::Fine, Word::Planned, Word::Maintenance] {
        assert_eq!(wavers(Some(green)), State::Degraded, "{green}");
    }
    let mut cell = Cell::new(at(0));
    for second in 0..30 {
        cell.probe(&fails(), false, at(second * 1_000));
        cell.probe(&page(Word::Fine), false, at(second * 1_000));
        cell.judge(DWELL, true, at(second * 1_000));
    }
    assert_eq!((cell.state(), cell.worst()), (State::Down, CEILING));
}

#[test]
fn a_page_that_falls_silent_loses_its_effect_after_a_time() {
    let mut cell = Cell::new(at(0));
    cell.probe(&page(Word::Major), false, at(0));
    cell.probe(&fails(), false, at(0));
    cell.probe(&probe(Verdict::Fine), false, at(1_000));
    cell.probe(&probe(Verdict::Limited(Reason::Throttled)), false, at(2_000));
    cell.judge(DWELL, true, at(2_000));
    assert_eq!(cell.state(), State::Degraded);
    let silent = ProbeReport { verdict: Verdict::Silent(Reason::DnsTimeout), ..page(Word::Fine) };
    let own = cell.worst();
    for minute in 1..10 {
        cell.probe(&silent, false, at(minute * 60_000));
        cell.judge(DWELL, true, at(minute * 60_000));
        let expected = if minute <= 6 { own + 10_00 } else { own };
        assert_eq!(cell.suspicion(), expected, "{minute}");
    }
    // Without any word either, at the time that was named.
    let mut cell = Cell::new(at(0));
    cell.probe(&page(Word::Partial), false, at(1_000));
    cell.judge(DWELL, true, at(1_000));
    let lapses = cell.next_judgement(DWELL);
    assert_eq!(lapses, Some(at(361_001)));
    cell.judge(DWELL, true, at(361_001));
    assert_eq!((cell.suspicion(), cell.next_judgement(DWELL)), (0, None));
}

#[test]
fn a_page_neither_makes_an_outage_of_limited_nor_keeps_one_from_its_end() {
    let mut cell = Cell::new(at(0));
    for second in 0..600 {
        cell.probe(&page(Word::Major), false, at(second * 1_000));
        cell.probe(&probe(Verdict::Limited(Reason::Throttled)), false, at(second * 1_000));
        cell.judge(DWELL, true, at(second * 1_000));
    }
    assert_eq!(cell.state(), State::Degraded);
    let mut cell = Cell::new(at(0));
    for second in 0..30 {
        cell.probe(&fails(), false, at(second * 1_000));
        cell.judge(DWELL, true, at(second * 1_000));
    }
    assert_eq!(cell.state(), State::Down);
    for second in 30..60 {
        cell.probe(&page(Word::Major), false, at(second * 1_000));
        cell.probe(&probe(Verdict::Fine), false, at(second * 1_000));
        cell.judge(DWELL, true, at(second * 1_000));
    }
    assert_eq!(cell.state(), State::Up);
}

#[test]
fn a_send_that_is_let_in_and_not_answered_is_not_refuted_by_a_green_probe() {
    let mut cell = Cell::new(at(0));
    for second in 0..40 {
        cell.outcome(&Outcome::Unknown { reason: Reason::Timeout }, false, at(second * 1_000));
        cell.probe(&probe(Verdict::Fine), false, at(second * 1_000 + 500));
        cell.judge(DWELL, true, at(second * 1_000 + 600));
    }
    assert_eq!(cell.state(), State::Down);
}

#[test]
fn who_says_that_somebody_is_no_user_does_not_refuse() {
    let mut cell = Cell::new(at(0));
    let stranger = Outcome::Rejected { reason: Reason::NotOnChannel };
    for second in 0..200 {
        let outcome = if second % 20 == 0 { refused() } else { stranger.clone() };
        cell.outcome(&outcome, false, at(second * 1_000));
        cell.judge(DWELL, true, at(second * 1_000));
        assert_ne!(cell.state(), State::Down, "at {second} s, one in twenty fails");
    }
}

#[test]
fn one_that_falls_again_and_again_comes_back_later() {
    let mut cell = Cell::new(at(0));
    let mut now = 0;
    let mut back_after = Vec::new();
    for _ in 0..4 {
        for _ in 0..30 {
            now += 1_000;
            cell.probe(&probe(Verdict::Failed(Reason::TcpTimeout)), false, at(now));
            cell.judge(DWELL, true, at(now));
        }
        assert_eq!(cell.state(), State::Down);
        let mended = now;
        while cell.state() != State::Up {
            now += 2_000;
            cell.probe(&probe(Verdict::Fine), false, at(now));
            cell.judge(DWELL, true, at(now));
        }
        back_after.push((now - mended) / 1_000);
    }
    assert!(back_after[0] < 60 && back_after[1] < 60, "twice is no pattern: {back_after:?}");
    assert!(back_after[2] > 15 * 60 && back_after[2] <= 3_600, "three times is: {back_after:?}");
    assert!(back_after[3] < 60, "half an hour of peace is no punishment for the next time: {back_after:?}");
}
