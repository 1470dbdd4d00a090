use super::*;
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::policy::{LAST_RULE, OnUnknown, SendMode};
use crate::core::time::Span;

pub(super) fn gateway(name: &str, channel: Channel, domains: &[&str]) -> GatewayConfig {
    GatewayConfig {
        name: name.into(),
        channel,
        failure_domains: domains.iter().map(|d| (*d).into()).collect(),
        rate: None,
        quotas: Vec::new(),
        cost: 0.0,
        receipts: if channel == Channel::Telegram { Receipts::None } else { Receipts::Delivered },
        window: 1,
        can_ask: false,
        connect_time_out: Span::from_secs(3),
        canaries: vec![],
    }
}

fn fleet() -> Vec<GatewayConfig> {
    vec![
        gateway("sms-a", Channel::Sms, &["carrier:a"]),
        gateway("telegram-a", Channel::Telegram, &["internet"]),
    ]
}

fn read(text: &str) -> (Option<CheckedPolicy>, String) {
    let mut diags = Diagnostics::default();
    let checked = check(&PolicyFiles::from_texts([("p.toml", text)]), Some(&fleet()), &mut diags);
    (checked, diags.render())
}

#[track_caller]
fn check_text(text: &str, sound: bool, expected: &[&str]) {
    let (checked, shown) = read(text);
    assert_eq!(checked.is_some(), sound, "{shown}");
    for part in expected {
        assert!(shown.contains(part), "{part}\n---\n{shown}");
    }
    if expected.is_empty() {
        assert_eq!(shown, "");
    }
}

#[test]
fn a_rule_means_what_it_says() {
    let (checked, shown) = read(
        r#"
        [[rule]]
        name = "سيول"
        when = { severity = ["extreme"], language = ["ar"] }
        deadline = "2m"
        on_unknown = "wait"
        never_domains = ["internet"]
          [[rule.step]]
          channels = ["sms", "telegram"]
          send = "each"
          wait = "20s"
          [[rule.step]]
          channels = ["sms"]
        "#,
    );
    assert_eq!(shown, "");
    let policy = checked.expect("sound").into_policy();
    let [rule, last] = policy.rules.as_slice() else { panic!("two rules") };
    assert_eq!((rule.name.as_str(), rule.when.len(), rule.on_unknown), ("سيول", 2, Some(OnUnknown::Wait)));
    assert_eq!((rule.steps[0].send, rule.steps[0].wait), (SendMode::Each, Span::from_secs(20)));
    assert_eq!(rule.steps[1].wait, Span::from_secs(30));
    assert_eq!((last.name.as_str(), policy.hash.len()), (LAST_RULE, 12));
}

#[test]
fn errors_leave_no_policy() {
    check_text("[[rule]]\nname = \"a\"\n", false, &["error[no-step]"]);
    check_text("[[rule]]\nname = \"a\"\n[[rule.step]]\nchannels = []\n", false, &["error[no-channel]"]);
    check_text("[[rule]]\nname = \"a\"\n[[rule.step]]\n", false, &["step 1 of rule `a` has no `channels`"]);
    check_text("[[rule]]\n[[rule.step]]\nchannels = [\"sms\"]\n", false, &["the rule has no `name`"]);
    check_text("[rule]\nname = \"a\"\n", false, &["must be an array of tables", "write `[[rule]]`"]);
    let rule =
        "[[rule]]\nname = \"a\"\nwhen = { severity = [\"minor\"] }\n[[rule.step]]\nchannels = [\"sms\"]\n";
    check_text(&format!("{rule}{rule}"), false, &["two rules are called `a`", "the first is at p.toml:2"]);
    check_text(&rule.replace("\"a\"", "\"built-in\""), false, &["Wasl's own last rule"]);
    check_text(&rule.replace("[\"sms\"]", "[\"smss\"]\nwiat = \"1s\""), false, &["`sms`?", "`wait`?"]);
    check_text(&rule.replace("when", "deadline = \"1y\"\nwhen"), false, &["is not a length of time"]);
}

