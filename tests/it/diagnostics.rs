//! Golden diagnostics: each `tests/golden/diagnostics/*.toml` is read as a person's file would be, and what is printed
//! stands beside it in a `.txt`. `UPDATE=1 cargo test --test it diagnostics` writes them anew; read the difference.

use std::path::{Path, PathBuf};
use wasl::core::channel::Channel;
use wasl::core::gateway::{GatewayConfig, Receipts};
use wasl::core::time::Span;
use wasl::diag::{Diagnostics, Source};
use wasl::policy::{PolicyFiles, check};
use wasl::settings::{AdapterKind, Settings};

const FOLDER: &str = "tests/golden/diagnostics";
const KINDS: [AdapterKind; 3] = [
    kind("whatsapp-cloud", Channel::Whatsapp, Receipts::Read),
    kind("telegram-bot", Channel::Telegram, Receipts::None),
    kind("sms-smpp", Channel::Sms, Receipts::Delivered),
];

const fn kind(name: &'static str, channel: Channel, receipts: Receipts) -> AdapterKind {
    AdapterKind { name, channel, receipts, window: 50, connect_time_out: Span::from_secs(6), probes: "" }
}

fn fleet() -> Vec<GatewayConfig> {
    let gateway = |name: &str, channel, domain: &str, receipts| GatewayConfig {
        name: name.into(),
        channel,
        failure_domains: vec![domain.into()],
        rate: None,
        quotas: Vec::new(),
        cost: 0.0,
        receipts,
        window: 1,
        can_ask: false,
        connect_time_out: Span::from_secs(3),
        canaries: vec![],
    };
    vec![
        gateway("sms-a", Channel::Sms, "carrier:jawwal", Receipts::Delivered),
        gateway("telegram-a", Channel::Telegram, "internet", Receipts::None),
    ]
}

/// Reads a file as what its name says that it is: `policy-*`, or `wasl-*` with each adapter's own secrets read too.
fn diagnose(path: &Path) -> Diagnostics {
    let mut diags = Diagnostics::default();
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
    if name.starts_with("policy-") {
        let source = Source::read(path, &mut diags).expect("it can be read");
        let files = PolicyFiles::from_texts([(source.name(), source.text())]);
        let checked = check(&files, Some(&fleet()), &mut diags);
        assert_eq!(checked.is_some(), !diags.has_errors(), "{name}");
        return diags;
    }
    let Some(settings) = Settings::read(path, &KINDS, &mut diags) else { return diags };
    for mut gateway in settings.gateways {
        for key in ["bot_token", "webhook_secret", "password", "access_token", "app_secret"] {
            gateway.rest.secret(key, &mut diags);
        }
        gateway.rest.finish(&mut diags);
    }
    diags
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER)
        .expect("the folder of golden files")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn each_file_prints_what_stands_beside_it() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let shown = diagnose(&path).render();
        let golden = path.with_extension("txt");
        if update {
            std::fs::write(&golden, &shown).expect("written");
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != shown {
            wrong.push(format!("=== {}\n{shown}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "rewrite with UPDATE=1, then read the difference:\n{}", wrong.join("\n"));
}

#[test]
fn no_secret_is_printed_in_any_form() {
    for path in files() {
        let diags = diagnose(&path);
        for shown in
            [diags.render(), diags.render_coloured(), diags.to_json().to_string(), format!("{diags}")]
        {
            assert!(!shown.contains("S3CR3T") && !shown.contains("hunter2"), "{}:\n{shown}", path.display());
        }
    }
}

#[test]
fn json_carries_every_diagnostic_with_its_place() {
    for path in files() {
        let diags = diagnose(&path);
        let json = diags.to_json();
        let all = json.as_array().expect("an array");
        assert_eq!(all.len(), diags.errors() + diags.warnings());
        assert!(all.iter().all(|d| d["help"].is_string() && d["code"].is_string()), "{json:#}");
        let (lines, rendered) = (all.iter().filter(|d| d["line"].is_u64()), diags.render());
        assert_eq!(lines.count(), rendered.matches("^\n").count() + rendered.matches("^ ").count());
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for path in files() {
        let diags = diagnose(&path);
        let mut plain = String::new();
        let mut escaped = false;
        for c in diags.render_coloured().chars() {
            match c {
                '\x1b' => escaped = true,
                'm' if escaped => escaped = false,
                c if !escaped => plain.push(c),
                _ => {}
            }
        }
        assert_eq!(plain, diags.render(), "{}", path.display());
    }
}
