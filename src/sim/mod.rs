//! The same core in a made-up world: one seed, one virtual clock, gateways with loss, delay, false success, duplicate
//! and early receipts, quotas, a clock that jumps, a process that dies between turns.
//!
//! First safety (nothing lost, nothing sent twice unmarked), then progress: the faults end, and every delivery must
//! settle by its expiry. A failing run prints its seed.
//!
//! Invariant: nothing here reads a clock or draws from anything but the seed.

mod checkers;
mod faults;
pub mod scenario;
mod world;

pub use checkers::Broken;
pub use world::Outline;

/// Runs one seed to its end.
///
/// # Errors
/// Returns the first invariant that did not hold, with the virtual time and what was seen.
pub fn run(seed: u64) -> Result<Outline, Broken> {
    let mut world = world::World::draw(seed);
    world.trouble()?;
    world.heal()?;
    world.finish()
}
