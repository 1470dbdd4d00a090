//! A whole set of files: sound and put to work, or refused with everything that is wrong with all of them.

use std::path::Path;
use wasl::runtime::configuration::Configuration;

const GATEWAY: &str = r#"
[[gateway]]
name = "signal-a"
channel = "signal"
adapter = "signal-cli"
base_url = "http://127.0.0.1:1"
account = "+970599000001"
"#;
const PROBE: &str = "[[probe]]\nname = \"port\"\nkind = \"tcp\"\ngateway = \"signal-a\"\nhost = \"127.0.0.1\"\nport = 1\n\
                     interval = \"15s\"\n";
const RULE: &str = "[[rule]]\nname = \"all\"\n[[rule.step]]\nchannels = [\"signal\"]\n";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn load(files: &[(&str, &str)], known: &[String]) -> (Option<Configuration>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    let (configuration, diags) = Configuration::load(&folder.path().join("wasl.toml"), known);
    assert_eq!(configuration.is_some(), !diags.has_errors(), "{diags}");
    (configuration, diags.render())
}

#[test]
fn a_sound_set_is_ready_to_work() {
    let files = [("wasl.toml", GATEWAY), ("probes/signal.toml", PROBE), ("policies/all.toml", RULE)];
    let (configuration, shown) = load(&files, &["gone".into()]);
    assert_eq!(shown, "");
    let configuration = configuration.expect("sound");
    assert_eq!(configuration.lineup.len(), 1);
    assert_eq!(configuration.policy.policy().rules.len(), 2);
    let gateways: Vec<_> = configuration.probes.iter().map(|probe| probe.gateway.0).collect();
    assert_eq!(gateways, [1], "a gateway that is gone keeps its place");
}

#[test]
fn what_is_wrong_with_every_file_is_told_at_once() {
    let wrong = GATEWAY.replace("account", "acount");
    let files = [
        ("wasl.toml", wrong.as_str()),
        ("probes/a.toml", "[[probe]]\nname = \"x\"\nkind = \"tpc\"\ngateway = \"signal-a\"\n"),
        ("policies/b.toml", "[[rule]]\nname = \"all\"\n[[rule.step]]\nchannels = [\"signall\"]\n"),
    ];
    let (_, shown) = load(&files, &[]);
    for expected in ["`acount`", "did you mean `tcp`?", "did you mean `signal`?"] {
        assert!(shown.contains(expected), "{expected}\n---\n{shown}");
    }
    let broken = [("wasl.toml", "listen ="), files[1], files[2]];
    let (_, shown) = load(&broken, &[]);
    for expected in ["error[syntax]", "did you mean `tcp`?", "did you mean `signal`?"] {
        assert!(shown.contains(expected), "{expected}\n---\n{shown}");
    }
    assert!(!shown.contains("no gateway serves"), "{shown}");
}

#[test]
fn an_error_elsewhere_hides_none_of_the_adapters() {
    let bot = "[[gateway]]\nname = \"bot\"\nchannel = \"telegram\"\nadapter = \"telegram-bot\"\n\
               base_url = \"telegram.example\"\n";
    let wrong = format!("[sever]\n{}{bot}", GATEWAY.replace("account", "acount"));
    let (_, shown) = load(&[("wasl.toml", &wrong)], &[]);
    let expected = [
        "unknown key `sever`",
        "`acount`",
        "gateway `signal-a` has no `account`",
        "error[bad-url]",
        "has no `bot_token`",
    ];
    for expected in expected {
        assert!(shown.contains(expected), "{expected}\n---\n{shown}");
    }
    assert!(!shown.contains("has no `base_url`"), "it is there, and wrong\n---\n{shown}");
}

