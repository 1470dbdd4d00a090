//! `wasl doctor` as somebody meets it at three in the morning: what is wrong is named, with what to type, and no secret is shown.

use crate::emulators::raw::request;
use crate::support::process::{self, WASL, write};
use crate::support::tables::{Table, file};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use wasl::emulator::tls::{Authority, Certificate};
use wasl::emulator::whatsapp::Template;
use wasl::emulator::{Common, Fault, Mix, TlsFault, dns, telegram, whatsapp};

const RULES: &str = "[[rule]]\nname = \"all\"\n[[rule.step]]\nchannels = [\"telegram\"]\n";

/// What a doctor said, and its exit code.
struct Said {
    code: Option<i32>,
    text: String,
    findings: Vec<Value>,
}

impl Said {
    /// Looks for a finding of a check on this level that has these words in it or in its remedy.
    #[track_caller]
    fn tells(&self, level: &str, check: &str, words: &[&str]) {
        let has = |finding: &Value| {
            let all =
                format!("{} {}", finding["what"].as_str().unwrap(), finding["remedy"].as_str().unwrap_or(""));
            finding["level"] == level
                && finding["check"] == check
                && words.iter().all(|word| all.contains(word))
        };
        assert!(self.findings.iter().any(has), "{level} {check} {words:?}: {}", self.text);
    }
}

/// Asks, for people and for programs, and looks at what holds of every answer.
fn doctor(folder: &Path, secret: &str, envs: &[(&str, &str)]) -> Said {
    let ask = |more: &[&str]| {
        let mut command = Command::new(WASL);
        command.args(["doctor", "--config", "wasl.toml"]).args(more).current_dir(folder).stdin(Stdio::null());
        command.env_remove("WASL_URL").env_remove("WASL_TOKEN").envs(envs.iter().copied()).output().unwrap()
    };
    let output = ask(&["--json"]);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    let findings = said["findings"].as_array().unwrap().clone();
    for finding in &findings {
        assert_eq!(finding["level"] == "ok", finding["remedy"].is_null(), "what to do: {finding}");
    }
    let faults = findings.iter().any(|finding| finding["level"] == "fault");
    assert_eq!((output.status.code(), &said["ok"]), (Some(i32::from(faults)), &json!(!faults)), "{text}");
    let drawn = String::from_utf8(ask(&[]).stdout).unwrap();
    assert!(drawn.contains("faults: "), "{drawn}");
    assert!(!text.contains(secret) && !drawn.contains(secret), "a secret is shown: {drawn}");
    Said { code: output.status.code(), text, findings }
}

