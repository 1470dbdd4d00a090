//! A stable loop over every parser: mutated texts from a seed, the same on every run. `FUZZ_ROUNDS=n` makes it longer,
//! `SEED=n` another.

#[path = "fuzz/chance.rs"]
mod chance;
#[path = "fuzz/feeds.rs"]
mod feeds;
#[path = "fuzz/files.rs"]
mod files;
