//! Backups: taken while the service works, sealed, refused where a bit is not as it was, and restored into a store from
//! which nothing leaves before somebody says so.

use crate::support::process::{self, PATIENCE, Process, WASL, write};
use crate::support::tables::{Table, file};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wasl::core::time::Timestamp;
use wasl::emulator::smsc;
use wasl::store::{OpenError, Stores};

const RULE: &str = r#"
[[rule]]
name = "all"
expiry = "1h"
  [[rule.step]]
  channels = ["sms"]
"#;

/// How a sealed file is laid out: its head, then chunks of a length, the sealed bytes and their tag.
const HEAD: usize = 8 + 32 + 8;
const CHUNK: usize = 4 + (64 << 10) + 16;

fn site(folder: &Path, centre: &smsc::Handle) {
    let tables = [Table::server(), Table::store(), Table::sms("sms", centre.addr()).known()];
    write(folder, "wasl.toml", &file(tables));
    write(folder, "probes/none.toml", "# Nothing is probed here.\n");
    write(folder, "policies/all.toml", RULE);
}

fn wasl(args: &[&str], at: Option<&Process>) -> Output {
    let mut command = Command::new(WASL);
    command.args(args).env_remove("WASL_URL").env_remove("WASL_TOKEN").stdin(Stdio::null());
    if let Some(process) = at {
        command.env("WASL_URL", process.base()).env("WASL_TOKEN", process.token());
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs what must be refused with this code, in these words.
#[track_caller]
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let output = wasl(args, None);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[track_caller]
fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

fn message(n: u32) -> Value {
    json!({"severity": "severe", "to": [{"sms": format!("+97059{n:07}")}], "text": {"en": format!("flood warning {n}")}})
}

/// Starts a service on a restored store: its tokens are those of the store that was lost.
async fn start_with(folder: &Path, token: &str) -> Process {
    write(folder, "stdout.txt", &format!("{token}\n"));
    process::start_by(folder, process::wasl_run()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_restored_held_and_goes_out_as_copies() {
    let [lost, found] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let centre = smsc::start(smsc::Options::default()).await.unwrap();
    site(lost.path(), &centre);
    let process = Arc::new(process::start_by(lost.path(), process::wasl_run()).await);
    process.post("/v1/gateways/sms/hold", &json!({"reason": "to keep them waiting"})).await;
    let mut waiting = Vec::new();
    for n in 1..=20 {
        waiting.push(process.send(&message(n)).await);
    }
    let soon = Timestamp::from_ms(jiff::Timestamp::now().as_millisecond() + 20_000);
    let mut expiring = message(21);
    expiring["expires"] = json!(jiff::Timestamp::from_millisecond(soon.ms()).unwrap().to_string());
    let expiring = process.send(&expiring).await;

    // The service goes on taking messages while it is backed up.
    let stop = Arc::new(AtomicBool::new(false));
    let stream = tokio::spawn({
        let (process, stop) = (Arc::clone(&process), Arc::clone(&stop));
        async move {
            let mut taken = Vec::new();
            for n in 100.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                taken.push((process.send(&message(n)).await, Instant::now()));
            }
            taken
        }
    });
    let (key, file) = (lost.path().join("backup.key"), lost.path().join("sealed"));
    let (key, file) = (key.to_str().unwrap().to_owned(), file.to_str().unwrap().to_owned());
    let args = ["backup", &file, "--key-file", &key, "--new-key", "--json"].map(str::to_owned);
    let taking = tokio::task::spawn_blocking({
        let process = Arc::clone(&process);
        move || {
            let began = Instant::now();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            (began, wasl(&args, Some(&process)))
        }
    });
    let (began, taken) = taking.await.unwrap();
    let told = done(&taken);
    stop.store(true, Ordering::Relaxed);
    let streamed = stream.await.unwrap();
    assert!(told["rows"].as_u64().unwrap() > 60, "{told}");
    for path in [&file, &key] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{path}");
    }
    let bytes = fs::read(&file).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds("flood warning") && !holds("+97059"), "it is sealed");
    let acts = process.get("/v1/audit?act=backup").await;
    assert_eq!(acts["acts"][0]["who"], "admin", "who took it is on record: {acts}");

    // After the backup everything goes out; then the machine is lost.
    process.post("/v1/gateways/sms/release", &json!({"reason": "go"})).await;
    process.until("all go out", "/v1/deliveries", |_| centre.accepted_count() >= 20).await;
    let token = process.token().to_owned();
    drop(Arc::into_inner(process).expect("nobody else has it"));
    centre.forget();

    site(found.path(), &centre);
    let store = found.path().join("var");
    let restored =
        wasl(&["restore", &file, "--key-file", &key, "--store", store.to_str().unwrap(), "--json"], None);
    let told = done(&restored);
    assert_eq!((&told["held"], &told["audit"]), (&json!(true), &json!("whole")), "{told}");
    assert!(told["open"]["messages"].as_u64().unwrap() >= 21, "{told}");
    for life in ["restored", "restarted"] {
        let process = start_with(found.path(), &token).await;
        let before = streamed.iter().filter(|(_, at)| *at < began).map(|(id, _)| id);
        for id in waiting.iter().chain(before) {
            let shown = process.get(&format!("/v1/messages/{id}")).await;
            assert_eq!(shown["id"], **id, "accepted before the backup, so in it");
        }
        let status = process.get("/v1/status").await;
        let why = status["held"]["reason"].as_str().unwrap_or_default();
        assert!(why.contains("restored from a backup") && why.contains("نسخة احتياطية"), "{life}: {status}");
        process.post("/v1/gateways/sms/release", &json!({"reason": "its own hold"})).await;
        // What has expired ends meanwhile; nothing else moves.
        let shown =
            process.until("it expires", &format!("/v1/messages/{expiring}"), |m| m["open"] == false).await;
        assert_eq!(shown["settled"]["failed"], 1, "it may have gone out before: {shown}");
        assert_eq!(centre.received(), [], "{life}: it is held");
        process.stop().await;
    }
    let process = start_with(found.path(), &token).await;
    let left = process.get("/v1/deliveries").await["counts"]["open"].as_u64().unwrap();
    process.post("/v1/release", &json!({"reason": "looked through"})).await;
    let began = Instant::now();
    while (centre.received().len() as u64) < left {
        assert!(began.elapsed() < PATIENCE, "{} of {left}: {}", centre.received().len(), process.said());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let story = process.get(&format!("/v1/messages/{}/deliveries", waiting[0])).await;
    assert_eq!(story["deliveries"][0]["attempts"][0]["repeat"], "after_unknown", "{story}");
    assert!(centre.received().iter().all(|sms| sms.text != "flood warning 21"), "what has expired stays so");
    let verified = wasl(&["audit", "verify"], Some(&process));
    assert!(verified.status.success(), "the chain goes on: {}", said(&verified));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_as_it_was_sealed_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let centre = smsc::start(smsc::Options::default()).await.unwrap();
    site(folder.path(), &centre);
    let process = process::start_by(folder.path(), process::wasl_run()).await;
    // Several chunks.
    let contacts: Vec<Value> =
        (0..400).map(|n| json!({"id": format!("c-{n}"), "name": "ن".repeat(150)})).collect();
    for some in contacts.chunks(100) {
        process.post("/v1/contacts", &json!({"contacts": some})).await;
    }
    let [key, other, sealed, store] = ["key", "other", "sealed", "restored"].map(at);
    let taken = wasl(&["backup", &sealed, "--key-file", &key, "--new-key", "--json"], Some(&process));
    done(&taken);
    let again = wasl(&["backup", &sealed, "--key-file", &key], Some(&process));
    assert!(said(&again).contains("is there already"), "{}", said(&again));
    let named = wasl(&["backup", &at("."), "--key-file", &other, "--new-key", "--json"], Some(&process));
    assert!(done(&named)["file"].as_str().unwrap().ends_with(".backup"), "a folder's are named by the time");
    let viewer = process.post("/v1/tokens", &json!({"name": "v", "role": "viewer"})).await;
    let bearer = format!("Bearer {}", viewer["token"].as_str().unwrap());
    let answered = process.call("GET", "/v1/backup", &[("authorization", &bearer)], vec![]).await;
    assert_eq!(answered.status, 403);
    process.stop().await;

    let bytes = fs::read(&sealed).unwrap();
    assert!(bytes.len() > HEAD + 2 * CHUNK, "{}", bytes.len());
    let damaged = at("damaged");
    let check = |bytes: &[u8], words: &[&str]| {
        fs::write(&damaged, bytes).unwrap();
        refused(&["restore", &damaged, "--key-file", &key, "--store", &store], 1, words);
        refused(&["restore", &damaged, "--key-file", &key, "--dry-run"], 1, words);
        let left: Vec<_> = fs::read_dir(&store).map_or(vec![], |found| {
            found.map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock").collect()
        });
        assert_eq!(left, [""; 0], "nothing of it is left");
    };
    let mut flipped = bytes.clone();
    flipped[HEAD + CHUNK + 100] ^= 0x10;
    check(&flipped, &["it was changed after 64 KiB", "nothing was restored"]);
    check(&bytes[..bytes.len() - 1], &["cut short"]);
    check(&bytes[..HEAD + CHUNK], &["cut short after 64 KiB"]);
    check(&bytes[..HEAD + 9], &["cut short within its first 64 KiB"]);
    let (first, second) = (HEAD + CHUNK, HEAD + 2 * CHUNK);
    check(
        &[&bytes[..HEAD], &bytes[first..second], &bytes[HEAD..first], &bytes[second..]].concat(),
        &["changed"],
    );
    check(b"no backup at all, but long enough to have a header of its own", &["it is no backup"]);
    let of =
        |key: &str, file: &str| ["restore", file, "--key-file", key, "--store", &store].map(str::to_owned);
    let refuse = |args: [String; 6], code, words: &[&str]| {
        refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), code, words);
    };
    refuse(of(&other, &sealed), 1, &["another key"]);
    refuse(of(&at("none"), &sealed), 2, &["--new-key"]);
    refuse(of(&key, &at("none")), 3, &["No such file"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refuse(of(&key, &sealed), 2, &["chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    // The store in use, and any other that holds something.
    let used = at("var");
    refused(
        &["restore", &sealed, "--key-file", &key, "--store", &used],
        1,
        &["is not empty", "move what is in it aside"],
    );
    let whole = wasl(&["restore", &sealed, "--key-file", &key, "--dry-run", "--json"], None);
    assert_eq!(done(&whole)["rows"], done(&taken)["rows"]);

    // One that broke off is never opened, and the next one begins anew.
    fs::create_dir_all(&store).unwrap();
    fs::write(format!("{store}/restoring"), "").unwrap();
    fs::write(format!("{store}/outbox.redb"), "half").unwrap();
    let opened = Stores::open(Path::new(&store), 1 << 20, Timestamp::default());
    assert!(matches!(opened.err(), Some(OpenError::HalfRestored { .. })));
    let restored = wasl(&["restore", &sealed, "--key-file", &key, "--store", &store], None);
    let told = said(&restored);
    assert!(restored.status.success() && told.contains("everything is held"), "{told}");
    assert!(told.contains("wasl release --all"), "{told}");
    assert!(Stores::open(Path::new(&store), 1 << 20, Timestamp::default()).is_ok());
}
