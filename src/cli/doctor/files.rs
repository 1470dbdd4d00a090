//! What the files say, and who may read them.

use super::finding::Finding;
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::ids::MessageId;
use crate::core::message::{Severity, Status, Urgency};
use crate::core::policy::{Policy, Subject};
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Level};
use crate::probe::valid_until;
use crate::runtime::configuration::Configuration;
use crate::settings::{GatewaySettings, Settings};
use crate::store::chain;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How many mistakes are told one by one: `wasl check` tells all of them.
const MISTAKES_TOLD: usize = 10;
/// How long before its end a certificate is worth a warning: two weeks are time for somebody who is away.
const CERTIFICATE_NOTICE: Span = Span::from_hours(14 * 24);
/// The kinds of gateways whose receipts come by a call from outside.
const CALLED: [&str; 3] = ["whatsapp-cloud", "sms-twilio", "sms-http"];

/// Tells what is wrong with the files.
pub(super) fn configuration(configuration: Option<&Configuration>, diags: &Diagnostics) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    let sorted = diags.sorted();
    let errors: Vec<_> = sorted.iter().filter(|diag| diag.level == Level::Error).collect();
    let mut found: Vec<_> = errors
        .iter()
        .take(MISTAKES_TOLD)
        .map(|diag| Finding::fault(CHECK, told(diag), remedy(diag, "`wasl check` shows the line")))
        .collect();
    if errors.len() > MISTAKES_TOLD {
        let more = format!("{} more mistakes", errors.len() - MISTAKES_TOLD);
        found.push(Finding::fault(CHECK, more, "`wasl check` tells all of them"));
    }
    let warnings = sorted.iter().filter(|diag| diag.level == Level::Warning).take(MISTAKES_TOLD);
    found.extend(warnings.map(|diag| {
        Finding::warning(CHECK, told(diag), remedy(diag, "`wasl check` shows the line and explains it"))
    }));
    if let Some(configuration) = configuration {
        let (gateways, probes) = (configuration.lineup.len(), configuration.probes.len());
        // The built-in last rule stands in no file.
        let rules = configuration.policy.policy().rules.len().saturating_sub(1);
        found.push(Finding::fine(CHECK, format!("gateways: {gateways}, probes: {probes}, rules: {rules}")));
    }
    found
}

fn told(diag: &Diagnostic) -> String {
    match (diag.file(), diag.line()) {
        ("", _) => diag.message.clone(),
        (file, Some(line)) => format!("{file}:{line}: {}", diag.message),
        (file, None) => format!("{file}: {}", diag.message),
    }
}

fn remedy(diag: &Diagnostic, otherwise: &str) -> String {
    diag.help.clone().unwrap_or_else(|| otherwise.into())
}

/// Looks who may read the files that hold secrets.
pub(super) fn secrets(config: &Path, diags: &Diagnostics) -> Vec<Finding> {
    const CHECK: &str = "secrets";
    let mut files = BTreeSet::new();
    if let Ok(table) = fs::read_to_string(config).unwrap_or_default().parse::<toml::Table>() {
        let folder = config.parent().unwrap_or(Path::new(""));
        named(&toml::Value::Table(table), &mut |name| {
            files.insert(folder.join(name));
        });
    }
    if diags.sorted().iter().any(|diag| diag.code == "literal-secret") {
        files.insert(config.to_owned());
    }
    let mut found = Vec::new();
    let mut closed = 0;
    for path in files {
        // One that is not there is a mistake of the file that names it; what is named may even be the secret itself.
        let Ok(meta) = fs::metadata(&path) else { continue };
        match meta.permissions().mode() & 0o007 {
            0 => closed += 1,
            _ if !is_open(&path) => closed += 1,
            _ => found.push(Finding::fault(
                CHECK,
                format!(
                    "every user of this machine may read or change {}, and it holds a secret",
                    path.display()
                ),
                format!("chmod o= {}", quoted(&path)) + "; in a container, mount it with mode 0400",
            )),
        }
    }
    if found.is_empty() {
        found.push(Finding::fine(CHECK, format!("files with secrets, closed to others: {closed}")));
    }
    found
}

/// Says whether every user may go through all folders to a file.
fn is_open(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return true };
    let closed =
        |folder: &Path| fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0);
    !path.ancestors().skip(1).any(closed)
}

/// Calls for each path that a `{ file = ".." }` names, and for the key of the server's certificate.
fn named(value: &toml::Value, each: &mut dyn FnMut(&str)) {
    match value {
        toml::Value::Table(table) => {
            if let (1, Some(toml::Value::String(name))) = (table.len(), table.get("file")) {
                each(name);
            }
            if let (Some(toml::Value::String(key)), true) = (table.get("key"), table.contains_key("cert")) {
                each(key);
            }
            table.iter().for_each(|(_, value)| named(value, each));
        }
        toml::Value::Array(values) => values.iter().for_each(|value| named(value, each)),
        _ => {}
    }
}

/// Writes a path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Looks whether each severity has a rule of somebody's own.
pub(super) fn policies(policy: &Policy) -> Vec<Finding> {
    const CHECK: &str = "policies";
    let last = policy.rules.len().saturating_sub(1);
    let tags = BTreeMap::new();
    let uncovered = Severity::ALL.iter().filter(|severity| {
        let subject = Subject {
            message: MessageId::from_bytes([0; 16]),
            severity: **severity,
            urgency: Urgency::Immediate,
            status: Status::Actual,
            incident: None,
            tags: &tags,
            language: None,
            region: None,
            sector: None,
            audiences: &[],
        };
        policy.rule_for(&subject) == last
    });
    let uncovered: Vec<_> = uncovered.map(|severity| severity.to_string()).collect();
    if uncovered.is_empty() {
        return vec![Finding::fine(CHECK, "every severity has a rule")];
    }
    vec![Finding::warning(
        CHECK,
        format!(
            "{}: no rule is for it whoever the recipient is; the built-in last one takes every channel, best first",
            uncovered.join(", ")
        ),
        "add a rule without further conditions to a file in policies/, as policies/90-routine.toml does",
    )]
}

