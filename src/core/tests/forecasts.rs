//! What would become of a message: by the same core, with nothing sent.

use super::{World, gateway, person, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::Reply;
use crate::core::forecast::{Forecast, Load};
use crate::core::gateway::{Quota, QuotaUnit, Rate};
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::{Recipient, Severity};
use crate::core::outcome::{DeliveryResult, Reason};
use crate::core::policy::SendMode;
use crate::core::time::Span;

fn forecast(w: &World, people: Vec<Recipient>) -> Forecast {
    let accept = World::message(Severity::Severe, people, None, None);
    let told = w.core.copy_for_forecast().forecast(accept, Default::default()).unwrap();
    assert!(w.orders.is_empty() && w.records.is_empty(), "nothing is sent or written");
    told
}

fn loads(told: &Forecast) -> Vec<(u8, u8, u32, u32)> {
    let row =
        |((step, gateway), load): (&(u8, GatewayId), &Load)| (*step, gateway.0, load.first, load.copies);
    told.by_gateway().iter().map(row).collect()
}

#[test]
fn rates_and_quotas_say_when_the_last_is_handed_over_and_by_whom() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.rate = Some(Rate { per_sec: 10.0, burst: 1.0 });
    wa.quotas = vec![Quota { limit: 60, unit: QuotaUnit::Messages, period: Span::from_hours(24) }];
    let mut sms = gateway("sms", Channel::Sms);
    sms.rate = Some(Rate { per_sec: 1.0, burst: 1.0 });
    let steps = vec![step(&[Channel::Whatsapp, Channel::Sms], SendMode::Best, 20)];
    let w = World::new(vec![wa, sms], policy(steps, |_| {}));
    let told = forecast(&w, vec![person("ar"); 100]);
    // Sixty by the quota, within six seconds; what is left goes by the slow one.
    let [(0, 0, 60, 0), (0, 1, 40, 0)] = loads(&told)[..] else { panic!("{told:?}") };
    let secs = told.done_in.unwrap().secs_f64();
    assert!((38.0..42.0).contains(&secs), "{secs}");
    assert_eq!((told.deliveries, told.late, told.open, told.lost.len()), (100, 0, 0, 0));
}

#[test]
fn who_cannot_be_reached_is_told_with_the_reason() {
    let w = World::pair(two_steps());
    let nobody = Recipient { addresses: [(Channel::Email, "a@example.org".into())].into(), ..person("ar") };
    let told = forecast(&w, vec![person("ar"), nobody.clone(), nobody]);
    assert_eq!(told.lost.values().sum::<u32>(), 2, "{told:?}");
    assert_eq!(loads(&told), [(0, 0, 1, 0)]);
}

#[test]
fn what_is_down_or_held_takes_nothing_and_what_waits_is_ahead() {
    let mut w = World::pair(two_steps());
    for _ in 0..10 {
        w.accept(Severity::Severe, 1);
        let order = w.orders.remove(0);
        w.reject(&order, Reason::TcpRefused);
        w.orders.clear();
    }
    let hold = Command::Hold { gateway: None, reason: "x".into() };
    w.input(Input::Command { ticket: Ticket(2), who: "ali".into(), command: hold });
    assert!(matches!(w.replies.last(), Some(Reply::Done { .. })));
    w.orders.clear();
    w.records.clear();
    assert!(w.core.ahead_of(Severity::Severe, crate::core::message::Status::Actual) > 0);
    assert_eq!(w.core.ahead_of(Severity::Extreme, crate::core::message::Status::Actual), 0);
    let told = forecast(&w, vec![person("ar"); 3]);
    assert_eq!(told.lost.get(&(DeliveryResult::Expired, None)), Some(&3), "{told:?}");
    assert_eq!((loads(&told).len(), told.done_in), (0, None));
}

#[test]
fn a_silent_road_costs_copies() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.receipts = crate::core::gateway::Receipts::None;
    let w = World::new(
        vec![wa, gateway("sms", Channel::Sms)],
        policy(two_steps().rules[0].steps.clone(), |r| r.strict = Some(true)),
    );
    let told = forecast(&w, vec![person("ar"); 4]);
    assert_eq!(loads(&told), [(0, 0, 4, 0), (1, 1, 0, 4)], "{told:?}");
    assert!(told.done_in.unwrap() >= Span::from_secs(20));
}
