//! Full disks, failing disks, a second process, a newer program, damage: each gives a clear error, no panic, nothing
//! that was acknowledged is lost, and writing goes on by itself when it can.

mod reachability;

use crate::support::media::{Disk, Failing, Survivors};
use crate::support::seeded::{Rng, base_seed, with_seed};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use wasl::core::ids::{DeliveryId, MessageId};
use wasl::core::message::{Message, Recipient, Severity, Status, Urgency};
use wasl::core::outcome::DeliveryResult;
use wasl::core::query::{Answer, Query};
use wasl::core::record::{Delivery, Progress, Record, Settled};
use wasl::core::reply::Asks;
use wasl::core::time::{Span, Timestamp};
use wasl::store::outbox::redb::RedbOutbox;
use wasl::store::outbox::{Batch, CommitError, Outbox, Position, Put, ReadError, Reader, Retention, Walk};
use wasl::store::reachability::Notice;
use wasl::store::{OpenError, Stores, folder::Folder};

/// When it all happens.
const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);
/// The reserve on the small disk.
const RESERVE: u64 = 16 << 20;
/// How many people a made-up message is for.
const PEOPLE: u32 = 500;

fn id(number: u64) -> MessageId {
    MessageId::new(NOW, 1, number)
}

/// How many people's record fits the short journal of the disk in memory.
const FEW: u32 = 20;

/// How many people's record is too long for it.
const MANY: u32 = 1_000;

/// A message and its frozen audience, as one turn accepts them.
fn accepted(number: u64) -> Batch {
    accepted_for(number, PEOPLE)
}

/// A message for so many people.
fn accepted_for(number: u64, people: u32) -> Batch {
    let message = Message {
        id: id(number),
        author: "duty-desk".into(),
        accepted_at: NOW,
        severity: Severity::Extreme,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: None,
        expires: None,
        text: [("ar".to_owned(), "غادروا الآن".to_owned())].into(),
        template: None,
        tags: Default::default(),
        recipients: people,
        audiences: vec![],
        corrects: None,
        asks: Asks::NOTHING,
    };
    let person = |n: u32| Recipient { contact: Some(format!("c-{number}-{n}")), ..Recipient::default() };
    let people = Arc::new((0..people).map(person).collect());
    vec![
        Record::Message(Arc::new(message)).into(),
        Record::Audience { message: id(number), chunk: 0, people }.into(),
    ]
}

/// Every delivery of a message settles.
fn settled(number: u64) -> Batch {
    let end = Settled {
        result: DeliveryResult::Delivered,
        at: Timestamp::from_ms(1_790_000_060_000),
        channel: None,
        attempt: None,
        reason: None,
        duplicated: false,
    };
    let delivery = |index| Delivery {
        id: DeliveryId::new(id(number), index),
        step: 0,
        attempts: 1,
        rounds: 0,
        barred: 0,
        result: Some(end),
    };
    let progress =
        Progress { open: false, settled: [PEOPLE, 0, 0, 0, 0, 0, 0], ..Progress::untouched(id(number)) };
    let mut batch: Batch = (0..PEOPLE).map(|index| Record::Delivery(delivery(index)).into()).collect();
    batch.push(Record::Progress(progress).into());
    batch
}

fn rows(reader: &dyn Reader) -> Vec<Put> {
    let mut rows = Vec::new();
    let read = reader.rows(&mut |put| {
        rows.push(put);
        Walk::On
    });
    read.expect("read");
    rows
}

fn on(disk: &Disk) -> RedbOutbox {
    disk.outbox().expect("opened")
}

/// Commits until it fails; returns how many were acknowledged, and why no more.
fn until_it_fails(outbox: &mut RedbOutbox, from: u64, people: u32) -> (u64, CommitError) {
    for number in from..from + 10_000 {
        if let Err(error) = outbox.commit(&accepted_for(number, people)) {
            return (number, error);
        }
    }
    panic!("it never failed");
}