#[test]
fn warnings_leave_a_policy() {
    let rule = |more: &str, step: &str| {
        format!("[[rule]]\nname = \"a\"\n{more}\n[[rule.step]]\nchannels = [\"sms\"]\n{step}\n")
    };
    let second = "[[rule]]\nname = \"b\"\nwhen = { severity = [\"minor\"], status = [\"actual\"] }\n[[rule.step]]\n\
                  channels = [\"sms\"]\n";
    check_text(&rule("", ""), true, &[]);
    check_text(
        &(rule("", "") + second),
        true,
        &["rule `b` is never used", "rule `a`, which has no condition"],
    );
    check_text(
        &(rule("when = { severity = [\"minor\"] }", "") + second),
        true,
        &["asks for no more than this one"],
    );
    check_text(&rule("deadline = \"20s\"", "wait = \"30s\""), true, &["warning[wait-past-deadline]"]);
    let late = "[[rule.step]]\nchannels = [\"telegram\"]";
    check_text(&rule("deadline = \"30s\"", late), true, &["step 2 of rule `a` starts after the deadline"]);
    check_text(&rule("deadline = \"2h\"\nexpiry = \"1h\"", ""), true, &["expires before its deadline"]);
    check_text(&rule("escalate = [\"x\"]", ""), true, &["never escalates"]);
    check_text(&rule("never_domains = [\"carrier:b\"]", ""), true, &["did you mean `carrier:a`?"]);
    check_text(&rule("never = [\"sms\"]", ""), true, &["uses `sms` and forbids it", "can reach nobody"]);
    check_text(&rule("confirm = \"read\"", ""), true, &["can never be confirmed as read"]);
    check_text(&rule("strict = true\nassume_after = \"5s\"", ""), true, &["assumes nothing"]);
    check_text(&rule("", late).replace("telegram", "signal"), true, &["no gateway serves `signal`"]);
}

#[test]
fn the_hash_tells_versions_apart() {
    let hash = |texts: &[(&str, &str)]| PolicyFiles::from_texts(texts.iter().copied()).hash();
    assert_eq!(hash(&[("a", "x"), ("b", "y")]), hash(&[("b", "y"), ("a", "x")]));
    assert_ne!(hash(&[("a", "x"), ("b", "y")]), hash(&[("a", "xb"), ("", "y")]));
}

/// The shipped rules, as they lie in the repository.
fn shipped() -> PolicyFiles {
    let mut diags = Diagnostics::default();
    let files = PolicyFiles::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")), &mut diags);
    assert!(diags.is_empty() && !files.sources().is_empty(), "{diags}");
    files
}

#[test]
fn the_shipped_rules_are_sound_with_any_one_channel() {
    for channel in Channel::ALL {
        let mut diags = Diagnostics::default();
        let one = [gateway("one", channel, &[])];
        assert!(check(&shipped(), Some(&one), &mut diags).is_some(), "{diags}");
        assert!(diags.sorted().iter().all(|d| matches!(d.code, "no-gateway" | "never-confirmed")), "{diags}");
    }
    let mut diags = Diagnostics::default();
    let all = Channel::ALL.map(|channel| gateway(channel.name(), channel, &[]));
    assert!(check(&shipped(), Some(&all), &mut diags).is_some());
    assert!(diags.is_empty(), "{diags}");
}

#[test]
fn the_shipped_rules_take_each_message_where_it_belongs() {
    use crate::core::message::{Severity, Status, Urgency};
    let mut diags = Diagnostics::default();
    let policy = check(&shipped(), None, &mut diags).expect("sound").into_policy();
    let rule = |severity, status, language: Option<&str>| {
        let described = Described {
            severity,
            urgency: Urgency::Unknown,
            status,
            incident: None,
            tags: Default::default(),
            language: language.map(Into::into),
            region: None,
            sector: None,
            audiences: Vec::new(),
            channels: crate::core::channel::ChannelSet::ALL,
        };
        explain(&policy, described, &[], &Situation::default()).rule().to_owned()
    };
    assert_eq!(rule(Severity::Extreme, Status::Actual, Some("ar-PS")), "life-safety-ar");
    assert_eq!(rule(Severity::Extreme, Status::Actual, Some("en")), "life-safety");
    assert_eq!(rule(Severity::Extreme, Status::Actual, None), "life-safety");
    assert_eq!(rule(Severity::Severe, Status::Actual, Some("ar")), "severe");
    assert_eq!(rule(Severity::Unknown, Status::Actual, Some("ar")), "routine");
    assert_eq!(rule(Severity::Extreme, Status::Exercise, Some("ar")), "exercise");
    assert_eq!(rule(Severity::Extreme, Status::Test, Some("ar")), "system-test");
    assert_eq!(rule(Severity::Minor, Status::System, None), "notices");
}

#[test]
fn the_readme_shows_every_criterion() {
    let readme = include_str!("../../policies/README.md");
    for example in examples() {
        assert!(readme.contains(&format!("| `{}` |", example.example)), "{}", example.example);
    }
}
