//! What providers say of themselves: their pages over real HTTP, read by the probes and by the command.

use super::*;
use crate::support::process::{WASL, write};
use crate::support::status_page::{Does, StatusPage};
use crate::support::tables::{Table, file};
use wasl::core::hearsay::Word;

/// Builds the probes of a gateway that nothing else looks at, which is worth a warning and no more.
fn set(toml: &str, target: &Target, context: &Context) -> ProbeSet {
    let mut diags = Diagnostics::default();
    let definitions = parse(&Source::new("probes/t.toml", toml), &mut diags);
    let set = resolve(&definitions, std::slice::from_ref(target), &adapters(), context, &mut diags);
    assert_eq!(diags.errors(), 0, "{}", diags.render());
    assert!(diags.render().contains("no probe is for the gateway `g`"), "{}", diags.render());
    set
}

async fn one(toml: &str, target: &Target, context: &Arc<Context>) -> ProbeReport {
    once(&set(toml, target, context), G, context).await.remove(0)
}

fn probe(kind: &str, url: &str, more: &str) -> String {
    format!(
        "[[probe]]\nname = \"page\"\nkind = \"{kind}\"\ngateway = \"g\"\nurl = \"{url}\"\n\
         private = [\"127.0.0.0/8\"]\ntimeouts = {{ answer = \"300ms\" }}\n{more}\n"
    )
}

fn summary(sms: &str) -> String {
    format!(
        r#"{{"page":{{"id":"p","name":"Acme"}},"status":{{"indicator":"none","description":"All Systems Operational"}},
        "components":[{{"id":"c1","name":"SMS","status":"{sms}"}},{{"id":"c2","name":"Voice","status":"major_outage"}}],
        "incidents":[{{"id":"i1","name":"Delays to \u001b[31m Jawwal","status":"investigating","impact":"minor",
                       "components":[{{"id":"c1","name":"SMS"}}]}}],"scheduled_maintenances":[]}}"#
    )
}

fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Outages</title>{items}</channel></rss>"
    )
}

