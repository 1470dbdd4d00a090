//! The power goes at a random point: what was acknowledged is there, whole, and nothing is there by half.
//!
//! `POWERCUT_ROUNDS` says how many points (100), `SEED` which: a failure prints the seed of its round.

use crate::support::media::{Disk, Survivors};
use crate::support::puts::{FEW_MESSAGES, Keys, put};
use crate::support::seeded::{Rng, base_seed, rounds, with_seed};
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wasl::core::time::{Span, Timestamp};
use wasl::store::outbox::memory::MemoryOutbox;
use wasl::store::outbox::redb::RedbOutbox;
use wasl::store::outbox::{Batch, Outbox, Put, Reader, Retention, Walk};

/// What is kept, in days of the few messages' ids.
const KEEP: Retention = Retention {
    deliveries: Span::from_hours(24),
    messages: Span::from_hours(48),
    idempotency: Span::from_hours(24),
    audit: Span::from_hours(36),
};

/// A store that lived, and what it acknowledged.
struct Life {
    disk: Disk,
    /// What the rows were at each position.
    states: Vec<Vec<Put>>,
    /// After how many writes each position was acknowledged.
    acknowledged: Vec<usize>,
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_point() {
    let base = base_seed();
    for round in 0..rounds("POWERCUT_ROUNDS", 100) {
        with_seed(base.wrapping_add(round), |rng| {
            let life = live(rng);
            let cut = rng.below(life.disk.writes() + 1);
            let found = life.disk.after_cut(cut, &mut |_| fate(rng));
            // Once more, while it recovers from the first.
            let recorded = open(&found);
            drop(recorded);
            let again = found.after_cut(rng.below(found.writes() + 1), &mut |_| fate(rng));
            for disk in [found, again] {
                check(&life, cut, &disk);
            }
        });
    }
}

fn fate(rng: &mut Rng) -> Survivors {
    match rng.below(3) {
        0 => Survivors::All,
        1 => Survivors::None,
        _ => Survivors::Sectors(rng.next()),
    }
}

/// A store is made, and commits a few batches.
fn live(rng: &mut Rng) -> Life {
    let disk = Disk::holding(made());
    let mut outbox = open(&disk);
    let mut model = MemoryOutbox::new();
    let mut life = Life { disk, states: vec![Vec::new()], acknowledged: vec![0] };
    for batch in batches(rng) {
        outbox.commit(&batch).expect("committed");
        model.commit(&batch).expect("committed");
        life.acknowledged.push(life.disk.writes());
        life.states.push(rows(model.reader().as_ref()));
        match rng.below(6) {
            // Somebody reads, and what the journal has goes to the tables.
            0 | 1 => drop(outbox.reader().health().expect("health")),
            2 => {
                let now = Timestamp::from_ms(
                    Span::from_hours(24 * rng.below(FEW_MESSAGES as usize + 2) as i64).ms(),
                );
                let [held, modelled] = [&mut outbox as &mut dyn Outbox, &mut model]
                    .map(|outbox| outbox.retain(&KEEP, now, 9).expect("retained"));
                assert_eq!(held, modelled);
                if held.removed > 0 {
                    life.acknowledged.push(life.disk.writes());
                    life.states.push(rows(model.reader().as_ref()));
                }
            }
            _ => {}
        }
    }
    life
}

/// A new store, as it lies on disk once it has its name.
fn made() -> [Vec<u8>; 2] {
    let disk = Disk::new();
    drop(open(&disk));
    disk.files()
}

fn open(disk: &Disk) -> RedbOutbox {
    disk.outbox().expect("a store whose power went opens")
}

fn batches(rng: &mut Rng) -> Vec<Batch> {
    let seed: [u8; 32] = std::array::from_fn(|_| rng.next() as u8);
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let batches = vec(vec(put(Keys::Few), 0..30), 1..12).new_tree(&mut runner);
    batches.expect("made").current()
}

fn check(life: &Life, cut: usize, disk: &Disk) {
    let outbox = open(disk);
    let reader = outbox.reader();
    let position = reader.health().expect("health").position.0 as usize;
    let promised = life.acknowledged.partition_point(|writes| *writes <= cut) - 1;
    assert!(position >= promised, "position {promised} was acknowledged, and {position} is left");
    // The commit that was under way may have made it; none after it can have begun.
    assert!(position <= promised + 1, "position {position} was never reached");
    assert_eq!(rows(reader.as_ref()), life.states[position], "position {position} is not whole");
    outbox.load().expect("loaded");
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
