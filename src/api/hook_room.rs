//! Room for providers' calls: the bytes of their bodies, and the calls that are handled at once.
//!
//! Limits: [`BYTES_MAX`] and [`CALLS_MAX`] in all, [`BYTES_SHARE`] and [`CALLS_SHARE`] for one gateway, so that who knows
//! one gateway's name does not close the door of the others.
//!
//! Invariant: what is held is given back when its [`Held`] is dropped, however the call ends.

use super::hooks::HOOK_BYTES_MAX;
use super::problem::{Kind, Problem};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes of bodies may be in memory at once. A usual call has a few KiB.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many of them may be one gateway's.
const BYTES_SHARE: usize = BYTES_MAX / 8;
const _: () = assert!(BYTES_SHARE >= HOOK_BYTES_MAX, "the longest call has room");
/// How many calls are handled at once.
const CALLS_MAX: usize = 64;
/// How many of them may be one gateway's.
const CALLS_SHARE: usize = CALLS_MAX / 2;

/// The room, and who holds how much of it.
#[derive(Debug, Default)]
pub(crate) struct HookRoom(Mutex<Loads>);

#[derive(Debug, Default)]
struct Loads {
    all: Load,
    /// By gateway; those that hold nothing are not in it.
    each: BTreeMap<String, Load>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Load {
    bytes: usize,
    calls: usize,
}

/// What one call holds.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    room: &'a HookRoom,
    gateway: String,
    load: Load,
}

// === impls ===

impl HookRoom {
    /// Begins a call for a gateway that is known; it holds nothing yet.
    pub(crate) fn hold(&self, gateway: &str) -> Held<'_> {
        Held { room: self, gateway: gateway.to_owned(), load: Load::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Loads> {
        // Nothing that could panic runs under the lock half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Takes room for so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.take(Load { bytes, calls: 0 }, "other calls of providers are being read")
    }

    /// Takes a place among the calls that are handled.
    pub(crate) fn begin(&mut self) -> Result<(), Problem> {
        self.take(Load { bytes: 0, calls: 1 }, "other calls of providers are being handled")
    }

    fn take(&mut self, more: Load, else_why: &str) -> Result<(), Problem> {
        let mut loads = self.room.lock();
        let own = loads.each.get(&self.gateway).copied().unwrap_or_default().plus(more);
        let all = loads.all.plus(more);
        let fits = all.within(BYTES_MAX, CALLS_MAX) && own.within(BYTES_SHARE, CALLS_SHARE);
        if !fits {
            return Err(Problem::new(Kind::TooMany, else_why).retry_after(1));
        }
        loads.all = all;
        loads.each.insert(self.gateway.clone(), own);
        self.load = self.load.plus(more);
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.load == Load::default() {
            return;
        }
        let mut loads = self.room.lock();
        loads.all = loads.all.minus(self.load);
        let left = loads.each.get(&self.gateway).copied().unwrap_or_default().minus(self.load);
        match left == Load::default() {
            true => drop(loads.each.remove(&self.gateway)),
            false => drop(loads.each.insert(self.gateway.clone(), left)),
        }
    }
}

impl Load {
    fn plus(self, other: Load) -> Load {
        Load { bytes: self.bytes.saturating_add(other.bytes), calls: self.calls.saturating_add(other.calls) }
    }

    fn minus(self, other: Load) -> Load {
        Load { bytes: self.bytes.saturating_sub(other.bytes), calls: self.calls.saturating_sub(other.calls) }
    }

    fn within(self, bytes: usize, calls: usize) -> bool {
        self.bytes <= bytes && self.calls <= calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_leaves_room_to_the_others_and_gives_back_its_own() {
        let room = HookRoom::default();
        let mut held: Vec<_> = (0..CALLS_MAX).map(|_| room.hold("one")).collect();
        let begun = held.iter_mut().filter_map(|call| call.begin().ok()).count();
        assert_eq!(begun, CALLS_SHARE);
        assert!(held[0].grow(BYTES_SHARE).is_ok());
        assert!(held[1].grow(1).is_err(), "its share is used up");
        let mut other = room.hold("other");
        assert!(other.begin().is_ok() && other.grow(HOOK_BYTES_MAX).is_ok());

        // All of them together keep to the whole.
        let names: Vec<_> = (0..9).map(|n| format!("g{n}")).collect();
        let mut many: Vec<_> = names.iter().map(|name| room.hold(name)).collect();
        let grown = many.iter_mut().filter_map(|call| call.grow(BYTES_SHARE).ok()).count();
        assert_eq!(grown, 6, "the first has its share and the other a part of one");

        drop((held, other, many));
        let loads = room.lock();
        assert_eq!((loads.all, loads.each.len()), (Load::default(), 0));
    }
}
