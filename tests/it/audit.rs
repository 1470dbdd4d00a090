//! The audit record: nothing that was done to it stays unseen, and whoever has SHA-256 sees it without us.

use crate::service::house::{PATIENCE, start};
use crate::support::process::{self, Process, WASL, write};
use crate::support::skip::skip;
use crate::support::tables::{Table, file};
use redb::ReadableTable;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use wasl::core::audit::{Audit, Head};
use wasl::core::query::{ActsFrom, Answer, Query};
use wasl::core::time::{Span, Timestamp};
use wasl::store::chain::verify::{Broken, Verifier};
use wasl::store::chain::{Chain, hashed, whole_line};
use wasl::store::outbox::memory::MemoryOutbox;
use wasl::store::outbox::redb::RedbOutbox;
use wasl::store::outbox::{Batch, Outbox, Put, Reader, Retention};

fn act(day: i64, on: &str) -> Audit {
    let at = Timestamp::from_ms(Span::from_hours(24 * day).ms());
    Audit { at, who: "amal".into(), act: "hold".into(), on: on.into(), reason: "مطر \"heavy\"".into() }
}

/// What a look through a store's chain finds.
fn look(reader: &dyn Reader, pinned: Option<Head>) -> Result<Head, Broken> {
    let Ok(Answer::ChainEnds(anchor, head)) = reader.answer(&Query::ChainEnds).map(|a| a.value) else {
        panic!("no ends")
    };
    let mut verifier = Verifier::begin(anchor, pinned)?;
    let query = Query::Acts { from: ActsFrom::After(0), limit: 500 };
    let Ok(Answer::Acts(links)) = reader.answer(&query).map(|answer| answer.value) else { panic!("no acts") };
    for link in links {
        verifier.take(link.number, link.prev, link.hash, hashed(&link).as_bytes())?;
    }
    verifier.end(head).map(|()| verifier.last())
}

/// An outbox with an act on each of these days, and where its chain ends.
fn lived(outbox: &mut dyn Outbox, days: i64) -> Head {
    let mut chain = Chain::open(&*outbox.reader()).unwrap();
    let batch: Batch = (1..=days).map(|day| Put::Link(chain.link(act(day, &format!("sms-{day}"))))).collect();
    outbox.commit(&batch).unwrap();
    chain.head()
}

#[test]
fn what_left_by_retention_leaves_an_anchor_and_the_rest_still_hangs_together() {
    let folder = tempfile::tempdir().unwrap();
    let check = |outbox: &mut dyn Outbox| {
        let head = lived(outbox, 6);
        let keep = Retention { audit: Span::from_hours(48), ..Retention::default() };
        let now = Timestamp::from_ms(Span::from_hours(24 * 6).ms());
        while outbox.retain(&keep, now, 2).unwrap().more {}
        assert_eq!(look(&*outbox.reader(), Some(head)), Ok(head));
        let Ok(Answer::ChainEnds(anchor, _)) = outbox.reader().answer(&Query::ChainEnds).map(|a| a.value)
        else {
            panic!()
        };
        assert_eq!((anchor.number, anchor.adopted), (3, 0), "days 1 to 3 are older than 48 h");
        // Everything is old: the chain goes on from its anchor.
        while outbox.retain(&keep, now + Span::from_hours(900), 2).unwrap().more {}
        assert_eq!(look(&*outbox.reader(), Some(head)), Ok(head));
        assert_eq!(lived(outbox, 1).number, 7);
        look(&*outbox.reader(), Some(head)).unwrap();
    };
    check(&mut MemoryOutbox::new());
    check(&mut RedbOutbox::open(&folder.path().join("outbox.redb")).unwrap());
}

const ACTS: redb::TableDefinition<'static, &'static [u8], &'static [u8]> = redb::TableDefinition::new("act");

/// Somebody writes into the store's file while the service is away.
fn tampered(folder: &Path, how: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>)) {
    let database = redb::Database::open(folder.join("outbox.redb")).unwrap();
    let writing = database.begin_write().unwrap();
    how(&mut writing.open_table(ACTS).unwrap());
    writing.commit().unwrap();
}

