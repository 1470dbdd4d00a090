//! One suite over every kind of gateway, each against its emulator: the same cases, the same expectations.
//!
//! A new adapter is one line in [`HARNESSES`](harnesses::HARNESSES) and the function that it names; without it the suite
//! fails. The table that it prints says `ok`, or why a case cannot arise on that road.

mod cases;
mod harnesses;
mod rig;

use cases::{CASES, Cell};
use harnesses::HARNESSES;
use rig::Rig;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasl::adapter::ADAPTERS;

/// How many cases run at once: more would wait for the machine, and take that for a provider's silence.
const AT_ONCE: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_adapter_keeps_the_contract() {
    let kind = |harness: &harnesses::Harness| harness.kind.split(' ').next().unwrap_or_default();
    let mut named: Vec<_> = HARNESSES.iter().map(kind).collect();
    // A kind of many dialects is tried in each of them.
    named.dedup();
    let known: Vec<_> = ADAPTERS.iter().map(|kind| kind.name).collect();
    assert_eq!(named, known, "each adapter needs its line in HARNESSES, in the same order");

    let room = Arc::new(Semaphore::new(AT_ONCE));
    let running: Vec<_> = HARNESSES
        .iter()
        .flat_map(|harness| CASES.iter().map(move |case| (harness, case)))
        .map(|(harness, case)| {
            let room = Arc::clone(&room);
            tokio::spawn(async move {
                let _held = room.acquire_owned().await;
                (case.run)(Rig::start(harness).await).await
            })
        })
        .collect();
    let mut cells = Vec::new();
    for case in running {
        cells.push(case.await.unwrap_or_else(|panic| Cell::Failed(format!("panicked: {panic}"))));
    }
    let rows: Vec<_> = HARNESSES.iter().map(|harness| harness.kind).zip(cells.chunks(CASES.len())).collect();
    print(&rows);
    let failed = cells.iter().filter(|cell| matches!(cell, Cell::Failed(_))).count();
    assert_eq!(failed, 0, "cases failed; the table above says how");
}

/// Prints the table past the test harness, which would keep it to itself when all is well.
fn print(rows: &[(&str, &[Cell])]) {
    let mut text = format!("{:<14}", "");
    rows.iter().for_each(|(kind, _)| text += &format!(" {kind:<17}"));
    text.push('\n');
    let mut notes = Vec::new();
    for (place, case) in CASES.iter().enumerate() {
        text += &format!("{:<14}", case.name);
        for (kind, cells) in rows {
            let word = match &cells[place] {
                Cell::Ok => "ok",
                Cell::Absent(why) => {
                    notes.push(format!("- {kind}, {}: {why}", case.name));
                    "-"
                }
                Cell::Failed(how) => {
                    notes.push(format!("FAILED {kind}, {}: {how}", case.name));
                    "FAILED"
                }
            };
            text += &format!(" {word:<17}");
        }
        text.push('\n');
    }
    notes.iter().for_each(|note| text += &format!("{note}\n"));
    let _ = std::io::stderr().write_all(text.as_bytes());
}