/// `people`: few are taken by the journal, many by the tables.
fn check_fault(failing: impl Fn(&Disk) -> Failing, people: u32, expected: impl Fn(&CommitError) -> bool) {
    let accepted = |number| accepted_for(number, people);
    let disk = Disk::new();
    let mut outbox = on(&disk);
    for number in 0..5 {
        outbox.commit(&accepted(number)).expect("committed");
    }
    disk.fail(failing(&disk));
    let (mut reached, mut error) = until_it_fails(&mut outbox, 5, people);
    // To be opened again may free some pages, and a few more go in.
    for _ in 0..20 {
        assert!(expected(&error), "{error:?}");
        match outbox.commit(&accepted(reached)) {
            Err(again) => assert_eq!(again.to_string(), error.to_string()),
            Ok(_) => (reached, error) = until_it_fails(&mut outbox, reached + 1, people),
        }
    }
    assert!(outbox.commit(&accepted(reached)).is_err(), "it fails for good");
    // Once the tables could not be written, nothing waits for the next commit to say so.
    let is_pending = people == FEW && matches!(failing(&disk), Failing::FullBeyond(_));
    assert!(outbox.recover().is_err() || !is_pending);
    disk.fail(Failing::No);
    outbox.recover().expect("nothing stands in the way");
    outbox.commit(&accepted(reached)).expect("goes on by itself");
    let held = rows(outbox.reader().as_ref());
    assert_eq!(outbox.load().expect("loaded").messages.len() as u64, reached + 1);
    let cut = disk.after_cut(disk.writes(), &mut |_| Survivors::None);
    assert_eq!(rows(on(&cut).reader().as_ref()), held, "as it is after a power cut");
    drop(outbox);
    assert_eq!(rows(on(&disk).reader().as_ref()), held, "as it was after opening again");
}

#[test]
fn a_full_disk_is_said_and_writing_goes_on_when_there_is_room() {
    for people in [FEW, MANY] {
        let full = |error: &CommitError| *error == CommitError::Full;
        check_fault(|disk| Failing::FullBeyond(disk.len()), people, full);
    }
}

#[test]
fn a_failing_disk_is_said_and_writing_goes_on_when_it_is_well() {
    let unavailable = |error: &CommitError| matches!(error, CommitError::Unavailable(_));
    for people in [FEW, MANY] {
        check_fault(|_| Failing::Writes, people, unavailable);
        check_fault(|_| Failing::Syncs, people, unavailable);
    }
}

/// A sync that did its work and said otherwise, at any place: no later commit may take the place of what is there.
#[test]
fn what_failed_and_is_there_all_the_same_costs_no_later_commit() {
    let keep = Retention { idempotency: Span::ZERO, ..Retention::default() };
    for lies_after in 0..6 {
        for retains in [false, true] {
            let disk = Disk::new();
            let mut outbox = on(&disk);
            for number in 0..6 {
                outbox.commit(&accepted_for(number, FEW)).expect("committed");
                outbox.commit(&settled(number)).expect("committed");
            }
            disk.fail(Failing::LiesAfter(lies_after));
            let later = NOW + Span::from_hours(1_000 * 24);
            if retains {
                while outbox.retain(&keep, later, 7).is_ok_and(|done| done.more) {}
            }
            let mut promised = Vec::new();
            for number in 10..20 {
                // Some by the journal, some past it; what fails is not tried again.
                let people = if number % 3 == 0 { MANY } else { FEW };
                if outbox.commit(&accepted_for(number, people)).is_ok() {
                    promised.push(id(number));
                }
                let cut = disk.after_cut(disk.writes(), &mut |_| Survivors::None);
                let found = on(&cut).load().expect("loaded");
                let found: Vec<MessageId> = found.messages.iter().map(|held| held.message.id).collect();
                let lost: Vec<_> = promised.iter().filter(|id| !found.contains(id)).collect();
                assert!(lost.is_empty(), "after {lies_after}, {retains}, at {number}: {lost:?}");
            }
            assert!(promised.len() >= 9, "one sync lied, and {} were taken", promised.len());
        }
    }
}