#[test]
fn a_flipped_bit_a_removed_row_a_swapped_pair_and_a_cut_tail_are_found() {
    type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;
    let key = |number: u64| number.to_be_bytes();
    let value = |rows: &Rows<'_>, number: u64| rows.get(&key(number)[..]).unwrap().unwrap().value().to_vec();
    let check = |how: &dyn Fn(&mut Rows<'_>), pinned: bool, expected: Result<u64, Broken>| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.redb");
        let head = lived(&mut RedbOutbox::open(&path).unwrap(), 5);
        tampered(folder.path(), how);
        let outbox = RedbOutbox::open(&path).unwrap();
        let found = look(&*outbox.reader(), Some(head).filter(|_| pinned)).map(|head| head.number);
        assert_eq!(found, expected);
    };
    check(&|_| {}, true, Ok(5));
    // The last byte is the last of the reason.
    let flip = |rows: &mut Rows<'_>| {
        let mut changed = value(rows, 3);
        *changed.last_mut().unwrap() ^= 1;
        rows.insert(&key(3)[..], &changed[..]).unwrap();
    };
    check(&flip, false, Err(Broken::Changed { number: 3 }));
    let remove = |rows: &mut Rows<'_>| drop(rows.remove(&key(3)[..]).unwrap());
    check(&remove, false, Err(Broken::Order { after: 2, found: 4 }));
    let swap = |rows: &mut Rows<'_>| {
        let (two, three) = (value(rows, 2), value(rows, 3));
        rows.insert(&key(2)[..], &three[..]).unwrap();
        rows.insert(&key(3)[..], &two[..]).unwrap();
    };
    check(&swap, false, Err(Broken::Changed { number: 2 }));
    let cut = |rows: &mut Rows<'_>| drop(rows.remove(&key(5)[..]).unwrap());
    check(&cut, false, Ok(4));
    check(&cut, true, Err(Broken::Cut { last: 4, kept: 5 }));
    // Written anew as a whole: the chain hangs together, and is not the one whose end was kept.
    let anew = |rows: &mut Rows<'_>| {
        let mut other = MemoryOutbox::new();
        let mut chain = Chain::open(&*other.reader()).unwrap();
        let batch: Batch = (1..=5).map(|day| Put::Link(chain.link(act(day, "other")))).collect();
        other.commit(&batch).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.redb");
        RedbOutbox::open(&path).unwrap().commit(&batch).unwrap();
        let database = redb::Database::open(path).unwrap();
        let reading = redb::ReadableDatabase::begin_read(&database).unwrap();
        for row in reading.open_table(ACTS).unwrap().iter().unwrap() {
            let (key, value) = row.unwrap();
            rows.insert(key.value(), value.value()).unwrap();
        }
    };
    check(&anew, false, Ok(5));
    check(&anew, true, Err(Broken::Rewritten { number: 5 }));
}

/// A store as a program before the chain left it: its acts lie in a table of their own, by time.
fn of_format_4(folder: &Path) {
    lived(&mut RedbOutbox::open(&folder.join("outbox.redb")).unwrap(), 0);
    let database = redb::Database::open(folder.join("outbox.redb")).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let of = |name| redb::TableDefinition::<&[u8], &[u8]>::new(name);
        writing.delete_table(ACTS).unwrap();
        writing.delete_table(of("anchor")).unwrap();
        let mut acts = writing.open_table(of("audit")).unwrap();
        for (ms, who) in [(5u64, "amal"), (6, "basil")] {
            let key = [&(ms ^ (1 << 63)).to_be_bytes()[..], &7u64.to_be_bytes()].concat();
            let mut value = vec![0, 1, who.len() as u8];
            value.extend_from_slice(who.as_bytes());
            value.extend_from_slice(b"\x04hold\x03all\x04rain");
            acts.insert(&key[..], &value[..]).unwrap();
        }
        // Plain, row version 2, format 4, then what is behind it: position, clock, salt.
        let mut meta = writing.open_table(of("meta")).unwrap();
        let mut row = meta.get(&[][..]).unwrap().unwrap().value().to_vec();
        assert_eq!(row[..3], [0, 2, 10]);
        row[2] = 4;
        meta.insert(&[][..], &row[..]).unwrap();
    }
    writing.commit().unwrap();
}

#[test]
fn a_store_without_a_chain_is_taken_in_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    of_format_4(folder.path());
    let mut heads = Vec::new();
    for _ in 0..2 {
        let outbox = RedbOutbox::open(&folder.path().join("outbox.redb")).unwrap();
        heads.push(look(&*outbox.reader(), None).unwrap());
        let Ok(Answer::ChainEnds(anchor, _)) = outbox.reader().answer(&Query::ChainEnds).map(|a| a.value)
        else {
            panic!()
        };
        assert_eq!((anchor.number, anchor.adopted), (0, 2));
        let query = Query::Acts { from: ActsFrom::Before(None), limit: 9 };
        let Ok(Answer::Acts(links)) = outbox.reader().answer(&query).map(|a| a.value) else { panic!() };
        let told: Vec<_> =
            links.iter().map(|l| (l.audit.who.as_str(), l.audit.act.as_str(), l.audit.on.as_str())).collect();
        assert_eq!(
            told,
            [("wasl", "adopt", "acts 1 to 2"), ("basil", "hold", "all"), ("amal", "hold", "all")]
        );
    }
    assert_eq!(heads[0], heads[1], "once");
}

