//! The runner and the uplink's rounds; kept connections.

use super::*;
use Layer::{Http, Tcp};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use wasl::core::effect::Pace;
use wasl::core::evidence::UplinkRound;
use wasl::core::time::Span;
use wasl::emulator::control::Off;
use wasl::emulator::{AnswerFault, Common, Fault, Mix, control, whatsapp};
use wasl::probe::runner::{Command, Runner};
use wasl::probe::uplink::{self, Uplink};
use wasl::settings;

#[tokio::test]
async fn a_kept_connection_is_used_again_and_opened_afresh_when_lost() {
    let provider = whatsapp::start(whatsapp::Options::default()).await.expect("a provider");
    let (gateway, context) = (web(&format!("http://{}", provider.addr())), plain());
    let toml = "[[probe]]\nname = \"web\"\nkind = \"http\"\ngateway = \"g\"\nurl = \"{base_url}/\"\nkeep = true\n\
                expect.status = \"4xx\"\ntimeouts = { answer = \"300ms\" }\n";
    let set = set(toml, &gateway, &context);
    let again = || async { once(&set, G, &context).await.remove(0) };
    check(&again().await, Some(Http), Verdict::Fine, &[Tcp, Http]);
    for _ in 0..3 {
        check(&again().await, Some(Http), Verdict::Fine, &[Http]);
    }
    assert_eq!((provider.connections_count(), provider.requests_count()), (1, 4));
    provider.cut();
    tokio::time::sleep(Duration::from_millis(50)).await;
    check(&again().await, Some(Http), Verdict::Fine, &[Tcp, Http]);
    provider.fault(Fault::Answer(Mix::always(AnswerFault::Hang)));
    check(&again().await, Some(Tcp), failed(Reason::Timeout), &[Http]);
    provider.clear();
    check(&again().await, Some(Http), Verdict::Fine, &[Tcp, Http]);
}

fn many(base_url: &str, interval: &str) -> String {
    let probe = |name: &str, url: &str| {
        format!(
            "[[probe]]\nname = \"{name}\"\nkind = \"http\"\ngateway = \"g\"\nurl = \"{url}/\"\n\
             interval = \"{interval}\"\nin_doubt = \"100ms\"\nexpect.status = \"4xx\"\n"
        )
    };
    // The silent one takes connections and never answers.
    probe("web", "{base_url}") + &probe("silent", base_url)
}

#[tokio::test]
async fn a_probe_that_hangs_delays_no_other_and_doubt_quickens() {
    let provider = whatsapp::start(whatsapp::Options::default()).await.expect("a provider");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}", silent.local_addr().expect("an address"));
    let (gateway, context) = (web(&format!("http://{}", provider.addr())), plain());
    let set = set(&many(&silent, "400ms"), &gateway, &context);
    let (findings, mut found) = mpsc::channel(100);
    let (commands, heard) = mpsc::channel(10);
    let runner = tokio::spawn(Runner::new(set.clone(), context, 7, findings).run(heard));
    let count = |found: &mut mpsc::Receiver<_>| {
        let mut count = 0;
        while found.try_recv().is_ok() {
            count += 1;
        }
        count
    };
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let normal = count(&mut found);
    assert!((3..=7).contains(&normal), "{normal} in 2 s at 400 ms");
    let doubt = Command::Pace { gateway: G, pace: Pace::Doubt };
    commands.send(doubt).await.expect("it listens");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let quick = count(&mut found);
    assert!((8..=17).contains(&quick), "{quick} in 1.5 s at 100 ms");
    // A replaced set is at work at once, at the pace that was.
    commands.send(Command::Replace(set)).await.expect("it listens");
    let first = timeout(Duration::from_secs(2), found.recv()).await.expect("in time").expect("a finding");
    assert_eq!(first.report.probe, "web");
    commands.send(Command::Replace(ProbeSet::default())).await.expect("it listens");
    tokio::time::sleep(Duration::from_millis(200)).await;
    count(&mut found);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count(&mut found), 0, "nothing is left to probe");
    drop(commands);
    timeout(Duration::from_secs(2), runner).await.expect("it ends").expect("without a panic");
}

async fn next(rounds: &mut mpsc::Receiver<UplinkRound>) -> UplinkRound {
    timeout(Duration::from_secs(10), rounds.recv()).await.expect("in time").expect("a round")
}

#[tokio::test]
async fn an_uplink_is_judged_by_its_controls() {
    let controls = control::start(Common::default(), Common::default()).await.expect("controls");
    let text = |text: String| settings::Control::parse(&text).expect("a control");
    let uplink = settings::Uplink {
        name: "fibre".into(),
        controls: vec![
            text(format!("dns:{}", controls.names_addr())),
            text(format!("tcp:{}", controls.page_addr())),
            text(format!("http://{}/", controls.page_addr())),
        ],
    };
    let (rounds, mut heard) = mpsc::channel(4);
    let began = Instant::now();
    let (_pace, pace) = watch::channel(Pace::Normal);
    tokio::spawn(uplink::watch(Uplink::new(&uplink), plain(), Span::from_ms(100), pace, rounds));
    let round = next(&mut heard).await;
    assert_eq!((round.uplink.as_str(), round.controls, round.failed), ("fibre", 3, 0));
    controls.off(Off::Silent);
    while next(&mut heard).await.failed < 3 {
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    controls.on();
    while next(&mut heard).await.failed > 0 {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test]
async fn controls_are_asked_at_once_when_doubt_begins() {
    let controls = control::start(Common::default(), Common::default()).await.expect("controls");
    let control = settings::Control::parse(&format!("tcp:{}", controls.page_addr())).expect("a control");
    let uplink = settings::Uplink { name: "fibre".into(), controls: vec![control] };
    let (rounds, mut heard) = mpsc::channel(4);
    let (pacer, pace) = watch::channel(Pace::Normal);
    tokio::spawn(uplink::watch(Uplink::new(&uplink), plain(), Span::from_hours(1), pace, rounds));
    assert_eq!(next(&mut heard).await.failed, 0);
    pacer.send_replace(Pace::Doubt);
    // An hour would have passed otherwise.
    assert_eq!(next(&mut heard).await.failed, 0);
}
