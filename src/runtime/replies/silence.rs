//! Who wants nothing more on a channel: such an address is never used there, however grave the message; the person's
//! other addresses are.
//!
//! Limits: [`OPT_OUTS_MAX`] addresses, each by a digest of 16 bytes; what is beyond is on disk, and said loudly.

use crate::core::channel::{CHANNELS, Channel, ChannelSet};
use crate::core::message::Recipient;
use crate::core::record::AddressDigest;
use crate::core::reply::OPT_OUTS_MAX;
use ring::digest::{SHA256, digest};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

/// The addresses that are left in silence.
#[derive(Default)]
pub(crate) struct Silence {
    kept: RwLock<BTreeSet<(Channel, AddressDigest)>>,
    /// How often it was changed.
    changes: AtomicU64,
}

impl Silence {
    /// Begins with those that the store kept.
    pub(crate) fn new(kept: Vec<(Channel, AddressDigest)>) -> Silence {
        Silence { kept: RwLock::new(kept.into_iter().collect()), changes: AtomicU64::new(0) }
    }

    /// Says whether an address must not be used.
    pub(crate) fn covers(&self, channel: Channel, address: &str) -> bool {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        !kept.is_empty() && kept.contains(&(channel, address_digest(channel, address)))
    }

    /// Returns the channels on which a person has an address that may be used.
    pub(crate) fn open_channels(&self, person: &Recipient) -> ChannelSet {
        let open = person.addresses.iter().filter(|(channel, address)| !self.covers(**channel, address));
        open.map(|(channel, _)| *channel).collect()
    }

    /// Returns how often it was changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// Takes what was decided, once it is on disk.
    pub(crate) fn put(&self, channel: Channel, address: AddressDigest, out: bool) {
        self.changes.fetch_add(1, Relaxed);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        match out {
            false => drop(kept.remove(&(channel, address))),
            true if kept.len() < OPT_OUTS_MAX => drop(kept.insert((channel, address))),
            true => {
                tracing::error!("more addresses opted out than are kept in mind: this one is on record alone")
            }
        }
    }

    /// Returns how many addresses of each channel are left in silence, in the order of `Channel::ALL`.
    pub(crate) fn counts(&self) -> [u64; CHANNELS] {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let mut counts = [0; CHANNELS];
        kept.iter().for_each(|(channel, _)| counts[*channel as usize] += 1);
        counts
    }
}

/// Returns the digest by which an address on a channel is known.
pub(crate) fn address_digest(channel: Channel, address: &str) -> AddressDigest {
    let whole = digest(&SHA256, format!("{channel}\0{address}").as_bytes());
    std::array::from_fn(|place| whole.as_ref()[place])
}