fn says(report: &ProbeReport) -> (Word, &str) {
    match &report.verdict {
        Verdict::Says(told) => (told.word(), told.title()),
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn a_page_is_sent_again_only_where_it_has_changed() {
    let page = StatusPage::start(Does::Shows(summary("partial_outage"))).await;
    let (gateway, context) = (web("http://127.0.0.1:9"), plain());
    let set = set(&probe("statuspage", &page.url(), "component = [\"SMS\"]"), &gateway, &context);
    let again = || async { once(&set, G, &context).await.remove(0) };
    for _ in 0..3 {
        let report = again().await;
        assert_eq!(says(&report), (Word::Partial, "Delays to [31m Jawwal"), "{report:?}");
    }
    page.now(Does::Shows(summary("major_outage")));
    assert_eq!(says(&again().await).0, Word::Major);
    assert_eq!(page.answered(), [200, 304, 304, 200]);
    // Away for a while, it says nothing; and what was read before is still known when it is back.
    page.now(Does::HangsUp);
    assert_eq!(again().await.verdict, Verdict::Silent(Reason::ConnectionLost));
    page.now(Does::Shows(summary("major_outage")));
    assert_eq!(says(&again().await).0, Word::Major);
    assert_eq!(page.answered().last(), Some(&304));
}

#[tokio::test]
async fn a_page_that_cannot_be_read_says_nothing_and_fails_nobody() {
    let page = StatusPage::start(Does::Hangs).await;
    let (gateway, context) = (web("http://127.0.0.1:9"), plain());
    let answer = |head: &str, body: &str| {
        let length = body.len();
        Does::Says(format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
    };
    let huge = format!("{}{}", summary("operational"), " ".repeat(2 << 20));
    let bomb = "<!DOCTYPE rss [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><rss><channel><title>&b;</title></channel></rss>";
    for (kind, does, reason) in [
        ("statuspage", Does::Hangs, Reason::Timeout),
        ("statuspage", Does::HangsUp, Reason::ConnectionLost),
        (
            "statuspage",
            Does::Says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_vec()),
            Reason::ConnectionLost,
        ),
        ("statuspage", answer("503 No", ""), Reason::ProviderFault),
        ("statuspage", answer("429 No", ""), Reason::Throttled),
        ("statuspage", answer("404 No", "{}"), Reason::Unreadable),
        ("statuspage", answer("304 Not Modified", ""), Reason::Unreadable),
        ("statuspage", answer("302 Found\r\nLocation: http://127.0.0.1/", ""), Reason::Unreadable),
        ("statuspage", answer("200 OK", ""), Reason::Unreadable),
        ("statuspage", answer("200 OK", "<html>Sign in</html>"), Reason::Unreadable),
        ("statuspage", answer("200 OK", &huge), Reason::Unreadable),
        ("statuspage", answer("200 OK\r\nAge: 90000", &summary("major_outage")), Reason::Unreadable),
        ("rss", answer("200 OK", ""), Reason::Unreadable),
        ("rss", answer("200 OK", "{}"), Reason::Unreadable),
        ("rss", answer("200 OK", bomb), Reason::Unreadable),
        ("page", answer("200 OK", ""), Reason::Unreadable),
    ] {
        page.now(does.clone());
        let more = if kind == "page" { "fine = [\"up\"]" } else { "" };
        let report = one(&probe(kind, &page.url(), more), &gateway, &context).await;
        assert_eq!(report.verdict, Verdict::Silent(reason), "{kind} {:.200}", format!("{does:?}"));
        assert_eq!(report.failed_at(), None, "it is no layer of the gateway");
    }
    let nowhere = probe("rss", "http://127.0.0.1:9/feed", "");
    let report = one(&nowhere, &gateway, &context).await;
    assert_eq!(report.verdict, Verdict::Silent(Reason::TcpRefused));
}

#[tokio::test]
async fn a_private_address_is_not_asked_unless_it_is_listed() {
    let page = StatusPage::start(Does::Shows(rss(""))).await;
    let (gateway, context) = (web("http://127.0.0.1:9"), plain());
    let unlisted = probe("rss", &page.url(), "").replace("127.0.0.0/8", "10.0.0.0/8");
    let report = one(&unlisted, &gateway, &context).await;
    assert_eq!((report.verdict, page.answered()), (Verdict::Silent(Reason::Configuration), vec![]));
    let report = one(&probe("rss", &page.url(), ""), &gateway, &context).await;
    assert_eq!((says(&report), page.answered()), ((Word::Fine, ""), vec![200]));
}

#[tokio::test]
async fn a_feed_and_a_page_are_read_as_they_are_written() {
    let (gateway, context) = (web("http://127.0.0.1:9"), plain());
    let today = jiff::fmt::rfc2822::to_string(&jiff::Zoned::now()).expect("a date");
    let item = format!(
        "<item><title>تأخر في إرسال الرسائل</title><description>High disruptions</description><pubDate>{today}</pubDate></item>"
    );
    let page = StatusPage::start(Does::Shows(rss(&item))).await;
    let feed = probe("rss", &page.url(), "");
    assert_eq!(says(&one(&feed, &gateway, &context).await), (Word::Major, "تأخر في إرسال الرسائل"));
    page.now(Does::Shows("<h1>Signal is up and running.</h1>".into()));
    let signal = probe("page", &page.url(), "fine = [\"Signal is up and running.\"]");
    assert_eq!(says(&one(&signal, &gateway, &context).await), (Word::Fine, ""));
    page.now(Does::Shows("<h1>Signal is experiencing technical difficulties.</h1>".into()));
    assert_eq!(says(&one(&signal, &gateway, &context).await), (Word::Degraded, ""));
}

#[tokio::test]
async fn the_command_tells_it_apart_and_its_exit_code_does_not_depend_on_it() {
    let page = StatusPage::start(Does::Shows(summary("major_outage"))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let tables = [
        Table::server(),
        Table::store(),
        Table::sms("g", "127.0.0.1:9".parse().expect("an address")).known(),
    ];
    write(folder.path(), "wasl.toml", &file(tables));
    let toml = probe("statuspage", &page.url(), "component = [\"SMS\"]");
    write(folder.path(), "probes/says.toml", &toml);
    let path = folder.path().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        std::process::Command::new(WASL).args(["probe", "g"]).current_dir(path).output()
    });
    let output = asked.await.expect("no panic").expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = "PAGE  THE PROVIDER SAYS\npage  major outage: \u{201c}\u{2068}Delays to [31m Jawwal\u{2069}\u{201d}\n";
    assert_eq!((told.as_str(), output.status.code()), (expected, Some(0)), "{:?}", output.stderr);
}

#[test]
fn mistakes_are_shown_and_a_page_is_never_asked_more_than_once_a_minute() {
    let check = |kind: &str, more: &str, says: &str| {
        let mut diags = Diagnostics::default();
        let text = format!(
            "[[probe]]\nname = \"p\"\nkind = \"{kind}\"\nadapter = \"x\"\nurl = \"https://x/\"\n{more}\n"
        );
        let definitions = parse(&Source::new("probes/t.toml", text.as_str()), &mut diags);
        match says {
            "" => assert!(diags.is_empty() && definitions.len() == 1, "{}", diags.render()),
            says => assert!(diags.render().contains(says), "{more}: {}", diags.render()),
        }
    };
    check("statuspage", "", "");
    check(
        "rss",
        "interval = \"1m\"\nin_doubt = \"1m\"\ncomponent = [\"Cloud API\"]\nresolved = [\"تم\"]",
        "",
    );
    check("rss", "interval = \"15s\"", "from 1 min to");
    check("statuspage", "in_doubt = \"2s\"", "from 1 min to");
    check("statuspage", "resolved = [\"over\"]", "resolved");
    check("statuspage", "private = [\"ten\"]", "an address range");
    check("statuspage", "component = [\"\"]", "a component");
    check("page", "", "fine");
    check("page", "fine = [\"up\"]\nrecent = \"1h\"", "recent");
    check("rss", "recent = \"1s\"", "out of range");
}

#[test]
fn the_ready_ones_are_switched_off_and_are_right_once_switched_on() {
    let own = |source: &str| {
        let mut diags = Diagnostics::default();
        let count = parse(&Source::new("probes/ready.toml", source), &mut diags).len();
        assert_eq!(diags.errors(), 0, "{}", diags.render());
        count
    };
    for (name, more) in
        [("whatsapp-cloud", 1), ("sms-twilio", 1), ("sms-http", 2), ("signal-cli", 1), ("signal-rest", 1)]
    {
        let text = shipped(name);
        let (ours, theirs) = text.split_once("# === what the provider says").expect("its chapter");
        assert!(["statuspage", "rss", "page"].iter().all(|kind| !ours.contains(&format!("\"{kind}\""))));
        let begin = theirs.find("# [[probe]]").expect("a probe");
        let lines = theirs[begin..].lines().map(|line| line.trim_start_matches('#').trim_start());
        let on = format!("{ours}\n{}\n", lines.collect::<Vec<_>>().join("\n"));
        assert_eq!((own(&text), own(&on)), (own(ours), own(ours) + more), "{name}");
    }
}
