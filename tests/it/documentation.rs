//! The documentation against the program: `REFERENCE.md` names every command, key and call that there is, and none that is not;
//! what the texts tell a reader to type is understood; and no link leads nowhere.
//!
//! The chapters of commands and calls are made here, with `GOLDEN=write` and `--test-threads 1`.

use clap::{Arg, Command};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use wasl::adapter::net::Net;
use wasl::adapter::{ADAPTERS, build, kinds};
use wasl::api::access::Access;
use wasl::api::routes::{ROUTES, Verb};
use wasl::diag::{Diagnostics, Source};
use wasl::policy::{self, PolicyFiles};
use wasl::probe;
use wasl::settings::{Resolver, Settings};

/// The texts that people read.
const TEXTS: [&str; 6] = [
    "README.md",
    "README.ar.md",
    "REFERENCE.md",
    "packaging/README.md",
    "policies/README.md",
    "dashboards/README.md",
];

/// What the sample leaves out: a gateway that is described by the file alone, and who is told.
const MORE: &str = r#"
[notices]
[[operator]]
name = "amal"
[[gateway]]
name = "described"
channel = "sms"
adapter = "sms-http"
[gateway.request]
life = {}
gsm = {}
unicode = {}
[[gateway.answer]]
then = "accepted"
id = {}
"#;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

// === chapters that are made ===

/// Holds the part between two marks of `REFERENCE.md` to what is made; with `GOLDEN=write` it is written.
fn check_chapter(name: &str, made: &str) {
    let (whole, begin) = (text("REFERENCE.md"), format!("<!-- {name}: written by the test -->\n"));
    let (before, rest) = whole.split_once(&begin).expect("the mark");
    let (chapter, after) = rest.split_once("<!-- end -->").expect("its end");
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        let whole = format!("{before}{begin}{made}<!-- end -->{after}");
        fs::write(root().join("REFERENCE.md"), whole).expect("written");
        return;
    }
    let advice = "GOLDEN=write cargo test --locked --test it -- documentation --test-threads 1";
    for (made, written) in made.lines().zip(chapter.lines()) {
        assert_eq!(written, made, "REFERENCE.md, {name}: write it anew by {advice}");
    }
    assert_eq!(
        chapter.lines().count(),
        made.lines().count(),
        "REFERENCE.md, {name}: write it anew by {advice}"
    );
}

fn leaves(path: &str, command: &Command, visit: &mut dyn FnMut(&str, &Command)) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        let path = format!("{path} {}", sub.get_name());
        match sub.has_subcommands() {
            true => leaves(&path, sub, visit),
            false => visit(&path, sub),
        }
    }
}

fn command_line() -> Command {
    let mut command = wasl::cli::command();
    command.build();
    command
}

fn own_args(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
}

fn shown(arg: &Arg) -> String {
    let value = || {
        let names =
            arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
        names.unwrap_or_else(|| vec![arg.get_id().as_str().to_uppercase()]).join(" ")
    };
    match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => format!("--{long} {}", value()),
        Some(long) => format!("--{long}"),
        None => value(),
    }
}

#[test]
fn every_command_and_option_is_in_the_reference() {
    let mut made = String::new();
    leaves("wasl", &command_line(), &mut |path, command| {
        let about = command.get_about().unwrap_or_else(|| panic!("`{path}` says nothing about itself"));
        let _ = write!(made, "### `{path}`\n{about}.\n");
        let args: Vec<_> = own_args(command).collect();
        if !args.is_empty() {
            made.push_str("\n| option | what it says |\n| --- | --- |\n");
        }
        for arg in args {
            let help = arg.get_help().unwrap_or_else(|| panic!("`{path}` says nothing about `{arg}`"));
            let mut help = help.to_string().replace('\n', " ").replace('|', "\\|");
            let words: Vec<_> =
                arg.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect();
            if arg.get_action().takes_values() && !words.is_empty() {
                let _ = write!(help, ": {}", words.join(", "));
            }
            if let Some(default) =
                arg.get_default_values().first().filter(|_| arg.get_action().takes_values())
            {
                let _ = write!(help, "; `{}`", default.to_string_lossy());
            }
            let _ = writeln!(made, "| `{}` | {help} |", shown(arg));
        }
        made.push('\n');
    });
    check_chapter("commands", &made);
}

