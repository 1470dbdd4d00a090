//! The signatures of webhooks beside other people's libraries: Twilio's own validator and `pywa` for WhatsApp, on thousands
//! of random calls. What they take we take, what they refuse we refuse; and the emulators sign as they do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wasl::adapter::HookRequest;
use wasl::emulator::{twilio, whatsapp};

use crate::support::adapters::Sender;
use crate::support::skip::skip;
use crate::support::tables::Table;

/// How many random calls; each comes spoilt in several ways as well.
const CALLS: usize = 2_000;
const REMEDY: &str = "python3 -m pip install --target .cache/pypi twilio pywa";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// What we may be called from outside: plain, with ports, below a path.
const PUBLIC: [&str; 5] = [
    "https://alerts.example.org",
    "https://alerts.example.org:8443",
    "https://alerts.example.org:443/wasl",
    "http://192.0.2.7",
    "http://192.0.2.7:8080",
];

/// Returns the folder of Python packages, if it holds this one and there is a Python to run it.
fn packages(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("WASL_PYTHONPATH").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/pypi"));
    let python =
        Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (folder.join(name).is_dir() && python.is_ok_and(|status| status.success())).then_some(folder)
}

/// Runs the script; returns what it says, a line each.
fn script(packages: &Path, words: &[&str], input: &[Value]) -> Vec<Value> {
    let mut child = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/signatures.py"))
        .args(words)
        .env("PYTHONPATH", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = child.stdin.take().expect("piped");
    let input: String = input.iter().map(|line| format!("{line}\n")).collect();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let said = child.wait_with_output().expect("it ends");
    assert!(said.status.success(), "the script failed");
    writing.join().expect("no panic").expect("it reads all");
    let text = String::from_utf8(said.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn call(query: &str, header: &str, signature: &str, body: Vec<u8>) -> HookRequest {
    HookRequest {
        method: "POST".into(),
        path: String::new(),
        query: query.into(),
        headers: vec![(header.into(), signature.into())],
        body,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}

/// A sequence that looks random and is the same each time.
struct Lots(u64);

impl Lots {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn text(&mut self, most: usize) -> String {
        const LETTERS: [char; 16] =
            ['a', 'Z', '0', ' ', '+', '&', '=', '%', '\n', '"', 'س', 'ي', 'ل', '🌊', 'é', '/'];
        (0..self.next(most)).map(|_| LETTERS[self.next(LETTERS.len())]).collect()
    }

    /// Turns one bit over.
    fn flipped(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.next(bytes.len());
        bytes[at] ^= 1 << self.next(8);
        bytes
    }
}

#[test]
fn twilios_own_validator_and_we_say_the_same() {
    let Some(packages) = packages("twilio") else {
        return skip("third_party_signatures::twilios_own_validator_and_we_say_the_same", REMEDY);
    };
    let gateway = Table::twilio("g", "http://127.0.0.1:1").text("auth_token", TOKEN);
    let ours: Vec<_> = PUBLIC.iter().map(|url| Sender::build_called(&gateway, url)).collect();
    let urls: Vec<_> = PUBLIC.iter().map(|url| format!("{url}/hooks/g")).collect();
    let (count, mut words) = (CALLS.to_string(), vec!["twilio", "make"]);
    words.extend([count.as_str(), "7", TOKEN]);
    words.extend(urls.iter().map(String::as_str));
    let calls = script(&packages, &words, &[]);
    assert_eq!(calls.len(), CALLS * 5);
    let mut good = 0;
    for one in &calls {
        let place = one["url"].as_u64().expect("a place") as usize;
        let signature = text(one, "signature");
        let request = call(text(one, "query"), "x-twilio-signature", signature, text(one, "body").into());
        let is_taken = ours[place].adapter.hook(&request).result != "bad_signature";
        assert_eq!(json!(is_taken), one["valid"], "{one}");
        good += usize::from(is_taken);
    }
    assert!((CALLS..CALLS * 2).contains(&good), "{good} of {} are good", calls.len());
}

#[test]
fn twilios_own_validator_takes_what_the_emulator_signs() {
    let Some(packages) = packages("twilio") else {
        return skip("third_party_signatures::twilios_own_validator_takes_what_the_emulator_signs", REMEDY);
    };
    const NAMES: [&str; 8] = ["MessageSid", "MessageStatus", "To", "From", "ErrorCode", "a", "A", "ab"];
    let mut lots = Lots(11);
    let mut signed = Vec::new();
    for n in 0..CALLS {
        let url = format!("{}/hooks/g?attempt={n}", PUBLIC[lots.next(PUBLIC.len())]);
        let from = lots.next(NAMES.len());
        let named: Vec<_> = NAMES[from..].iter().map(|name| (*name, lots.text(40))).collect();
        let good = twilio::signature(TOKEN, &url, &named);
        let bad = STANDARD.encode(lots.flipped(STANDARD.decode(&good).expect("base64")));
        for signature in [good, bad] {
            signed.push(json!({"url": url, "parameters": named, "signature": signature}));
        }
    }
    let verdicts = script(&packages, &["twilio", "judge", TOKEN], &signed);
    assert_eq!(verdicts.len(), CALLS * 2);
    assert!(verdicts.chunks(2).all(|pair| *pair == [json!(true), json!(false)]), "{verdicts:?}");
}

#[test]
fn pywa_and_we_say_the_same_of_whatsapps_signatures() {
    let Some(packages) = packages("pywa") else {
        return skip("third_party_signatures::pywa_and_we_say_the_same_of_whatsapps_signatures", REMEDY);
    };
    let gateway = Table::whatsapp("g", "http://127.0.0.1:1").known();
    let (adapter, known) = (Sender::build(&gateway).adapter, whatsapp::Options::default());
    let calls = script(&packages, &["whatsapp", "make", &CALLS.to_string(), "7", &known.app_secret], &[]);
    assert_eq!(calls.len(), CALLS * 3);
    let body = |one: &Value| STANDARD.decode(text(one, "body")).expect("base64");
    for one in &calls {
        let request = call("", "x-hub-signature-256", text(one, "signature"), body(one));
        let is_taken = adapter.hook(&request).result != "bad_signature";
        assert_eq!(json!(is_taken), one["valid"], "{one}");
    }
    assert_eq!(calls.iter().filter(|one| one["valid"] == true).count(), CALLS);

    let mut lots = Lots(13);
    let mut signed = Vec::new();
    for _ in 0..CALLS {
        let body = json!({ lots.text(9): lots.text(200) }).to_string().into_bytes();
        let signature = whatsapp::signature(&known.app_secret, &body);
        let spoilt = lots.flipped(body.clone());
        for body in [body, spoilt] {
            signed.push(json!({"body": STANDARD.encode(body), "signature": signature}));
        }
    }
    let verdicts = script(&packages, &["whatsapp", "judge", &known.app_secret], &signed);
    assert_eq!(verdicts.len(), CALLS * 2);
    assert!(verdicts.chunks(2).all(|pair| *pair == [json!(true), json!(false)]), "{verdicts:?}");
}
