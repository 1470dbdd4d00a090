//! What is shipped around the program: the package's files are there, the unit and the container start it by options that it has
//! and it does what they rely on, every example is sound, and the small one's steps deliver a message.

use crate::support::process::{PATIENCE, WASL, start_by, wasl_run, write};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wasl::emulator::tls::Authority;
use wasl::emulator::{Common, sms_http, smtp, telegram};
use wasl::runtime::configuration::Configuration;

/// The examples, each a folder of `packaging/examples`.
const EXAMPLES: [&str; 3] = ["ngo", "hospital", "civil-defence"];
/// Secrets by the keys that name their files, of the form that each provider gives.
const SECRETS: [(&str, &str); 5] = [
    ("bot_token", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"),
    ("url", "https://log.hospital.example/in/9f2c"),
    ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("password", "8-octets"),
    ("heartbeat_url", "https://watch.example.net/ping/9f2c"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn wasl(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(WASL);
    command.args(args).current_dir(folder).envs(environment.iter().copied());
    let output = command.output().expect("it runs");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

// === the package ===

/// Returns the files that an asset's pattern names.
fn files_of(pattern: &str) -> Vec<PathBuf> {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let Some((before, after)) = name.split_once('*') else {
        return Some(root().join(pattern)).filter(|path| path.is_file()).into_iter().collect();
    };
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_file()));
    paths
        .filter(|path| path.to_str().is_some_and(|p| p.ends_with(after) && p.contains(&format!("/{before}"))))
        .collect()
}

#[test]
fn every_file_of_the_package_is_there_or_is_made() {
    let manifest: toml::Table = text("Cargo.toml").parse().expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let build = text("packaging/debian/build");
    let mut installed = BTreeSet::new();
    for asset in deb["assets"].as_array().expect("a list") {
        let of = |at: usize| asset[at].as_str().expect("a text");
        let (source, target) = (of(0), of(1));
        let name = source.rsplit('/').next().expect("a name");
        if let Some(made) = source.strip_prefix("target/package/") {
            let made = made.split_once('*').map_or(made, |(folder, _)| folder.trim_end_matches('/'));
            assert!(build.contains(&format!("\"$made/{made}\"")), "nobody makes {source}");
        } else if source != "target/release/wasl" {
            assert!(!files_of(source).is_empty(), "{source} is nowhere");
        }
        for path in files_of(source) {
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
            installed.insert(if target.ends_with('/') {
                format!("/{target}{name}")
            } else {
                format!("/{target}")
            });
        }
        assert!(
            target.ends_with('/')
                || target.ends_with(name)
                || target.ends_with("wasl")
                || target.ends_with(".md")
        );
    }
    let kept: BTreeSet<String> = deb["conf-files"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    let in_etc: BTreeSet<String> = installed.into_iter().filter(|path| path.starts_with("/etc/")).collect();
    assert_eq!(in_etc, kept, "what lies in /etc is the admin's: an upgrade asks before it is changed");
    for script in ["postinst", "postrm"] {
        let script = text(&format!("packaging/debian/{script}"));
        assert!(script.starts_with("#!/bin/sh\n") && script.contains("#DEBHELPER#"));
    }
}

#[test]
fn the_program_writes_its_manual_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = wasl(folder.path(), &["man", "man/man1"], &[]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let page = |name: &str| fs::read_to_string(folder.path().join("man/man1").join(name)).unwrap();
    assert!(page("wasl.1").contains("wasl\\-send"), "{}", page("wasl.1"));
    assert!(
        page("wasl-send.1").contains("\\-\\-dry\\-run")
            && page("wasl-policy-explain.1").contains("\\-\\-severity")
    );
    write(folder.path(), "file", "");
    assert_eq!(wasl(folder.path(), &["man", "file/man1"], &[]).0, Some(1));
    for shell in ["bash", "zsh", "fish"] {
        let (code, said) = wasl(folder.path(), &["completions", shell], &[]);
        assert!(code == Some(0) && said.contains("dry-run"), "{shell}");
    }
}

// === the unit and the container ===

/// The command of the unit.
fn unit_command() -> Vec<String> {
    let unit = text("packaging/systemd/wasl.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn unit_and_container_start_it_by_options_that_it_has() {
    let file = text("packaging/container/Containerfile");
    let command = file.lines().rev().find_map(|line| line.strip_prefix("CMD ")).expect("a command");
    let mut container = vec!["/usr/bin/wasl".to_owned()];
    container.extend(serde_json::from_str::<Vec<String>>(command).expect("a list"));
    assert_eq!(container, unit_command(), "both run it in the same way");
    wasl::cli::command().try_get_matches_from(&container).expect("it understands them");
    for copied in
        file.lines().filter_map(|line| line.strip_prefix("COPY ").filter(|rest| !rest.starts_with("--")))
    {
        let sources: Vec<_> = copied.split_whitespace().collect();
        for source in &sources[..sources.len() - 1] {
            assert!(root().join(source).exists(), "{source} is copied and is not there");
        }
    }
}

/// A service as systemd starts it: nothing in its environment but the two variables, both outputs kept.
struct Managed {
    child: Child,
    socket: UnixDatagram,
}

impl Managed {
    fn start(folder: &Path) -> Managed {
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let own = |path: &str| path.replace("/etc/wasl", ".").replace("/var/lib/wasl", "./state");
        let child = Command::new(WASL)
            .args(unit_command()[1..].iter().map(|word| own(word)))
            .current_dir(folder)
            .env_clear()
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .env("WATCHDOG_USEC", "400000")
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.join("stdout")).unwrap())
            .stderr(fs::File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Managed { child, socket }
    }

    /// Waits until it has told this of itself.
    fn tells(&self, what: &str) {
        let (began, mut buffer) = (Instant::now(), [0; 512]);
        while began.elapsed() < PATIENCE {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{what}: {error}"));
            if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == what) {
                return;
            }
        }
        panic!("it never says {what}");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_serves_a_service_manager_and_keeps_its_first_token_out_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "wasl.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"state/store\"\nreserve = \"1MiB\"\n",
    );
    fs::create_dir(folder.path().join("state")).unwrap();
    let mut service = Managed::start(folder.path());
    service.tells("READY=1");
    service.tells("WATCHDOG=1");
    let token = folder.path().join("state/first-token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(&token).unwrap();
    assert!(token.starts_with("wasl_") && token.ends_with('\n'));
    service.signal("-HUP");
    service.tells("RELOADING=1");
    service.tells("READY=1");
    service.signal("-TERM");
    service.tells("STOPPING=1");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    let said =
        ["stdout", "stderr"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap()).concat();
    assert!(!said.contains(token.trim()) && said.contains("first-token"), "{said}");
}

#[test]
fn a_first_token_that_cannot_be_written_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "wasl.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"store\"\nreserve = \"1MiB\"\n",
    );
    let service = Managed::start(folder.path());
    service.tells("READY=1");
    // There is no folder `state`.
    let printed = fs::read_to_string(folder.path().join("stdout")).unwrap();
    assert!(printed.starts_with("wasl_"), "{printed}");
}

// === the examples ===

/// Puts an example where the package would, over the shipped rules, with a file for each secret that it names.
fn site(example: &str, folder: &Path) -> String {
    let copy = |from: &str| {
        for path in files_of(&format!("{from}/*.toml")) {
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            write(folder, &format!("policies/{name}"), &fs::read_to_string(&path).unwrap());
        }
    };
    copy("policies");
    copy(&format!("packaging/examples/{example}/policies"));
    let wasl = text(&format!("packaging/examples/{example}/wasl.toml"));
    for line in wasl.lines() {
        let Some((key, rest)) = line.split_once('=') else { continue };
        let Some(name) = rest.split_once("{ file = \"").and_then(|(_, rest)| rest.split('"').next()) else {
            continue;
        };
        let secret = SECRETS
            .iter()
            .find(|(known, _)| *known == key.trim())
            .map_or("a-secret-of-ours-2026", |(_, s)| s);
        write(folder, name, &format!("{secret}\n"));
    }
    let made = rcgen::generate_simple_self_signed(vec!["alerts.hospital.example".to_owned()]).expect("made");
    write(folder, "tls/alerts.pem", &made.cert.pem());
    write(folder, "tls/hospital-ca.pem", &made.cert.pem());
    write(folder, "secrets/tls-key", &made.signing_key.serialize_pem());
    wasl
}

#[test]
fn every_example_is_sound() {
    let mut shipped: Vec<_> = fs::read_dir(root().join("packaging/examples")).unwrap().collect();
    assert_eq!(shipped.drain(..).count(), EXAMPLES.len(), "each example is tried here");
    for example in EXAMPLES {
        let folder = tempfile::tempdir().unwrap();
        let wasl_toml = site(example, folder.path());
        write(folder.path(), "wasl.toml", &wasl_toml);
        let (code, said) = wasl(folder.path(), &["check", "--config", "wasl.toml"], &[]);
        assert!(code == Some(0) && said.contains("0 errors"), "{example}: {said}");
        let (set, diags) = Configuration::load(&folder.path().join("wasl.toml"), &[]);
        assert!(set.is_some_and(|set| set.lineup.len() >= 3), "{example}");
        // A rule may name channels that this organisation does not have: the shipped ones name all.
        let codes: BTreeSet<_> = diags.sorted().iter().map(|diagnostic| diagnostic.code).collect();
        assert!(codes.is_subset(&BTreeSet::from(["no-gateway"])), "{example}: {diags}");
        assert!(
            wasl_toml.contains("path    = \"/var/lib/wasl/store\""),
            "{example}: where the unit may write"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_steps_of_the_small_example_deliver_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let bot = telegram::start(telegram::Options::default()).await.unwrap();
    let authority = Authority::new().unwrap();
    let common = Common { tls: Some(authority.identity(&["127.0.0.1"])), ..Common::default() };
    let login = Some(("alerts@example.org".to_owned(), SECRETS[3].1.to_owned()));
    let post = smtp::start(smtp::Options { common, login, ..smtp::Options::default() }).await.unwrap();
    let known = sms_http::Options::of(sms_http::Dialect::SmsGate);
    let phone = sms_http::Options { username: "sms".to_owned(), password: SECRETS[3].1.to_owned(), ..known };
    let phone = sms_http::start(phone).await.unwrap();

    // The file as it is shipped, but for where the providers, the line's controls and the folder of the store are.
    let line = |text: &str, key: &str, new: &str| {
        let old =
            text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key}")).to_owned();
        text.replacen(&old, new, 1)
    };
    let mut text = site("ngo", folder.path());
    let at = |adapter: &str, address| format!("adapter = \"{adapter}\"\nbase_url = \"http://{address}\"");
    text = text.replace("adapter         = \"telegram-bot\"", &at("telegram-bot", bot.addr()));
    text = line(
        &text,
        "host  ",
        &format!("host = \"127.0.0.1\"\nport = {}\nca_file = \"ca.pem\"", post.addr().port()),
    );
    text = line(&text, "base_url   ", &format!("base_url = \"http://{}\"", phone.addr()));
    let controls = [bot.addr(), post.addr(), phone.addr()].map(|address| format!("tcp:{address}"));
    text = line(&text, "controls", &format!("controls = {controls:?}"));
    text = line(&text, "listen", "listen = \"127.0.0.1:0\"");
    text = line(&text, "path  ", "path = \"store\"");
    write(folder.path(), "ca.pem", authority.ca_pem());
    write(folder.path(), "secrets/telegram-token", &telegram::Options::default().token);
    write(folder.path(), "wasl.toml", &text);
    write(
        folder.path(),
        "people.csv",
        "id,name,language,audiences,telegram,sms,email\n\
         amal,Amal,ar,volunteers,8123456789,,\n\
         badr,Badr,en,volunteers,,+970599000002,\n\
         carla,Carla,en,volunteers,,,carla@example.net\n",
    );
    let (code, said) = wasl(folder.path(), &["check"], &[]);
    assert_eq!(code, Some(0), "{said}");
    let service = start_by(folder.path(), wasl_run()).await;
    let environment = [("WASL_TOKEN", service.token()), ("WASL_URL", service.base())];
    let (code, said) = wasl(folder.path(), &["contacts", "import", "people.csv"], &environment);
    assert_eq!(code, Some(0), "{said}");
    let send = [
        "send",
        "--audience",
        "volunteers",
        "--severity",
        "minor",
        "--lang",
        "ar",
        "--text",
        "تجربة من وصل.",
        "--lang",
        "en",
        "--text",
        "A test from Wasl.",
    ];
    let (code, said) = wasl(folder.path(), &send, &environment);
    assert_eq!(code, Some(0), "{said}");
    let began = Instant::now();
    loop {
        let (chat, text, mail) = (bot.received(), phone.received(), post.received());
        if let ([chat], [text], [mail]) = (chat.as_slice(), text.as_slice(), mail.as_slice()) {
            assert!(chat.text.contains("تجربة من وصل."), "in the reader's language");
            assert!(text.text.contains("A test from Wasl.") && mail.text.contains("A test from Wasl."));
            break;
        }
        let counts = (chat.len(), text.len(), mail.len());
        assert!(began.elapsed() < PATIENCE, "{counts:?}: {}", service.said());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    service.stop().await;
}