/// A site with a bot whose token lies in a file.
fn site(folder: &Path, base_url: &str, token: &str, more: &[Table]) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let bot = Table::telegram("bot", base_url).plain("bot_token", "{ file = \"secrets/token\" }");
    let tables = [Table::server(), Table::store(), bot].into_iter().chain(more.iter().cloned());
    write(folder, "wasl.toml", &file(tables));
    write(folder, "policies/all.toml", RULES);
    write(folder, "secrets/token", &format!("{token}\n"));
    fs::set_permissions(folder.join("secrets/token"), Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let provider = telegram::start(telegram::Options::default()).await.unwrap();
    let token = telegram::Options::default().token;
    let url = format!("http://{}", provider.addr());
    site(folder.path(), &url, &token, &[]);
    let well = doctor(folder.path(), &token, &[]);
    assert_eq!(well.code, Some(0), "{}", well.text);
    well.tells("ok", "gateway", &["bot answers"]);
    well.tells("ok", "secrets", &[]);
    well.tells("ok", "policies", &[]);
    well.tells("warning", "heartbeat", &["[notices]", "heartbeat_url"]);
    well.tells("warning", "operators", &["[[operator]]"]);
    well.tells("warning", "uplink", &["[[uplink]]", "controls"]);
    well.tells("unasked", "service", &["no service answers", "systemctl start wasl"]);
    assert!(!folder.path().join("var").exists(), "it writes nothing");

    // A secret that everybody may read, and one that the provider does not know.
    let secret = folder.path().join("secrets/token");
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let open = doctor(folder.path(), &token, &[]);
    open.tells("fault", "secrets", &["secrets/token", "chmod o= secrets/token"]);
    assert!(
        Command::new("chmod")
            .args(["o=", "secrets/token"])
            .current_dir(folder.path())
            .status()
            .unwrap()
            .success()
    );
    doctor(folder.path(), &token, &[]).tells("ok", "secrets", &["1"]);
    let wrong = token.replace(':', ":X");
    site(folder.path(), &url, &wrong, &[]);
    let refused = doctor(folder.path(), &wrong, &[]);
    refused.tells("fault", "gateway", &["bot", "credentials", "wasl.toml:", "wasl probe bot"]);
    // Nobody listens there.
    site(folder.path(), "http://127.0.0.1:1", &token, &[]);
    doctor(folder.path(), &token, &[]).tells("fault", "gateway", &["tcp", "refused", "wasl.toml:"]);

    // The files: a mistake is told with its line, and the rest is looked at all the same.
    site(folder.path(), &url, &token, &[]);
    write(folder.path(), "policies/all.toml", &RULES.replace("telegram", "telegramm"));
    let mistaken = doctor(folder.path(), &token, &[]);
    mistaken.tells("fault", "configuration", &["all.toml:4", "did you mean `telegram`"]);
    mistaken.tells("ok", "gateway", &["bot answers"]);
    write(
        folder.path(),
        "policies/all.toml",
        "[[rule]]\nname = \"x\"\nwhen = { severity = [\"extreme\"] }\n[[rule.step]]\nchannels = [\"telegram\"]\n",
    );
    doctor(folder.path(), &token, &[]).tells("warning", "policies", &["severe", "minor", "add a rule"]);
    fs::remove_file(folder.path().join("wasl.toml")).unwrap();
    let nothing = doctor(folder.path(), &token, &[]);
    nothing.tells("fault", "configuration", &["wasl.toml"]);
    nothing.tells("unasked", "the rest", &["--config"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_machine_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let provider = telegram::start(telegram::Options::default()).await.unwrap();
    let token = telegram::Options::default().token;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Another program, which answers in its own way: one that stayed silent would only be waited for.
    std::thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            let _ =
                caller.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let url = format!("http://{}", provider.addr());
    site(folder.path(), &url, &token, &[]);
    let text = fs::read_to_string(folder.path().join("wasl.toml")).unwrap();
    let text = text.replace("127.0.0.1:0", &format!("127.0.0.1:{port}")).replace("1MiB", "900000GiB");
    write(folder.path(), "wasl.toml", &text);
    let store = folder.path().join("var");
    fs::create_dir_all(&store).unwrap();
    fs::set_permissions(&store, Permissions::from_mode(0o755)).unwrap();
    fs::write(store.join("restoring"), "").unwrap();
    fs::write(store.join("outbox.redb"), "").unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(7_200);
    fs::File::options().write(true).open(store.join("outbox.redb")).unwrap().set_modified(later).unwrap();
    let said = doctor(folder.path(), &token, &[]);
    said.tells("fault", "store", &["others than its owner", "chmod 700 var"]);
    said.tells("fault", "store", &["half of a backup", "wasl restore"]);
    said.tells("fault", "clock", &["behind", "timedatectl"]);
    said.tells("fault", "address", &["something else listens", &port.to_string(), "ss -ltnp"]);
    said.tells("fault", "disk", &["no message is taken", "reserve"]);
    said.tells("unasked", "service", &["no service answers", &port.to_string()]);
    let alone = [Table::new("[[operator]]").text("name", "amal").text("email", "amal@example.org")];
    site(folder.path(), &url, &token, &alone);
    let said = doctor(folder.path(), "amal@example.org", &[]);
    said.tells("fault", "operators", &["amal", "no gateway sends e-mail"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_is_asked_what_it_alone_knows() {
    let folder = tempfile::tempdir().unwrap();
    let provider = telegram::start(telegram::Options::default()).await.unwrap();
    let token = telegram::Options::default().token;
    let officer = [Table::new("[[operator]]").text("name", "amal").text("contact", "duty-officer")];
    site(folder.path(), &format!("http://{}", provider.addr()), &token, &officer);
    let process = process::start_by(folder.path(), process::wasl_run()).await;
    let known = [("WASL_URL", process.base())];
    doctor(folder.path(), process.token(), &known).tells(
        "unasked",
        "service",
        &["without a token", "--token-file"],
    );
    let known = [("WASL_URL", process.base()), ("WASL_TOKEN", process.token())];
    process.post("/v1/hold", &json!({"reason": "wrong text"})).await;
    let said = doctor(folder.path(), process.token(), &known);
    said.tells("ok", "service", &["is ready"]);
    said.tells("ok", "store", &["is open in process"]);
    said.tells("ok", "version", &[env!("CARGO_PKG_VERSION")]);
    said.tells("warning", "held", &["wrong text", "wasl release --all"]);
    said.tells("warning", "address book", &["wasl contacts import"]);
    said.tells("warning", "backup", &["none is on record", "wasl backup"]);
    said.tells("fault", "operators", &["duty-officer", "wasl contacts import"]);
    process.post("/v1/release", &json!({"reason": "put right"})).await;
    let contact = json!({"id": "duty-officer", "name": "Amal", "telegram": "81234567"});
    process.post("/v1/contacts", &json!({"contacts": [contact]})).await;
    let key = folder.path().join("key");
    let taken = Command::new(WASL)
        .args(["backup", folder.path().to_str().unwrap(), "--new-key", "--key-file", key.to_str().unwrap()])
        .envs(known)
        .output()
        .unwrap();
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let said = doctor(folder.path(), "81234567", &known);
    said.tells("ok", "held", &[]);
    said.tells("ok", "backup", &["the last one was taken at"]);
    said.tells("ok", "operators", &["amal is in the address book"]);
    let messages = process.get("/v1/messages").await;
    assert_eq!(messages["messages"], json!([]), "it sent nothing: {messages}");
    process.stop().await;
    doctor(folder.path(), &token, &[]).tells("ok", "store", &["no process has it open"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_and_subscriptions_are_asked_of_the_provider() {
    let folder = tempfile::tempdir().unwrap();
    let options = whatsapp::Options::default();
    let (token, waba) = (options.token.clone(), options.waba_id.clone());
    let provider = whatsapp::start(options).await.unwrap();
    let site = |waba: Option<&str>| {
        let number = Table::whatsapp("wa", format_args!("http://{}", provider.addr())).known();
        let number = waba.map_or(number.clone(), |waba| number.text("waba_id", waba));
        write(folder.path(), "wasl.toml", &file([Table::server(), Table::store(), number]));
        write(folder.path(), "policies/all.toml", &RULES.replace("telegram", "whatsapp"));
    };
    site(None);
    doctor(folder.path(), &token, &[]).tells("unasked", "templates", &["wa", "waba_id = "]);

    site(Some(&waba));
    doctor(folder.path(), &token, &[]).tells(
        "fault",
        "templates",
        &["no template is approved", "WhatsApp Manager"],
    );
    // More than a page, and trouble on the last one.
    let mut all: Vec<_> = (0..230).map(|n| Template::new(&format!("alert_{n}"), "ar", "APPROVED")).collect();
    all[229].quality = "RED".into();
    all.push(Template::new("evacuate", "ar", "PAUSED"));
    all.push(Template {
        rejected_reason: "INVALID_FORMAT".into(),
        ..Template::new("flood", "en_US", "REJECTED")
    });
    all.push(Template::new("fire", "ar", "PENDING"));
    all.push(Template::new("gone", "ar", "DISABLED"));
    provider.set_templates(&all);
    let said = doctor(folder.path(), &token, &[]);
    said.tells("ok", "templates", &["approved templates: 230"]);
    said.tells("warning", "templates", &["PAUSED", "evacuate (ar)", "have another"]);
    said.tells("warning", "templates", &["REJECTED", "flood (en_US): INVALID_FORMAT", "edit it"]);
    said.tells("warning", "templates", &["PENDING", "fire (ar)", "do not count on it"]);
    said.tells("warning", "templates", &["DISABLED", "gone (ar)", "appeal"]);
    said.tells("warning", "templates", &["LOW QUALITY", "alert_229 (ar)", "report it"]);
    said.tells("ok", "hooks", &["wa: subscribed apps: Emulated"]);
    provider.set_subscribed(false);
    doctor(folder.path(), &token, &[]).tells(
        "fault",
        "hooks",
        &["wa: no app is subscribed", "subscribed_apps"],
    );
    // Another account's number, or a token that may not look: sending may work all the same.
    site(Some("1"));
    doctor(folder.path(), &token, &[]).tells(
        "unasked",
        "templates",
        &["whatsapp_business_management", "waba_id"],
    );
    assert_eq!(provider.received().len(), 0, "nothing is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegram_says_how_its_webhook_stands() {
    let folder = tempfile::tempdir().unwrap();
    let provider = telegram::start(telegram::Options::default()).await.unwrap();
    let token = telegram::Options::default().token;
    let api = format!("http://{}", provider.addr());
    let site = |updates: &str| {
        let bot = Table::telegram("bot", &api).known().text("updates", updates);
        let bot = bot.text("webhook_secret", "known-to-both");
        let server = Table::server().text("public_url", "http://127.0.0.1:1");
        write(folder.path(), "wasl.toml", &file([server, Table::store(), bot]));
        write(folder.path(), "policies/all.toml", RULES);
    };
    let set = async |url: &str| {
        let body = json!({"url": url, "secret_token": "known-to-both"}).to_string();
        let path = format!("/bot{token}/setWebhook");
        let kind = ("content-type", "application/json");
        let answer = request(provider.addr(), "POST", &path, &[kind], &body).await.unwrap();
        assert_eq!(answer.status, 200);
    };
    site("webhook");
    let ours = "http://127.0.0.1:1/hooks/bot";
    doctor(folder.path(), &token, &[]).tells("fault", "hooks", &["no webhook is set", "setWebhook", ours]);
    set("http://127.0.0.1:1/elsewhere").await;
    doctor(folder.path(), &token, &[]).tells("fault", "hooks", &["is not ours", ours]);
    set(ours).await;
    doctor(folder.path(), &token, &[]).tells("ok", "hooks", &["Telegram calls", ours]);
    site("polling");
    doctor(folder.path(), &token, &[]).tells(
        "fault",
        "hooks",
        &["asking for updates is refused", "deleteWebhook"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_address_is_asked_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let provider = telegram::start(telegram::Options::default()).await.unwrap();
    let token = telegram::Options::default().token;
    let api = format!("http://{}", provider.addr());
    let here = vec![dns::Entry::Address([127, 0, 0, 1].into())];
    let zone = BTreeMap::from([("alerts.example".to_owned(), here)]);
    let names = dns::start(dns::Options { zone, ..dns::Options::default() }).await.unwrap();
    let net = || Table::new("[net]").plain("resolvers", format_args!("[\"{}\"]", names.addr()));
    site(folder.path(), &api, &token, &[net()]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let text = fs::read_to_string(folder.path().join("wasl.toml")).unwrap();
    let led = |public: &str| {
        let server = format!("\"127.0.0.1:{port}\"\npublic_url = \"{public}\"");
        write(folder.path(), "wasl.toml", &text.replacen("\"127.0.0.1:0\"", &server, 1));
    };
    let url = format!("http://alerts.example:{port}");
    led(&url);
    doctor(folder.path(), &token, &[]).tells("unasked", "public address", &[&url, "does not run here"]);
    let process = process::start_by(folder.path(), process::wasl_run()).await;
    let said = doctor(folder.path(), &token, &[]);
    said.tells("ok", "public address", &[&url, "from this machine, not from outside"]);
    led("http://elsewhere.example:1");
    doctor(folder.path(), &token, &[]).tells("fault", "public address", &["dns nxdomain", "your zone"]);
    led("http://alerts.example:1");
    doctor(folder.path(), &token, &[]).tells(
        "fault",
        "public address",
        &["tcp refused", "nothing listens there"],
    );
    led(&format!("https://alerts.example:{port}"));
    doctor(folder.path(), &token, &[]).tells("fault", "public address", &["tls", "curl -v"]);
    led(&format!("http://alerts.example:{}", provider.addr().port()));
    doctor(folder.path(), &token, &[]).tells("fault", "public address", &["is not Wasl", "/hooks/"]);
    names.fault_all(Mix::always(dns::DnsFault::ServFail));
    led(&url);
    doctor(folder.path(), &token, &[]).tells("fault", "public address", &["dns servfail", "resolvectl"]);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_before_the_service_is_told_by_its_certificate_and_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let provider = telegram::start(telegram::Options::default()).await.unwrap();
    let token = telegram::Options::default().token;
    let here = || vec![dns::Entry::Address([127, 0, 0, 1].into())];
    let zone = ["alerts.example", "elsewhere.example"].map(|name| (name.to_owned(), here()));
    let names = dns::start(dns::Options { zone: zone.into(), ..dns::Options::default() }).await.unwrap();
    let net = || Table::new("[net]").plain("resolvers", format_args!("[\"{}\"]", names.addr()));
    site(folder.path(), &format!("http://{}", provider.addr()), &token, &[net()]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let text = fs::read_to_string(folder.path().join("wasl.toml")).unwrap();
    let led = |public: &str| {
        let server = format!("\"127.0.0.1:{port}\"\npublic_url = \"{public}\"");
        write(folder.path(), "wasl.toml", &text.replacen("\"127.0.0.1:0\"", &server, 1));
    };
    led(&format!("http://alerts.example:{port}"));
    let process = process::start_by(folder.path(), process::wasl_run()).await;

    // The service runs, and knows itself by another name.
    led(&format!("http://elsewhere.example:{port}"));
    doctor(folder.path(), &token, &[]).tells("fault", "public address", &["by this name", "`hosts`"]);

    // A proxy whose certificate is bad, told apart by what is bad about it; the machine trusts its authority.
    let authority = Authority::new().unwrap();
    write(folder.path(), "ca.pem", authority.ca_pem());
    let identity = authority.identity(&["alerts.example"]);
    let proxy = whatsapp::Options {
        common: Common { tls: Some(identity), ..Common::default() },
        ..whatsapp::Options::default()
    };
    let proxy = whatsapp::start(proxy).await.unwrap();
    led(&format!("https://alerts.example:{}", proxy.addr().port()));
    let roots = folder.path().join("ca.pem");
    let trusted = [("SSL_CERT_FILE", roots.to_str().unwrap())];
    doctor(folder.path(), &token, &trusted).tells("fault", "public address", &["is not Wasl"]);
    for (kind, words) in [
        (Certificate::Expired, ["tls expired", "timedatectl"]),
        (Certificate::WrongName, ["tls wrong name", "a certificate for that name"]),
    ] {
        proxy.fault(Fault::Tls(Mix::always(TlsFault::Certificate(kind))));
        doctor(folder.path(), &token, &trusted).tells("fault", "public address", &words);
    }
    doctor(folder.path(), &token, &[]).tells(
        "fault",
        "public address",
        &["tls untrusted", "common authority"],
    );

    // A proxy that does not find us.
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    led(&format!("http://alerts.example:{}", gate.local_addr().unwrap().port()));
    let answering = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = gate.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    doctor(folder.path(), &token, &[]).tells(
        "fault",
        "public address",
        &["answers 502", "where the service listens"],
    );
    answering.join().unwrap();
    process.stop().await;
}
