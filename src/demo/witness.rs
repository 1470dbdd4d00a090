//! Witnesses: what the emulators took, and when gateways changed their state. Neither asks the service's own record.

use super::plan::number_in;
use crate::core::channel::Channel;
use crate::core::time::Timestamp;
use crate::core::view::{State, View};
use crate::emulator::Received;
use std::collections::BTreeMap;

/// The most changes of state that are kept: a gateway that flaps each second for a day.
const CHANGES_MAX: usize = 100_000;

/// A message at one of a person's addresses, without the plus of a number, which providers write or leave out.
type Key = (u32, Channel, String);

/// Counts copies as recipients would.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    copies: BTreeMap<Key, u32>,
    seen: BTreeMap<Channel, u64>,
}

/// A gateway's change of state.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Change {
    pub(crate) gateway: String,
    pub(crate) to: State,
    /// When it could first be seen, not when the service says that it began.
    pub(crate) at: Timestamp,
}

/// Notes how gateways change.
#[derive(Debug, Default)]
pub(crate) struct Watchman {
    states: BTreeMap<String, State>,
    pub(crate) changes: Vec<Change>,
}

// === impls ===

impl Mailboxes {
    /// Counts what is new among what the emulators keep.
    pub(crate) fn collect(&mut self, received: Vec<(Channel, Vec<Received>)>) {
        for (channel, messages) in received {
            let seen = self.seen.entry(channel).or_default();
            for message in messages.iter().filter(|m| m.number > *seen) {
                if let Some(number) = number_in(&message.text) {
                    *self.copies.entry(key(number, channel, &message.recipient)).or_default() += 1;
                }
            }
            *seen = messages.last().map_or(*seen, |message| message.number.max(*seen));
        }
    }

    /// Returns how many copies of a message came to these addresses.
    pub(crate) fn copies(&self, number: u32, addresses: &BTreeMap<Channel, String>) -> u32 {
        let at = |(channel, address): (&Channel, &String)| {
            self.copies.get(&key(number, *channel, address)).copied()
        };
        addresses.iter().filter_map(at).sum()
    }

    /// Returns how many copies came in all, by channel.
    pub(crate) fn by_channel(&self) -> BTreeMap<Channel, u64> {
        let mut all = BTreeMap::new();
        for ((_, channel, _), copies) in &self.copies {
            *all.entry(*channel).or_default() += u64::from(*copies);
        }
        all
    }
}

fn key(number: u32, channel: Channel, address: &str) -> Key {
    (number, channel, address.trim_start_matches('+').to_owned())
}

impl Watchman {
    /// Looks at the latest picture.
    pub(crate) fn look(&mut self, view: &View) {
        for gateway in &view.gateways {
            let before = self.states.insert(gateway.name.clone(), gateway.state);
            if before != Some(gateway.state) && self.changes.len() < CHANGES_MAX {
                let (name, to) = (gateway.name.clone(), gateway.state);
                self.changes.push(Change { gateway: name, to, at: view.at });
            }
        }
    }

    /// Returns when a gateway was first seen in one of these states at or after `from`.
    pub(crate) fn first(&self, gateway: &str, states: &[State], from: Timestamp) -> Option<Timestamp> {
        let fits = |c: &&Change| c.gateway == gateway && states.contains(&c.to) && c.at >= from;
        self.changes.iter().find(fits).map(|change| change.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_counted_once_and_numbers_with_or_without_a_plus() {
        let got = |number: u64, recipient: &str| Received {
            number,
            at: std::time::SystemTime::UNIX_EPOCH,
            recipient: recipient.into(),
            sender: String::new(),
            text: "Leave now #7".into(),
            provider_id: String::new(),
            attempt_ref: None,
            details: BTreeMap::new(),
        };
        let mut boxes = Mailboxes::default();
        boxes.collect(vec![(Channel::Sms, vec![got(1, "99910000001")])]);
        boxes.collect(vec![(Channel::Sms, vec![got(1, "99910000001"), got(2, "+99910000001")])]);
        let addresses = [(Channel::Sms, "+99910000001".to_owned())].into();
        assert_eq!((boxes.copies(7, &addresses), boxes.copies(8, &addresses)), (2, 0));
        assert_eq!(boxes.by_channel()[&Channel::Sms], 2);
    }
}