/// As short as a stranger would write it: nothing of ours but what the documentation says of a line.
const STRANGER: &str = r#"
import sys, hashlib, json
lines = open(sys.argv[1], "rb").read().splitlines()
anchor = json.loads(lines[0])["anchor"]
number, prev = anchor["number"], anchor["hash"]
for line in lines[1:-1]:
    hashed, own = line[:-2].rsplit(b',"hash":"', 1)
    act = json.loads(line)
    assert hashlib.sha256(hashed).hexdigest() == own.decode() == act["hash"], act["number"]
    assert (act["number"], act["prev"]) == (number + 1, prev), act["number"]
    members = {name: act[name] for name in ("number", "prev", "at", "who", "act", "on", "reason")}
    again = json.dumps(members, ensure_ascii=False, separators=(",", ":"))[:-1].encode()
    assert again == hashed, act["number"]
    number, prev = act["number"], act["hash"]
assert json.loads(lines[-1])["head"] == {"number": number, "hash": prev}
print(number)
"#;

/// A gateway that nobody answers at: what is sent while it is held waits.
fn nobody() -> Table {
    Table::sms("sms", "127.0.0.1:9".parse().unwrap()).known()
}

fn site(folder: &Path) {
    write(folder, "wasl.toml", &file([Table::server(), Table::store(), nobody()]));
    write(folder, "probes/none.toml", "# Nothing is probed here.\n");
    write(folder, "policies/all.toml", "[[rule]]\nname = \"all\"\n[[rule.step]]\nchannels = [\"sms\"]\n");
}