#[test]
fn a_disk_that_was_gone_for_a_while_is_read_and_written_again() {
    let disk = Disk::new();
    let mut outbox = on(&disk);
    let reader = outbox.reader();
    outbox.commit(&accepted_for(0, MANY)).expect("committed");
    disk.fail(Failing::All);
    assert!(outbox.commit(&accepted_for(1, MANY)).is_err());
    let read = reader.audience(id(0), 0).map(|read| read.value.map(|people| people.len()));
    assert!(matches!(read, Err(ReadError::Unavailable(_))), "{read:?}");
    assert!(outbox.recover().is_err());
    disk.fail(Failing::No);
    outbox.recover().expect("goes on by itself");
    assert!(reader.audience(id(0), 0).expect("read").value.is_some());
    outbox.commit(&accepted_for(1, MANY)).expect("committed");
}

#[test]
fn readers_go_on_while_the_disk_is_full() {
    let disk = Disk::new();
    let mut outbox = on(&disk);
    let reader = outbox.reader();
    outbox.commit(&accepted(0)).expect("committed");
    disk.fail(Failing::FullBeyond(disk.len()));
    until_it_fails(&mut outbox, 1, PEOPLE);
    assert!(reader.message(id(0)).expect("read").value.is_some());
    assert_eq!(
        reader.audience(id(0), 0).expect("read").value.map(|people| people.len()),
        Some(PEOPLE as usize)
    );
}

// === a real disk that fills up ===

/// A small file system of its own, unmounted when dropped.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(mib: u32) -> Result<Tmpfs, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(folder.path())
            .output()
            .map_err(|error| format!("mount cannot be run: {error}"))?;
        if mounted.status.success() {
            return Ok(Tmpfs(folder));
        }
        Err(format!("needs root to mount a small disk: {}", String::from_utf8_lossy(&mounted.stderr).trim()))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily, so that a failing test that still has files open does not leave it mounted.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_real_disk_stops_intake_first_and_still_settles_everything() {
    let disk = match Tmpfs::mount(96) {
        Ok(disk) => disk,
        Err(why) => return crate::support::skip::skip("store_faults::a_full_real_disk", &why),
    };
    let path = disk.path().join("wasl");
    let mut stores = Stores::open(&path, RESERVE, NOW).expect("opened");
    // Intake: as the service does, it asks before each message, and looks at the room again and again.
    let mut taken = 0;
    let unsettled = |messages: u64| messages * u64::from(PEOPLE);
    while stores.space.intake_allowed(u64::from(PEOPLE)) {
        stores.outbox.commit(&accepted(taken)).expect("there is room while intake is open");
        taken += 1;
        stores.space.refresh(unsettled(taken)).expect("room");
        assert!(taken < 50_000, "intake never stopped");
    }
    assert!(taken > 50, "{taken} messages are few for 96 MiB");
    assert!(
        stores.space.refresh(unsettled(taken - 1)).expect("room").reserve_bytes >= RESERVE,
        "it is intact"
    );
    // Somebody else takes the rest of the disk.
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    // Everything that was taken settles all the same: the reserve is given up when it must be.
    let (mut released, reader) = (0, stores.outbox.reader());
    for number in 0..taken {
        // Somebody looks at each step: what is pending is written to the tables, where it needs room, not gathered for
        // as long as the journal holds it.
        reader.health().expect("the tables are there to be read");
        while let Err(error) = stores.outbox.commit(&settled(number)) {
            assert_eq!(error, CommitError::Full);
            assert!(stores.space.release().expect("released"), "no room for message {number} of {taken}");
            released += 1;
        }
    }
    drop(reader);
    assert_eq!(released, 1, "the reserve was needed, once, and was enough");
    assert!(!stores.space.intake_allowed(1));
    assert_eq!(stores.outbox.load().expect("loaded").messages.len(), 0, "all settled");
    // A restart on the full disk, and one with room again.
    let more = disk.path().join("more");
    fill(&more);
    drop(stores);
    let mut stores = Stores::open(&path, RESERVE, NOW).expect("opens on a full disk");
    assert!(!stores.space.intake_allowed(1));
    assert_eq!(stores.outbox.reader().health().expect("health").messages, taken);
    assert!(matches!(stores.reachability.notice, Some(Notice::NotKept { .. })));
    fs::remove_file(&ballast).expect("removed");
    fs::remove_file(&more).expect("removed");
    assert!(stores.space.refresh(0).expect("room").intake_allowed, "open again by itself");
    stores.outbox.commit(&accepted(taken)).expect("committed");
}

