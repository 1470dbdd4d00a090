//! Places for connections that are served: how many at once, and how many from one address.
//!
//! Limits: [`CONNECTIONS_MAX`], and fewer where the files do not reach: [`FILES_KEPT`] are kept for what goes out. One
//! address holds at most a [`SHARE`]th of them, but for neighbours: this machine itself and the trusted proxies, behind
//! whom everybody is.
//!
//! Invariant: strangers who connect and say nothing leave the files that sending needs.

use crate::settings::Network;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections are served at once. Each costs about 20 KB.
const CONNECTIONS_MAX: u64 = 2048;
/// The files kept from the connections: 256 probes at once, as many connections to gateways and resolvers, and the
/// store's, the watched folders' and the log's.
const FILES_KEPT: u64 = 640;
/// Where there are so few files that nothing would remain, this share of them is for connections.
const LEAST_SHARE: u64 = 4;
/// One address may hold this share of the places: eight are needed to fill them.
const SHARE: u64 = 8;

/// The places of a listener.
#[derive(Debug)]
pub struct Places {
    room: Arc<Semaphore>,
    all: u32,
    each: u32,
    trusted: Vec<Network>,
    taken: Arc<Mutex<BTreeMap<IpAddr, u32>>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _room: OwnedSemaphorePermit,
    /// The stranger who holds it; a neighbour is not counted.
    stranger: Option<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    from: IpAddr,
    taken: Arc<Mutex<BTreeMap<IpAddr, u32>>>,
}

// === impls ===

impl Places {
    /// Builds the places that so many open files allow. `trusted`: the proxies, which may hold them all.
    pub fn within(files: u64, trusted: Vec<Network>) -> Places {
        let room = files.saturating_sub(FILES_KEPT).max(files / LEAST_SHARE);
        Places::new(u32::try_from(room.clamp(1, CONNECTIONS_MAX)).unwrap_or(1), trusted)
    }

    fn new(all: u32, trusted: Vec<Network>) -> Places {
        Places {
            room: Arc::new(Semaphore::new(all as usize)),
            all,
            each: u32::try_from(u64::from(all) / SHARE).unwrap_or(1).max(1),
            trusted,
            taken: Arc::default(),
        }
    }

    /// Waits until anybody may come in. Never `None`: the room is not closed.
    pub(crate) async fn any(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Gives the place to an address, unless it has as many as one may have.
    pub(crate) fn take(&self, room: OwnedSemaphorePermit, from: IpAddr) -> Option<Place> {
        let from = from.to_canonical();
        if from.is_loopback() || self.trusted.iter().any(|network| network.contains(from)) {
            return Some(Place { _room: room, stranger: None });
        }
        let from = household(from);
        let mut taken = lock(&self.taken);
        let his = taken.entry(from).or_default();
        if *his >= self.each {
            return None;
        }
        *his += 1;
        Some(Place { _room: room, stranger: Some(Stranger { from, taken: Arc::clone(&self.taken) }) })
    }

    /// Waits until every connection has ended.
    pub(crate) async fn all_free(&self) {
        // The room is not closed.
        let _ = self.room.acquire_many(self.all).await;
    }
}

impl Place {
    /// Says whether it is a neighbour's: of this machine, or a trusted proxy's.
    pub(crate) fn is_neighbours(&self) -> bool {
        self.stranger.is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.from) {
            Some(his) if *his > 1 => *his -= 1,
            _ => drop(taken.remove(&self.from)),
        }
    }
}

fn lock(taken: &Mutex<BTreeMap<IpAddr, u32>>) -> MutexGuard<'_, BTreeMap<IpAddr, u32>> {
    // Nothing that could panic runs under the lock.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what one line is given: an address, or of the sixth version the 64 bits before the interface's own.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sending_keeps_its_files() {
        let check = |files, places| assert_eq!(Places::within(files, vec![]).all, places, "{files}");
        check(u64::MAX, 2048);
        check(65_536, 2048);
        // wrk's 256 of the benchmark fit where nothing can be raised.
        check(1024, 384);
        check(256, 64);
        check(0, 1);
    }

    #[test]
    fn an_address_holds_its_share_and_a_neighbour_more() {
        let proxies = vec![Network::parse("203.0.113.0/24").unwrap()];
        let places = Places::new(64, proxies);
        let come = |from: &str| {
            let room = Arc::clone(&places.room).try_acquire_owned().expect("there is room");
            places.take(room, from.parse().unwrap())
        };
        let check = |from: [&str; 2], held: usize| {
            let places: Vec<_> = (0..20).map_while(|n| come(from[n % 2])).collect();
            assert_eq!(places.len(), held, "{from:?}");
        };
        // Whoever leaves makes room: each check begins anew.
        for _ in 0..2 {
            check(["192.0.2.1", "::ffff:192.0.2.1"], 8);
            check(["2001:db8::1", "2001:db8::ffff:0:0:1"], 8);
            check(["192.0.2.1", "192.0.2.2"], 16);
            check(["127.0.0.1", "::1"], 20);
            check(["203.0.113.7", "203.0.113.7"], 20);
        }
        assert!(lock(&places.taken).is_empty(), "nobody is remembered");
        assert_eq!(places.room.available_permits(), 64);
    }
}
