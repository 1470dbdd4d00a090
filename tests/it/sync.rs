//! On disk first: what the system is asked to do, in its order, from a message to its 202 and to the provider.
//!
//! A real `wasl run` under strace. The outbox's journal is written and synced before the caller's 202 or the provider's
//! bytes leave on their sockets; its tables take it later, in their own time.

use crate::support::process::{PATIENCE, WASL, start_by, write};
use crate::support::skip::skip;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wasl::emulator::whatsapp;

/// What is traced: what writes, to files and sockets, and what syncs.
const CALLS: &str = "trace=fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg";
/// What the record of the message holds, and nothing else does.
const MARK: &str = "sync-mark-5e1f";

const RULES: &str =
    "[[rule]]\nname = \"all\"\nconfirm = \"accepted\"\n[[rule.step]]\nchannels = [\"whatsapp\"]\n";

/// Says whether this machine lets us trace.
fn can_trace() -> Result<(), &'static str> {
    let tried = Command::new("strace")
        .args(["-D", "-f", "-o", "/dev/null", "-e", CALLS, "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match tried {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("ptrace is forbidden here: run it with the capability SYS_PTRACE"),
        Err(_) => Err("needs strace: apt-get install --no-install-recommends strace"),
    }
}

/// What the trace must hold, each as the number of its line.
#[derive(Debug)]
struct Order {
    /// The first write of the record.
    written: usize,
    /// The end of the first sync after it.
    synced: usize,
    /// The first bytes of the 202.
    answered: usize,
    /// The first bytes to the provider.
    sent: usize,
}

/// A line of the trace: who called, and what.
fn parts(line: &str) -> (&str, &str) {
    let (who, call) = line.split_once(' ').unwrap_or((line, ""));
    (who, call.trim_start())
}

/// Says whether a call touches the outbox's journal.
fn on_journal(call: &str) -> bool {
    call.split_once('(')
        .is_some_and(|(_, rest)| rest.split([',', ')', ' ']).next().unwrap_or("").contains("outbox.journal"))
}

/// Returns the lines at which a sync of the journal had ended well.
fn syncs(lines: &[&str]) -> Vec<usize> {
    let mut under_way: Vec<&str> = Vec::new();
    let mut ended = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let (who, call) = parts(line);
        let begins = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        let resumes = call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>");
        let well = call.trim_end().ends_with("= 0");
        if begins && on_journal(call) && call.contains("<unfinished") {
            under_way.push(who);
        } else if (begins && on_journal(call) && well) || (resumes && well && under_way.contains(&who)) {
            under_way.retain(|other| *other != who);
            ended.push(number);
        }
    }
    ended
}

fn order(trace: &str) -> Result<Order, String> {
    let lines: Vec<&str> = trace.lines().collect();
    let syncs = syncs(&lines);
    let first = |what: &str, is: &dyn Fn(&str) -> bool| {
        lines.iter().position(|line| is(parts(line).1)).ok_or_else(|| format!("the trace holds no {what}"))
    };
    let written = first("write of the record", &|call| on_journal(call) && call.contains(MARK))?;
    let answered = first("202", &|call| call.contains("HTTP/1.1 202"))?;
    let sent =
        first("request to the provider", &|call| call.contains("POST /") && call.contains("/messages"))?;
    let synced = syncs.iter().find(|sync| **sync > written).ok_or("the journal is never synced after it")?;
    let order = Order { written, synced: *synced, answered, sent };
    // Whatever was written to the journal before the first byte left was synced before it, not only the record.
    let left = answered.min(sent);
    let last = lines[..left].iter().rposition(|line| {
        let call = parts(line).1;
        on_journal(call) && (call.starts_with("pwrite") || call.starts_with("write"))
    });
    let covered = last.is_some_and(|last| syncs.iter().any(|sync| last < *sync && *sync < left));
    match covered && order.synced < left {
        true => Ok(order),
        false => Err(format!("something left before its cause was on disk: {order:?}, last write {last:?}")),
    }
}

fn settings(whatsapp: &whatsapp::Handle) -> String {
    use crate::support::tables::{Table, file};
    let gateway = Table::whatsapp("wa", format!("http://{}", whatsapp.addr())).known();
    file([Table::server(), Table::store(), gateway])
}

/// Returns the trace once the tracer has written its end.
async fn ended(file: &Path) -> String {
    let began = Instant::now();
    loop {
        let trace = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        if trace.lines().last().is_some_and(|line| line.contains("+++ exited with")) {
            return trace;
        }
        assert!(began.elapsed() < PATIENCE, "the trace has no end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_is_synced_before_the_202_and_before_the_providers_bytes() {
    if let Err(remedy) = can_trace() {
        return skip("sync::the_outbox_is_synced_before_the_202_and_before_the_providers_bytes", remedy);
    }
    let whatsapp = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "wasl.toml", &settings(&whatsapp));
    write(folder.path(), "policies/all.toml", RULES);
    let mut strace = Command::new("strace");
    // The tracer steps aside (-D), so that the process that is stopped is the service.
    strace.args(["-D", "-f", "-yy", "-s", "65536", "-o", "trace.txt", "-e", CALLS, WASL]);
    strace.args(["run", "--config", "wasl.toml"]);
    let service = start_by(folder.path(), strace).await;
    let to = json!({"severity": "severe", "text": {"en": MARK}, "to": [{"whatsapp": "+970599000001"}]});
    let id = service.send(&to).await;
    assert_eq!(service.settled(&id).await["settled"]["result"], "handed_over");
    service.stop().await;
    let trace = ended(&folder.path().join("trace.txt")).await;
    let order = order(&trace).unwrap_or_else(|why| panic!("{why}"));
    let Order { written, synced, answered, sent } = order;
    println!("written at line {written}, synced at {synced}, 202 at {answered}, sent at {sent}");
    assert!(written < synced && synced < answered.min(sent));
}

/// The reader of traces can tell good from bad: what it is given here is in strace's own words.
#[test]
fn a_trace_in_which_something_leaves_early_is_told_apart() {
    let write = format!("7 pwrite64(9</x/outbox.journal>, \"..{MARK}..\", 4096, 0) = 4096");
    let whole = "7 fdatasync(9</x/outbox.journal>) = 0";
    let (begins, ends) =
        ("7 fdatasync(9</x/outbox.journal> <unfinished ...>", "7 <... fdatasync resumed>) = 0");
    let (other, failed) =
        ("7 fdatasync(8</x/outbox.redb>) = 0", "7 fdatasync(9</x/outbox.journal>) = -1 EIO (error)");
    let answer = "8 sendto(11<TCP:[1->2]>, \"HTTP/1.1 202 Accepted..\", 90, MSG_NOSIGNAL, NULL, 0) = 90";
    let send = "9 writev(12<TCP:[3->4]>, [{iov_base=\"POST /v23.0/1/messages HTTP/1.1\"}], 1) = 31";
    let check = |lines: &[&str], good: bool| {
        assert_eq!(order(&lines.join("\n")).is_ok(), good, "{lines:?}");
    };
    let write = write.as_str();
    check(&[write, whole, answer, send], true);
    check(&[write, begins, ends, send, answer], true);
    check(&[write, answer, whole, send], false);
    check(&[write, send, whole, answer], false);
    check(&[write, begins, answer, ends, send], false);
    check(&[write, other, answer, send], false);
    check(&[write, failed, answer, send], false);
    check(&[whole, write, answer, send], false);
    check(&[write, whole, write, answer, send], false);
    check(&[write, whole, answer], false);
}