/// Fills the disk to the last block.
fn fill(path: &Path) {
    let zeros = vec![0u8; 64 << 10];
    let mut file = fs::File::create(path).expect("a file");
    while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
}

// === one process at a time ===

/// Set for the second process of the test below: the folder that it shall try to open.
const SECOND: &str = "WASL_TEST_SECOND_PROCESS";

#[test]
fn a_second_process_is_refused_with_the_path_and_the_holder() {
    let folder = tempfile::tempdir().expect("a folder");
    let held = Folder::open(folder.path()).expect("opened");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "store_faults::the_second_process", "--nocapture"])
        .env(SECOND, folder.path())
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected =
        format!("{} is in use by another process (process {})", folder.path().display(), std::process::id());
    assert!(said.contains(&expected), "{said}");
    drop(held);
    Folder::open(folder.path()).expect("free again");
}

#[test]
fn the_second_process() {
    if let Some(path) = std::env::var_os(SECOND) {
        let refused = Folder::open(Path::new(&path)).expect_err("it is in use");
        println!("{refused}");
    }
}

// === a newer program ===

const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");
const CORRECTIONS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("correction");
const MESSAGES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("message");

/// A folder with an outbox of three messages, into which a newer program then writes a row.
fn written_by_a_newer_program(
    table: TableDefinition<&[u8], &[u8]>,
    key: &[u8],
    value: &[u8],
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = made(folder.path());
    let database = Database::open(path).expect("opened");
    let transaction = database.begin_write().expect("begun");
    transaction.open_table(table).expect("a table").insert(key, value).expect("written");
    transaction.commit().expect("committed");
    folder
}

/// Makes an outbox of three messages and returns its file.
fn made(folder: &Path) -> PathBuf {
    let folder = Folder::open(folder).expect("opened");
    let mut outbox = folder.open_outbox().expect("opened");
    for number in 0..3 {
        outbox.commit(&accepted(number)).expect("committed");
    }
    folder.path().join("outbox.redb")
}

fn raw_rows(path: &Path, table: TableDefinition<&[u8], &[u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let database = Database::open(path).expect("opened");
    let table = database.begin_read().expect("begun").open_table(table).expect("a table");
    let pairs = table.iter().expect("rows").map(|row| row.expect("a row"));
    pairs.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
}

#[test]
fn a_store_of_a_newer_program_is_refused_with_both_versions_and_left_alone() {
    // Plain, row version 1, format 999, position 7, clock 0.
    let meta = [0, 1, 0xE7, 0x07, 7, 0];
    let folder = written_by_a_newer_program(META, &[], &meta);
    let path = folder.path().join("outbox.redb");
    let before = (raw_rows(&path, META), raw_rows(&path, MESSAGES));
    let locked = Folder::open(folder.path()).expect("opened");
    let Err(refused) = locked.open_outbox() else { panic!("it was opened") };
    assert_eq!(refused, OpenError::Newer { path: path.clone(), what: "the store", found: 999, known: 10 });
    let said = refused.to_string();
    assert!(
        said.contains("999") && said.contains("up to 10") && said.contains("nothing was changed"),
        "{said}"
    );
    drop(locked);
    assert_eq!((raw_rows(&path, META), raw_rows(&path, MESSAGES)), before);
}

#[test]
fn a_row_of_a_newer_program_is_named_with_both_versions() {
    let folder = written_by_a_newer_program(MESSAGES, &id(1).to_bytes(), &[0, 200, 1, 2, 3]);
    let locked = Folder::open(folder.path()).expect("opened");
    let outbox = locked.open_outbox().expect("the store itself is known");
    let refused = outbox.load().expect_err("a row is newer");
    assert_eq!(refused, ReadError::Newer { what: "message", found: 200, known: 4 });
}

#[test]
fn a_store_of_an_older_program_is_taken_and_closed_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = made(folder.path());
    fs::remove_file(path.with_extension("journal")).expect("it had none");
    // Plain, row version 1, format 2, position 3, clock 0.
    let meta = [0, 1, 2, 3, 0];
    let transaction = Database::open(&path).expect("opened").begin_write().expect("begun");
    transaction.open_table(META).expect("a table").insert(&[][..], &meta[..]).expect("put");
    assert!(transaction.delete_table(CORRECTIONS).expect("deleted"), "it had none");
    transaction.commit().expect("committed");
    let locked = Folder::open(folder.path()).expect("opened");
    let mut outbox = locked.open_outbox().expect("known");
    // Its acts were taken into the chain, where an older program would not find them.
    outbox.load().expect("every row reads");
    let correction = |of| outbox.reader().answer(&Query::CorrectionOf(id(of))).expect("answered").value;
    assert!(matches!(correction(1), Answer::Nothing));
    outbox.commit(&accepted(7)).expect("committed");
    outbox.commit(&accepted(8)).expect("committed by the journal");
    assert_eq!(outbox.reader().health().expect("health").position, Position(5));
    drop((outbox, locked));
    assert_eq!(raw_rows(&path, META)[0].1[2], 10, "the format");
}