#[test]
fn a_certificate_that_cannot_be_served_is_found_before_it_is() {
    let server = "[server]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let sound = format!("{server}{GATEWAY}");
    let make = || rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("made");
    let (one, other) = (make(), make());
    let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let files =
        |wasl: &str, key: &str| load(&[("wasl.toml", wasl), ("cert.pem", &cert), ("key.pem", key)], &[]);
    let (configuration, shown) = files(&sound, &key);
    assert!(configuration.is_some_and(|set| set.tls.is_some()), "{shown}");
    let (_, shown) = files(&sound, &other.signing_key.serialize_pem());
    assert!(shown.contains("error[bad-tls]") && shown.contains("wasl.toml:2:7"), "{shown}");
    let (_, shown) = files(&format!("{sound}[sever]\n"), "no key");
    assert!(shown.contains("error[bad-tls]") && shown.contains("key.pem"), "beside another error\n{shown}");
}

#[test]
fn a_missing_file_says_where_it_was_looked_for() {
    let (configuration, shown) = load(&[], &[]);
    assert!(
        configuration.is_none() && shown.contains("error[unreadable-file]") && shown.contains("wasl.toml")
    );
}

#[test]
fn the_command_says_how_it_went_by_its_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "wasl.toml", GATEWAY);
    write(folder.path(), "policies/all.toml", RULE);
    let wasl = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wasl"));
        let output = command.args(args).current_dir(folder.path()).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, shown) = wasl(&["check"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("1 gateway, 2 probes, 1 rule: 0 errors, 0 warnings"), "{shown}");
    let (code, shown) = wasl(&["policy", "explain", "--severity", "extreme", "--offline"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Right now it would go through `signal-a`."), "{shown}");
    // A wrong word is wrong usage, whoever reads it; nobody was asked: there is no service here.
    for wrong in [
        &["policy", "explain", "--severity", "extrem"][..],
        &["send", "--severity", "extrem", "--audience", "a", "--text", "x"],
        &["send", "--severity", "extreme", "--urgency", "soon", "--audience", "a", "--text", "x"],
        &["correct", "01M", "--severity", "extrem", "--reason", "x", "--text", "x"],
        &["token", "new", "--name", "desk", "--role", "sendr"],
        &["outages", "--before", "junk"],
    ] {
        assert_eq!(wasl(wrong).0, Some(2), "{wrong:?}");
    }
    write(folder.path(), "policies/all.toml", &RULE.replace("signal", "signall"));
    let (code, shown) = wasl(&["check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((code, json["errors"].as_u64(), json["ok"].as_bool()), (Some(1), Some(1), Some(false)));
    assert_eq!(wasl(&["check", "--config", "nowhere.toml"]).0, Some(1));
}

#[test]
fn the_sample_works_with_the_shipped_probes_and_policies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    write(folder.path(), "wasl.toml", include_str!("../support/wasl.toml"));
    write(folder.path(), "secret", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw\n");
    write(folder.path(), "smpp-secret", "8-octets\n");
    write(folder.path(), "twilio-token", "0123456789abcdef0123456789abcdef\n");
    write(folder.path(), "hook-url", "https://records.example.org/in/9f2c?key=1\n");
    write(folder.path(), "sms-hook", "9b1d2c0f7ae64d53b8c9e1f2a3d4c5b6\n");
    write(folder.path(), "hook-secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    for of in ["probes", "policies"] {
        for entry in std::fs::read_dir(root.join(of)).expect("shipped") {
            let path = entry.expect("an entry").path();
            let name = format!("{of}/{}", path.file_name().and_then(|name| name.to_str()).expect("UTF-8"));
            write(folder.path(), &name, &std::fs::read_to_string(&path).expect("text"));
        }
    }
    let (configuration, diags) = Configuration::load(&folder.path().join("wasl.toml"), &[]);
    // One gateway of each kind: whoever adds a kind shows how it is written.
    assert_eq!(configuration.map(|set| set.lineup.len()), Some(wasl::adapter::ADAPTERS.len()), "{diags}");
    for kind in wasl::adapter::ADAPTERS {
        assert!(
            include_str!("../support/wasl.toml").contains(&format!("= \"{}\"", kind.name)),
            "{}",
            kind.name
        );
    }
    let codes: Vec<_> = diags.sorted().iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["no-gateway"], "{diags}");
}