#[test]
fn every_call_is_in_the_reference() {
    let mut made = String::from("| call | role | what it does |\n| --- | --- | --- |\n");
    for route in ROUTES {
        let verb = if route.verb == Verb::Get { "GET" } else { "POST" };
        let role = match route.access {
            Access::Role(role) => role.name().to_owned(),
            Access::Page(role) => format!("{}, at a browser", role.name()),
            Access::Metrics => "viewer, unless `metrics_open`".to_owned(),
            Access::Provider => "a provider, signed or keyed".to_owned(),
            Access::Open | Access::Health => "–".to_owned(),
        };
        let _ = writeln!(made, "| `{verb} {}` | {role} | {} |", route.path, route.summary);
    }
    check_chapter("calls", &made);
}

// === keys ===

/// Reads the keys of the reference, by the heading that they stand under.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let (whole, mut found, mut heading) = (text("REFERENCE.md"), BTreeMap::new(), None);
    for line in whole.lines() {
        if line.starts_with('#') {
            let table = |title: &str| {
                title.trim_start_matches(['`', '[']).split([']', '`']).next().map(str::to_owned)
            };
            heading =
                line.strip_prefix("#### ").and_then(|title| match title.split_once("with `adapter = \"") {
                    Some((_, kind)) => Some(format!("gateway as {}", kind.trim_end_matches(['"', '`']))),
                    None => table(title),
                });
        } else if let (Some(heading), Some(row)) = (&heading, line.strip_prefix("| `")) {
            let key = row.split('`').next().unwrap_or_default().to_owned();
            found.entry(heading.clone()).or_insert_with(BTreeSet::new).insert(key);
        }
    }
    found
}

/// A file in which every table stands that a reader knows, so that it tells its keys. What they say is of no matter.
fn read_all(folder: &Path) -> Diagnostics {
    let mut diags = Diagnostics::default();
    let mut wasl = include_str!("../support/wasl.toml").replace("# tls =", "tls =");
    wasl = wasl.replace("[alertmanager]\n", "[alertmanager]\nseverity_label = \"severity\"\n");
    wasl.push_str(MORE);
    for like in ["kannel", "jasmin", "infobip", "vonage", "sms-gate"] {
        let head = "[[gateway]]\nchannel = \"sms\"\nadapter = \"sms-http\"\nhook_secret = \"0123456789abcdef0123\"\n";
        let _ = writeln!(wasl, "{head}name = \"{like}\"\nlike = \"{like}\"");
    }
    wasl.push_str("[[gateway.canary]]\nto = \"+970599000009\"\n");
    let file = folder.join("wasl.toml");
    fs::write(&file, wasl).expect("written");
    let settings = Settings::read(&file, &kinds(), &mut diags).expect("TOML");
    let net = Net::new(&[Resolver::At(([127, 0, 0, 1], 53).into())]);
    for gateway in settings.gateways {
        drop(build(gateway, &net, &mut diags));
    }
    for kind in ADAPTERS {
        drop(probe::parse(&Source::new(kind.name, kind.probes), &mut diags));
    }
    let probe = |kind: &str| {
        format!(
            "[[probe]]\nkind = \"{kind}\"\ntimeouts = {{}}\nbasic = {{}}\n[probe.expect]\nbody = {{}}\n[[probe.unless]]\n"
        )
    };
    let probes: String =
        ["dns", "tcp", "tls", "http", "api", "smpp", "smtp", "statuspage", "rss", "page"].map(probe).concat();
    drop(probe::parse(&Source::new("probes.toml", probes.as_str()), &mut diags));
    let rules = folder.join("policies");
    fs::create_dir_all(&rules).expect("made");
    fs::write(rules.join("rule.toml"), "[[rule]]\nname = \"x\"\nwhen = {}\n[[rule.step]]\n")
        .expect("written");
    let files = PolicyFiles::read(&rules, &mut diags);
    drop(policy::check(&files, None, &mut diags));
    diags
}