fn wasl(process: &Process, args: &[&str]) -> Output {
    let mut command = Command::new(WASL);
    command
        .args(args)
        .env("WASL_URL", process.base())
        .env("WASL_TOKEN", process.token())
        .env_remove("RUST_LOG");
    command.stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn acts(process: &Process) -> Vec<(String, String, String)> {
    let output = wasl(process, &["audit", "export"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |act: &Value, key: &str| act[key].as_str().unwrap().to_owned();
    lines
        .filter(|act| act["act"].is_string())
        .map(|a| (word(&a, "who"), word(&a, "act"), word(&a, "on")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_keeps_what_was_done_and_a_stranger_can_check_it() {
    let folder = tempfile::tempdir().unwrap();
    site(folder.path());
    let process = process::start_by(folder.path(), process::wasl_run()).await;
    let reason = json!({"reason": "asked by +970 599 000 001"});
    process.post("/v1/hold", &reason).await;
    let message =
        json!({"severity": "severe", "to": [{"sms": "+970599000001"}], "text": {"en": "Leave now"}});
    let id = process.send(&message).await;
    process.post(&format!("/v1/messages/{id}/cancel"), &reason).await;
    process.post("/v1/release", &reason).await;
    process.post("/v1/contacts", &json!({"contacts": [{"id": "c-1", "name": "Amal"}]})).await;
    // An edit that is wrong, then one that is not.
    for (text, expected) in [("[[rule]]\nnaem = 1\n", "reload-refused"), ("# No rule.\n", "reload")] {
        write(folder.path(), "policies/all.toml", text);
        let began = std::time::Instant::now();
        while !acts(&process).iter().any(|(_, act, _)| act == expected) {
            assert!(began.elapsed() < PATIENCE, "{expected}: {:?}", acts(&process));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    let done = acts(&process);
    let names: Vec<_> = done.iter().map(|(who, act, _)| format!("{who} {act}")).collect();
    let expected = [
        "wasl start",
        "wasl token",
        "admin hold",
        "admin release",
        "admin accept",
        "admin cancel",
        "admin contacts",
        "wasl reload-refused",
        "wasl reload",
    ];
    let mut sorted = [names.clone(), expected.map(String::from).to_vec()];
    sorted.iter_mut().for_each(|names| names.sort());
    assert_eq!(sorted[0], sorted[1], "{names:?}");
    assert!(
        done.iter().all(|(_, act, on)| !act.starts_with("reload") || on.starts_with("policy ")),
        "{done:?}"
    );

    // Filters and pages.
    let list = async |query: &str| {
        let shown = process.get(&format!("/v1/audit?{query}")).await;
        let numbers: Vec<_> =
            shown["acts"].as_array().unwrap().iter().map(|a| a["number"].as_u64().unwrap()).collect();
        (numbers, shown["next"].clone())
    };
    let last = done.len() as u64;
    assert_eq!(list("limit=2").await, (vec![last, last - 1], json!(last - 1)));
    assert_eq!(list(&format!("after=0&limit={last}")).await.0, (1..=last).collect::<Vec<_>>());
    assert_eq!(list("who=admin&act=hold").await.0.len(), 1);
    assert_eq!(list("since=2100-01-01T00:00:00Z").await, (vec![], Value::Null));
    assert_eq!(list("until=2001-01-01T00:00:00Z").await.0, [0; 0]);

    // Whole, by us and by a stranger; pinned by what the status says.
    let status = wasl(&process, &["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let head = format!("{}:{}", status["audit"]["number"], status["audit"]["hash"].as_str().unwrap());
    let verified = wasl(&process, &["audit", "verify", "--head", &head]);
    assert!(verified.status.success() && said(&verified).contains(&head), "{}", said(&verified));
    let out = folder.path().join("acts.jsonl");
    let exported = wasl(&process, &["audit", "export", "--out", out.to_str().unwrap()]);
    assert!(exported.status.success(), "{}", said(&exported));
    let again = wasl(&process, &["audit", "export", "--out", out.to_str().unwrap()]);
    assert!(!again.status.success() && said(&again).contains("is there already"), "{}", said(&again));
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.contains("+970") && !text.contains("Leave") && !text.contains(process.token()), "{text}");
    assert!(process.said().contains("the audit record ends here"), "for whoever keeps the log elsewhere");
    match Command::new("python3").args(["-c", STRANGER, out.to_str().unwrap()]).output() {
        Ok(stranger) => assert_eq!(said(&stranger).trim(), last.to_string()),
        Err(error) => skip("a stranger checks the audit record", &format!("python3 cannot be run: {error}")),
    }
    damaged(&process, folder.path(), &text, &head);
    let gone = Command::new(WASL).args(["audit", "verify", "--url", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(gone.status.code(), Some(3), "{}", said(&gone));
}

/// Damages a file in each way, and looks whether it is found and named.
fn damaged(process: &Process, folder: &Path, text: &str, head: &str) {
    let path = folder.join("damaged.jsonl");
    let check = |lines: Vec<String>, word: &str| {
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let verified = wasl(process, &["audit", "verify", path.to_str().unwrap(), "--head", head]);
        let (code, told) = (verified.status.code(), said(&verified));
        assert_eq!(code, Some(i32::from(!word.is_empty())), "{word}: {told}");
        assert!(told.contains(word), "{word}: {told}");
    };
    let lines: Vec<String> = text.lines().map(String::from).collect();
    check(lines.clone(), "");
    let flipped = lines[3].replace("\"who\":\"", "\"who\":\"x");
    let with = |at: usize, line: &str| {
        let mut changed = lines.clone();
        changed[at] = line.into();
        changed
    };
    check(with(3, &flipped), "act 3 was changed");
    let mut without = lines.clone();
    without.remove(3);
    check(without, "after act 2 comes act 4");
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    check(swapped, "after act 1 comes act 3");
    check(lines[..lines.len() - 1].to_vec(), "cut short");
    check(with(4, "no JSON"), "the line after act 3 is no act");
    let cut_end = lines[lines.len() - 3].rsplit('"').nth(1).unwrap();
    let end = format!("{{\"head\":{{\"number\":{},\"hash\":\"{cut_end}\"}}}}", lines.len() - 3);
    let mut cut = lines[..lines.len() - 2].to_vec();
    cut.push(end);
    check(cut, "its end was cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_goes_on_over_a_restart() {
    let outbox = MemoryOutbox::new();
    for round in 1..=3u64 {
        let running = start(vec![], outbox.clone());
        let service = running.service();
        let change = wasl::api::service::Change::Contacts(vec![]);
        service.change("amal".into(), change).await.unwrap();
        assert_eq!(service.acts_end().number, round);
        running.stop().await.unwrap();
        let head = look(&*outbox.reader(), None).unwrap();
        assert_eq!(head.number, round);
    }
    let query = Query::Acts { from: ActsFrom::After(0), limit: 9 };
    let Ok(Answer::Acts(links)) = outbox.reader().answer(&query).map(|a| a.value) else { panic!() };
    assert!(links.iter().all(|link| whole_line(link).contains("\"who\":\"amal\",\"act\":\"contacts\"")));
}
