//! The ready files against the emulated providers.

use super::*;
use Layer::{Api, Http, Tcp};
use wasl::emulator::whatsapp::Health;
use wasl::emulator::{AnswerFault, Fault, Mix, signal_cli, telegram, webhook, whatsapp};

/// Runs the probe of this name of a ready file.
async fn ready(file: &str, probe: &str, gateway: &Target, context: &Arc<Context>) -> ProbeReport {
    let reports = run(&shipped(file), gateway, context).await;
    reports.into_iter().find(|report| report.probe == probe).expect("a probe of this name")
}

#[test]
fn every_ready_file_is_without_fault() {
    for name in adapters() {
        let mut diags = Diagnostics::default();
        let found = parse(&Source::new(format!("probes/{name}.toml"), shipped(name)), &mut diags);
        assert!(diags.is_empty(), "{}", diags.render());
        assert!(!found.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn whatsapp_says_whether_our_account_may_send() {
    let provider = whatsapp::start(whatsapp::Options::default()).await.expect("a provider");
    let (gateway, context) = (web(&format!("http://{}", provider.addr())), plain());
    let account = || ready("whatsapp-cloud", "account", &gateway, &context);
    let all = [Tcp, Http, Api];
    check(&account().await, Some(Api), Verdict::Fine, &all);
    check(&ready("whatsapp-cloud", "web", &gateway, &context).await, Some(Http), Verdict::Fine, &[Tcp, Http]);
    provider.set_health(Health::Limited);
    check(&account().await, Some(Api), Verdict::Limited(Reason::Limited), &all);
    provider.set_health(Health::Blocked);
    check(&account().await, Some(Http), failed(Reason::Configuration), &all);
    provider.set_health(Health::Available);
    provider.set_token("another");
    check(&account().await, Some(Http), failed(Reason::Credentials), &all);
    provider.set_token("emulated-token");
    for (fault, reason) in [
        (AnswerFault::Status { code: 500, retry_after_s: None }, Reason::ProviderFault),
        (AnswerFault::Status { code: 503, retry_after_s: None }, Reason::ProviderFault),
        (AnswerFault::Garbage, Reason::Unreadable),
    ] {
        provider.fault(Fault::Answer(Mix::always(fault)));
        check(&account().await, Some(Http), failed(reason), &all);
    }
    // How much of it arrives before the reset is the system's choice.
    provider.fault(Fault::Answer(Mix::always(AnswerFault::Cut)));
    assert_eq!(account().await.verdict, failed(Reason::ConnectionLost));
    provider.clear();
    check(&account().await, Some(Api), Verdict::Fine, &all);
}

#[tokio::test]
async fn signal_cli_lives_and_knows_our_account() {
    let provider = signal_cli::start(signal_cli::Options::default()).await.expect("a daemon");
    let context = plain();
    let gateway = |account: &str| {
        target("signal-cli", Channel::Signal, &format!("http://{}", provider.addr()))
            .plain("account", account)
    };
    let ours = gateway("+15550001111");
    check(&ready("signal-cli", "daemon", &ours, &context).await, Some(Http), Verdict::Fine, &[Tcp, Http]);
    check(
        &ready("signal-cli", "account", &ours, &context).await,
        Some(Api),
        Verdict::Fine,
        &[Tcp, Http, Api],
    );
    let report = ready("signal-cli", "account", &gateway("+15550009999"), &context).await;
    check(&report, Some(Http), failed(Reason::Configuration), &[Tcp, Http, Api]);
}

#[tokio::test]
async fn telegram_knows_our_token_and_nobody_else_sees_it() {
    let provider = telegram::start(telegram::Options::default()).await.expect("a provider");
    let context = plain();
    let gateway = |token: &str| {
        target("telegram-bot", Channel::Telegram, &format!("http://{}", provider.addr()))
            .hidden("bot_token", Secret::new(token))
    };
    let good = gateway("42:emulated-token");
    check(&ready("telegram-bot", "bot", &good, &context).await, Some(Api), Verdict::Fine, &[Tcp, Http, Api]);
    check(
        &ready("telegram-bot", "updates", &good, &context).await,
        Some(Api),
        Verdict::Fine,
        &[Tcp, Http, Api],
    );
    let bad = gateway("42:planted-secret");
    let report = ready("telegram-bot", "bot", &bad, &context).await;
    check(&report, Some(Http), failed(Reason::Credentials), &[Tcp, Http, Api]);
    assert!(
        !format!("{report:?} {bad:?} {:?}", set(&shipped("telegram-bot"), &bad, &context))
            .contains("planted")
    );
    provider.fault(Fault::Answer(Mix::always(AnswerFault::Status { code: 429, retry_after_s: Some(3) })));
    let report = ready("telegram-bot", "bot", &good, &context).await;
    assert_eq!(report.verdict, Verdict::Limited(Reason::Throttled), "{report:?}");
}

#[tokio::test]
async fn a_webhook_is_asked_and_not_called() {
    let receiver = webhook::start(webhook::Options::default()).await.expect("a receiver");
    let context = plain();
    let gateway = |url: &str| {
        let url = Secret::new(url);
        Target::new(G, "g", Channel::Webhook, "webhook").hidden("url", url)
    };
    let ours = gateway(&receiver.url());
    let web = || ready("webhook", "web", &ours, &context);
    check(&web().await, Some(Http), Verdict::Fine, &[Tcp, Http]);
    // What knows POST alone answers with an error of ours; it lives all the same.
    let elsewhere = gateway(&format!("http://{}/planted-path", receiver.addr()));
    let report = ready("webhook", "web", &elsewhere, &context).await;
    check(&report, Some(Http), Verdict::Fine, &[Tcp, Http]);
    assert!(!format!("{report:?} {:?}", set(&shipped("webhook"), &elsewhere, &context)).contains("planted"));
    let status = |code| AnswerFault::Status { code, retry_after_s: None };
    for (fault, verdict) in [
        (status(410), failed(Reason::Configuration)),
        (status(503), failed(Reason::ProviderFault)),
        // A method that it does not know, and so it lives. Cites: RFC 9110, 15.6.2.
        (status(501), Verdict::Fine),
        (status(429), Verdict::Limited(Reason::Throttled)),
    ] {
        receiver.fault(Fault::Check(Mix::always(fault)));
        assert_eq!(web().await.verdict, verdict);
    }
    assert_eq!(receiver.accepted_count(), 0);
}

#[test]
fn no_error_repeats_what_was_filled_in() {
    let toml = "[[probe]]\nname = \"a\"\nkind = \"api\"\ngateway = \"g\"\nurl = \"{base_url}/x\"\n\
                bearer = \"access_token\"\n[[probe]]\nname = \"b\"\nkind = \"api\"\ngateway = \"g\"\n\
                url = \"http://h/{nothing}\"\n";
    let mut diags = Diagnostics::default();
    let definitions = parse(&Source::new("probes/t.toml", toml), &mut diags);
    let gateway = target("signal-cli", Channel::Signal, "not a url/planted-path")
        .hidden("access_token", Secret::new("planted\nsecret"));
    let set = resolve(&definitions, &[gateway], &adapters(), &plain(), &mut diags);
    let shown = diags.render();
    assert!(set.is_empty() && diags.errors() == 2, "{shown}");
    assert!(!shown.contains("planted"), "{shown}");
    assert!(shown.contains("set `nothing` for the gateway in wasl.toml"), "{shown}");
}

#[tokio::test]
async fn each_sms_gateway_is_asked_in_its_own_way() {
    use wasl::emulator::sms_http::{self, Dialect};
    let dialects = [
        ("kannel", Dialect::Kannel, "status"),
        ("jasmin", Dialect::Jasmin, "ping"),
        ("infobip", Dialect::Infobip, "account"),
        ("vonage", Dialect::Vonage, "account"),
        ("sms-gate", Dialect::SmsGate, "health"),
    ];
    for (like, dialect, own) in dialects {
        let provider = sms_http::start(sms_http::Options::of(dialect)).await.expect("a provider");
        let (base_url, context) = (format!("http://{}", provider.addr()), plain());
        let bare = target("sms-http", Channel::Sms, &base_url).plain("like", like);
        let (key, secret) = match dialect {
            Dialect::Infobip => ("emulated-password", "-"),
            _ => ("emulated", "emulated-password"),
        };
        let gateway = bare
            .clone()
            .plain("status_url", format!("{base_url}/status.xml"))
            .hidden("api_key", Secret::new(key))
            .hidden("api_secret", Secret::new(secret));
        let reports = run(&shipped("sms-http"), &gateway, &context).await;
        let found: Vec<_> = reports.iter().map(|report| (report.probe.as_str(), &report.verdict)).collect();
        assert_eq!(found, [("web", &Verdict::Fine), (own, &Verdict::Fine)], "{like}");
        provider.fault(Fault::Answer(Mix::always(AnswerFault::Garbage)));
        let report = ready("sms-http", own, &gateway, &context).await;
        assert!(report.verdict.failed(), "{like}: {report:?}");
        provider.clear();
        provider.set_password("renewed");
        let report = ready("sms-http", own, &gateway, &context).await;
        let asks_for_credentials = matches!(dialect, Dialect::Infobip | Dialect::Vonage);
        assert_eq!(report.verdict == failed(Reason::Credentials), asks_for_credentials, "{like}: {report:?}");
        if dialect == Dialect::Kannel {
            assert_eq!(run(&shipped("sms-http"), &bare, &context).await.len(), 1, "without its page");
        }
    }
}