/// The keys that the strict readers ask for, by the headings of the reference.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let diags = read_all(folder.path());
    let adapters: BTreeSet<&str> = ADAPTERS.iter().flat_map(|kind| kind.keys.iter().copied()).collect();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, keys) in diags.known() {
        let mut keys = keys.clone();
        let heading = match path.as_str() {
            // The tables of all three kinds of file: each has a heading of its own.
            "" => continue,
            // A secret's two ways.
            _ if keys == BTreeSet::from(["env", "file"]) => continue,
            "gateway" => {
                keys.retain(|key| !adapters.contains(key));
                "gateway"
            }
            path if path.starts_with("probe.") && keys.contains("at_least") => "A condition",
            path => path,
        };
        // A ready description is a file of its own, with what may stand in a gateway's table.
        let described = ["request", "answer", "receipt", "reply"]
            .contains(&heading.split('.').next().unwrap_or_default());
        let heading = if described { format!("gateway.{heading}") } else { heading.to_owned() };
        let heading = match heading.as_str() {
            // These have the keys of another.
            "gateway.reply.signature" => "gateway.receipt.signature".to_owned(),
            "gateway.request.gsm" | "gateway.request.unicode" => "gateway.request".to_owned(),
            path if path.starts_with("gateway.answer.") && keys.contains("every") => {
                "A condition of an answer".to_owned()
            }
            _ => heading,
        };
        found.entry(heading).or_default().extend(keys.into_iter().map(str::to_owned));
    }
    for kind in ADAPTERS {
        let keys = kind.keys.iter().map(|key| (*key).to_owned()).collect();
        found.insert(format!("gateway as {}", kind.name), keys);
    }
    found
}

#[test]
fn every_key_of_every_file_is_in_the_reference() {
    let (documented, known) = (documented(), known());
    let mut wrong = Vec::new();
    let headings: BTreeSet<&String> = documented.keys().chain(known.keys()).collect();
    let none = BTreeSet::new();
    for heading in headings {
        let (told, read) = (documented.get(heading).unwrap_or(&none), known.get(heading).unwrap_or(&none));
        wrong.extend(
            read.difference(told).map(|key| format!("[{heading}] {key}: read, and not in REFERENCE.md")),
        );
        wrong.extend(
            told.difference(read)
                .map(|key| format!("[{heading}] {key}: in REFERENCE.md, and nobody reads it")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_table_of_a_file_has_a_heading() {
    let folder = tempfile::tempdir().expect("a folder");
    let diags = read_all(folder.path());
    let documented = documented();
    // A ready description of a gateway is a file of its own, with a gateway's keys at its top.
    let of_gateway = |key: &str| key == "base_url" || documented["gateway as sms-http"].contains(key);
    let tables = diags.known()[""].iter().filter(|table| !of_gateway(table));
    let without: Vec<_> = tables.filter(|table| !documented.contains_key(**table)).collect();
    assert!(without.is_empty(), "REFERENCE.md tells nothing of {without:?}");
}

// === what a reader would type, and where a reader would go ===

/// The lines of a text's fenced blocks, continued lines joined, without their comments.
fn typed(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        for line in block.replace("\\\n", " ").lines() {
            lines.push(line.split(" # ").next().unwrap_or_default().trim().to_owned());
        }
    }
    lines
}

#[test]
fn what_the_texts_tell_to_type_is_understood() {
    let mut options = BTreeMap::new();
    leaves("wasl", &command_line(), &mut |path, command| {
        let known: BTreeSet<String> =
            own_args(command).filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
        options.insert(path.to_owned(), known);
    });
    let mut found = 0;
    for name in TEXTS {
        for line in typed(&text(name)).iter().filter_map(|line| line.strip_prefix("sudo ").or(Some(line))) {
            if !line.starts_with("wasl ") {
                continue;
            }
            let of = |path: &&String| line == path.as_str() || line.starts_with(&format!("{path} "));
            let command = options.keys().filter(of).max_by_key(|path| path.len());
            let command = command.unwrap_or_else(|| panic!("{name}: there is no command for `{line}`"));
            for option in line.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(options[command].contains(option), "{name}: `{command}` has no `{option}`");
            }
            found += 1;
        }
    }
    assert!(found > 20, "only {found} lines were found");
}

#[test]
fn both_readmes_lead_to_the_same_commands() {
    let (english, arabic) = (typed(&text("README.md")), typed(&text("README.ar.md")));
    for command in ["cargo run --release -- demo", "tests/run"] {
        for lines in [&english, &arabic] {
            assert!(lines.iter().any(|line| line == command), "{command}");
        }
    }
    assert!(text("README.md").contains("(README.ar.md)") && text("README.ar.md").contains("(README.md)"));
}

#[test]
fn no_link_leads_nowhere() {
    for name in TEXTS {
        let folder = root().join(name).parent().expect("a folder").to_owned();
        for (_, rest) in text(name).match_indices("](").map(|(at, _)| (at, text(name)[at + 2..].to_owned())) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.contains("://") || target.is_empty() {
                continue;
            }
            assert!(folder.join(target).exists(), "{name} leads to {target}, which is not there");
        }
    }
}