/// Looks until when the server's certificate is good.
pub(super) fn certificate(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "certificate";
    let Some(tls) = &settings.server.tls else { return Vec::new() };
    let cert = tls.cert.display();
    let first = CertificateDer::pem_file_iter(&tls.cert).ok().and_then(|mut all| all.next()?.ok());
    let Some(until) = first.and_then(|der| valid_until(&der)) else {
        let what = format!("it cannot be told until when {cert} is good");
        return vec![Finding::warning(
            CHECK,
            what,
            format!("openssl x509 -in {} -noout -dates", quoted(&tls.cert)),
        )];
    };
    let left = until.since(crate::cli::backup::now());
    let what = format!("{cert} is good until {}", chain::time(until));
    let renew = format!("renew it; a running service takes the new one by `systemctl reload wasl` ({cert})");
    vec![match left {
        _ if left <= Span::ZERO => {
            Finding::fault(CHECK, format!("{cert} ended at {}", chain::time(until)), renew)
        }
        _ if left < CERTIFICATE_NOTICE => Finding::warning(CHECK, what, renew),
        _ => Finding::fine(CHECK, what),
    }]
}

/// Looks whether somebody is told when something needs a person, and whether providers find the way back.
pub(super) fn people(settings: &Settings) -> Vec<Finding> {
    let file = settings.file.display();
    let mut found = Vec::new();
    let notices = &settings.notices;
    found.push(match &notices.heartbeat {
        Some(_) => Finding::fine("heartbeat", "a watcher is told while all is well"),
        None => Finding::warning(
            "heartbeat",
            "nobody notices when this machine itself is gone",
            format!("add to {file}:\n[notices]\nheartbeat_url = {{ file = \"secrets/heartbeat\" }}\n(any service that expects to be asked)"),
        ),
    });
    if notices.operators.is_empty() {
        found.push(Finding::warning(
            "operators",
            "nobody is told of outages and of what goes wrong",
            format!("add to {file}:\n[[operator]]\nname = \"amal\"\nlanguage = \"ar\"\nemail = \"amal@example.org\""),
        ));
    }
    let has_mail = settings.gateways.iter().any(|gateway| gateway.config.channel == Channel::Email);
    for operator in &notices.operators {
        found.push(match (operator.email.is_some() && has_mail, &operator.contact) {
            (true, Some(_)) => Finding::fine("operators", format!("{} has mail, and other roads", operator.name)),
            (true, None) => Finding::warning(
                "operators",
                format!("{} is told by mail alone, and of a mail server that is down by nothing", operator.name),
                format!("give `contact = \"ID\"` of the address book in the operator's table in {file}"),
            ),
            (false, Some(_)) => Finding::fine("operators", format!("{} is told by the roads of a contact", operator.name)),
            (false, None) => Finding::fault(
                "operators",
                format!("{} has an e-mail address alone, and no gateway sends e-mail", operator.name),
                format!("give `contact = \"ID\"` in the operator's table in {file}, or add an `email-smtp` gateway"),
            ),
        });
    }
    if settings.uplinks.is_empty() {
        found.push(Finding::warning(
            "uplink",
            "the loss of our own line cannot be told from an outage of every provider",
            format!("add to {file}:\n[[uplink]]\nname = \"office\"\ncontrols = [\"dns:9.9.9.9\", \"dns:1.1.1.1\", \"https://example.net/\"]"),
        ));
    }
    found.extend(hooks(settings));
    found
}

fn hooks(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "hooks";
    let called = |gateway: &&GatewaySettings| {
        CALLED.contains(&&*gateway.adapter) && gateway.config.receipts != Receipts::None
    };
    let names: Vec<_> =
        settings.gateways.iter().filter(called).map(|gateway| &*gateway.config.name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let url = &settings.server.public_url;
    let names = names.join(", ");
    vec![match is_here(url) {
        true => Finding::warning(
            CHECK,
            format!(
                "the providers of {names} bring receipts to {url}, which is an address of this machine alone"
            ),
            format!(
                "set `public_url` in [server] of {} to what the outside calls this machine, and let a proxy or [server] tls \
                 answer there; or write `receipts = \"none\"` at these gateways",
                settings.file.display()
            ),
        ),
        false => Finding::fine(CHECK, format!("the providers of {names} bring receipts to {url}/hooks/..")),
    }]
}

/// Says whether a URL leads to this machine alone.
pub(super) fn is_here(url: &str) -> bool {
    let host =
        url.parse::<hyper::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    address.map_or(host == "localhost", |address| address.is_loopback() || address.is_unspecified())
}

/// Returns the path of the folder that is nearest to `path` and there.
pub(super) fn nearest_folder(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|folder| folder.is_dir());
    there.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_a_shell_takes_them() {
        assert_eq!(quoted(Path::new("/etc/wasl/secrets/a-b.txt")), "/etc/wasl/secrets/a-b.txt");
        assert_eq!(quoted(Path::new("it's here")), r"'it'\''s here'");
    }

    #[test]
    fn this_machine_is_known_in_every_form() {
        for url in ["http://127.0.0.1:8080", "http://[::1]:8080", "https://localhost", "http://0.0.0.0:80"] {
            assert!(is_here(url), "{url}");
        }
        assert!(!is_here("https://alerts.example.org") && !is_here("http://192.0.2.7:8080"));
    }
}
