//! The demonstration, cut short: nothing is lost, and the report says what it must.

use std::future::pending;
use std::net::SocketAddr;
use wasl::demo::{Options, Plan, Report, Scenario, Screen, Style, Wishes, run};

fn options(speed: f64, people: usize) -> Options {
    let scenario = Scenario::built_in().unwrap();
    let wishes = Wishes { seed: 5, speed: Some(speed), people };
    Options { scenario, wishes, listen: SocketAddr::from(([127, 0, 0, 1], 0)), keep: false }
}

fn silent() -> Screen {
    Screen::new(Style::Silent, Box::new(std::io::sink()))
}

fn check(report: &Report) {
    assert_eq!((report.tally.lost, report.refused), (0, 0), "{}", report.text());
    assert!(!report.tally.copies.contains_key("unexplained"), "{}", report.text());
    let tally = &report.tally;
    let all = tally.confirmed + tally.unconfirmed + tally.waiting + tally.given_up;
    assert_eq!(all, tally.accepted, "each delivery is somewhere: {}", report.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hours_in_eight_seconds_lose_nothing() {
    let report = run(options(3_375.0, 40), &mut silent(), pending()).await.unwrap();
    check(&report);
    assert!(report.complete && report.messages > 4 && report.tally.accepted > 40, "{}", report.text());
    assert!(report.tally.confirmed > 0 && report.fixed_order.deliveries > 40, "{}", report.text());
    let json = serde_json::to_value(&report).unwrap();
    for field in [
        "accepted",
        "in_time",
        "by_channel",
        "failovers",
        "detection",
        "lost",
        "duplicated",
        "copies",
        "plan",
        "seed",
        "fixed_order",
        "fixed_order_is",
        "outages",
        "taken",
        "waiting",
    ] {
        assert!(json.get(field).is_some(), "{field} is missing: {json}");
    }
    assert_eq!(json["detection"][0]["gateway"], "whatsapp");
    assert_eq!(json["detection"][0]["onset"], "15:39:00");
    let plan = Plan::new(&Scenario::built_in().unwrap(), options(3_375.0, 40).wishes);
    assert_eq!(report.plan, plan.hash(), "the same seed makes the same plan");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_end_gives_the_report_so_far() {
    let stop = tokio::time::sleep(std::time::Duration::from_secs(4));
    let report = run(options(180.0, 40), &mut silent(), stop).await.unwrap();
    check(&report);
    assert!(!report.complete && report.ran_s < 60.0, "{}", report.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_may_reach_it() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = run(Options { listen, ..options(3_375.0, 1) }, &mut silent(), pending()).await.unwrap_err();
    assert!(refused.to_string().contains("not a loopback address"), "{refused}");
}
