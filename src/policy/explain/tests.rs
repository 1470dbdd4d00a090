use super::*;
use crate::core::view::State;
use crate::policy::tests::gateway;
use crate::policy::{PolicyFiles, check};

const RULES: &str = r#"
[[rule]]
name = "drills"
when = { status = ["exercise"], language = ["en"] }
[[rule.step]]
channels = ["email"]

[[rule]]
name = "life-safety"
when = { severity = ["extreme"] }
never_domains = ["aws"]
[[rule.step]]
channels = ["whatsapp", "signal"]
wait = "20s"
[[rule.step]]
channels = ["sms", "voice"]
send = "all"
"#;

fn policy() -> std::sync::Arc<Policy> {
    let mut diags = crate::diag::Diagnostics::default();
    let files = PolicyFiles::from_texts([("p.toml", RULES)]);
    check(&files, None, &mut diags).expect("it is sound").into_policy()
}

fn fleet() -> Vec<GatewayConfig> {
    vec![
        gateway("wa", Channel::Whatsapp, &["internet", "meta"]),
        gateway("signal-a", Channel::Signal, &["internet", "aws"]),
        gateway("signal-b", Channel::Signal, &["internet"]),
        gateway("sms-a", Channel::Sms, &["carrier:a"]),
        gateway("voice-a", Channel::Voice, &["carrier:a"]),
        gateway("mail", Channel::Email, &["internet"]),
    ]
}

fn extreme() -> Described {
    Described {
        severity: Severity::Extreme,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: None,
        tags: BTreeMap::new(),
        language: Some("ar".into()),
        region: None,
        sector: None,
        audiences: vec!["residents".into()],
        channels: ChannelSet::ALL,
    }
}

fn with(states: &[(&str, State, f64)]) -> Situation {
    let now = |state, health| Now { state, health, ..Situation::default().of("") };
    let gateways =
        states.iter().map(|(name, state, health)| ((*name).into(), now(*state, *health))).collect();
    Situation { live: true, gateways, ..Situation::default() }
}

#[track_caller]
fn check_taken(situation: &Situation, described: Described, expected: &[&str]) -> Explanation {
    let explanation = explain(&policy(), described, &fleet(), situation);
    let taken: Vec<_> = explanation.taken().iter().map(|gateway| gateway.gateway.as_str()).collect();
    assert_eq!(taken, expected, "{explanation}");
    explanation
}

#[test]
fn the_first_good_gateway_of_the_first_step_is_taken() {
    use State::*;
    check_taken(&Situation::default(), extreme(), &["wa"]);
    check_taken(&with(&[("signal-b", Up, 0.99)]), extreme(), &["signal-b"]);
    check_taken(&with(&[("wa", Degraded, 0.4)]), extreme(), &["signal-b"]);
    check_taken(&with(&[("wa", Down, 0.01), ("signal-b", Down, 0.01)]), extreme(), &["sms-a", "voice-a"]);
    let all_down: Vec<_> = ["wa", "signal-b", "sms-a", "voice-a"].map(|name| (name, Down, 0.01)).into();
    check_taken(&with(&all_down), extreme(), &["wa"]);
    let cut = Situation { line_down: true, ..Situation::default() };
    check_taken(&cut, extreme(), &["sms-a", "voice-a"]);
    let held = Situation { held_all: Some("wrong text".into()), ..Situation::default() };
    check_taken(&held, extreme(), &[]);
    let only_mail = Described { channels: [Channel::Email].into_iter().collect(), ..extreme() };
    check_taken(&Situation::default(), only_mail, &[]);
}

#[test]
fn each_rule_and_each_gateway_says_why() {
    let text = check_taken(&with(&[("wa", State::Down, 0.02)]), extreme(), &["signal-b"]).to_string();
    for expected in [
        "- drills: not used: asks that status is exercise, and status is actual; asks that language is en, and \
         language is ar",
        "> life-safety: used: severity is extreme",
        "settled once delivered (strict: a road without receipts never settles it); after an unknown outcome: repeat; \
         expires after 1 h",
        "Step 1, at once: the best of whatsapp, signal; waits 20 s",
        "  > signal-b  signal    unknown         -  taken: nothing is known against it",
        "    wa        whatsapp  down          2 %  the evidence says that it is down",
        "    signal-a  signal    unknown         -  the rule forbids the failure domain `aws`",
        "Step 2, after 20 s, or as soon as nothing before it can be used: at once: sms, voice; waits 30 s",
        "    mail      email     unknown         -  no step of the rule names `email`",
        "Right now it would go through `signal-b`.",
    ] {
        assert!(text.contains(expected), "{expected}\n---\n{text}");
    }
}

#[test]
fn a_step_without_a_road_costs_no_time() {
    let no_messengers = Described { channels: [Channel::Voice].into_iter().collect(), ..extreme() };
    let explanation = check_taken(&Situation::default(), no_messengers, &["voice-a"]);
    let starts: Vec<_> = explanation.steps.iter().map(|step| step.starts_after).collect();
    assert_eq!(starts, [Span::ZERO, Span::ZERO]);
}

#[test]
fn json_says_the_same() {
    let described = Described { severity: Severity::Minor, ..extreme() };
    let json = check_taken(&Situation::default(), described, &["wa"]).to_json();
    assert_eq!((json["rule"].as_str(), json["live"].as_bool()), (Some("built-in"), Some(false)));
    assert_eq!(json["rules"][1]["criteria"][0]["found"], "severity is minor");
    assert_eq!(json["steps"][0]["gateways"][0]["taken"], true);
    assert_eq!(json["expiry_ms"], 86_400_000);
}

#[test]
fn a_services_answer_is_read() {
    let status = serde_json::json!({
        "at": "2026-11-22T10:00:00.000Z",
        "held": null,
        "uplinks": [{"name": "a", "up": false}],
        "gateways": [
            {"name": "wa", "state": "up", "health": 0.99, "overlay": {"kind": "held", "reason": "test", "until": null},
             "deferred_until": null, "quotas": {"messages/1 d": 0.0}},
            {"name": "sms-a", "state": "degraded", "health": 0.4, "overlay": null,
             "deferred_until": "2026-11-22T10:00:05Z", "quotas": {}},
        ],
    });
    let situation = Situation::from_status(&status).expect("it is an answer");
    assert!(situation.line_down && situation.gateways["sms-a"].deferred);
    assert_eq!(situation.gateways["wa"].held.as_deref(), Some("test"));
    assert_eq!(situation.gateways["wa"].exhausted.as_deref(), Some("messages/1 d"));
    assert_eq!(Situation::from_status(&serde_json::json!({"title": "no"})), None);
}

#[test]
fn doubt_is_ranked_as_the_core_ranks_it() {
    let check = |health: f64, state, expected| {
        let now = Now { state, health, ..Situation::default().of("") };
        assert_eq!(now.doubt(), expected, "{health}");
    };
    check(0.990, State::Up, 0);
    check(0.990, State::Unknown, 1);
    check(0.969, State::Up, 1);
    check(0.500, State::Degraded, 4);
    check(0.001, State::Down, 10);
}