// === damage ===

#[test]
fn a_damaged_outbox_is_refused_with_a_remedy_and_no_panic() {
    let check = |damage: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        damage(&made(folder.path()));
        let locked = Folder::open(folder.path()).expect("opened");
        let Err(refused) = locked.open_outbox() else { panic!("it was opened") };
        let said = refused.to_string();
        assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
        assert!(said.contains("outbox.redb is damaged") && said.contains("restore a backup"), "{said}");
    };
    check(&|path| fs::write(path, b"this was a letter to the editor").expect("written"));
    check(&|path| fs::write(path, b"").expect("written"));
    check(&|path| fs::remove_file(path).expect("removed"));
    check(&|path| {
        let mut bytes = fs::read(path).expect("read");
        bytes[..4096].fill(0xA5);
        fs::write(path, bytes).expect("written");
    });
}

#[test]
fn a_journal_that_is_gone_is_said_with_a_remedy_and_an_empty_one_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = made(folder.path());
    let journal = path.with_extension("journal");
    let locked = Folder::open(folder.path()).expect("opened");
    fs::remove_file(&journal).expect("removed");
    let Err(refused) = locked.open_outbox() else { panic!("it was opened") };
    let said = refused.to_string();
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
    assert!(said.contains("outbox.journal is missing") && said.contains("empty that file"), "{said}");
    fs::write(&journal, b"").expect("made");
    let mut outbox = locked.open_outbox().expect("as the error said");
    assert_eq!(outbox.load().expect("loaded").messages.len(), 3);
    outbox.commit(&accepted(3)).expect("committed");
}

#[test]
fn a_journal_that_lost_what_it_had_promised_is_refused() {
    let disk = Disk::new();
    let mut outbox = on(&disk);
    for number in 0..3 {
        outbox.commit(&accepted_for(number, FEW)).expect("committed");
    }
    let [tables, mut journal] = disk.files();
    let second = journal.chunks(4096).position(|page| page[8..16] == 2u64.to_be_bytes()).expect("commit 2");
    journal[second * 4096 + 100] ^= 1;
    let refused = Disk::holding([tables, journal]).outbox().map(drop).expect_err("a commit is gone");
    assert!(refused.to_string().contains("commit 2 is missing and commit 3 is there"), "{refused}");
    assert_eq!(outbox.load().expect("the service that runs has it").messages.len(), 3);
}

#[test]
fn damage_anywhere_is_an_error_or_harmless_and_never_a_panic() {
    let disk = Disk::new();
    let mut outbox = on(&disk);
    for number in 0..12 {
        outbox.commit(&accepted_for(number, FEW)).expect("committed");
    }
    let good = disk.files();
    drop(outbox);
    let base = base_seed();
    for round in 0..60 {
        with_seed(base.wrapping_add(round), |rng| {
            // The journal is whole: it must not be taken for the end of other tables.
            let disk = Disk::holding([damaged(&good[0], rng), good[1].clone()]);
            let Ok(mut outbox) = disk.outbox() else { return };
            let _ = outbox.load();
            let _ = outbox.reader().rows(&mut |_| Walk::On);
            let _ = outbox.commit(&accepted(9));
        });
    }
}

fn damaged(good: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len());
        let len = (1 + rng.below(6000)).min(bytes.len() - at);
        bytes[at..at + len].iter_mut().for_each(|byte| *byte = rng.next() as u8);
    }
    bytes
}
