//! Who can be reached: people counted by the channels that they have, and the ways out that are usable now.
//!
//! A *road* is a gateway that may be used now, of a channel on which the person has an address that has not opted out.
//! Somebody with no road cannot be reached, and somebody with one is lost with it.
//!
//! Invariant: its size is bounded by [`CLASSES_MAX`] and [`AUDIENCES_MAX`], never by the address book alone.

use super::channel::{CHANNELS, Channel, ChannelSet};
use super::query::Contact;
use super::time::Timestamp;
use super::view::View;
use std::collections::BTreeMap;

/// How many kinds of people are told apart: those of the same audiences with the same channels are one. A house has some
/// hundreds.
pub const CLASSES_MAX: usize = 100_000;
/// How many audiences are counted by name.
pub const AUDIENCES_MAX: usize = 5_000;

/// The ways out that may be used now, by channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Roads([u32; CHANNELS]);

/// The address book, by kinds of people.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roll {
    classes: BTreeMap<(ChannelSet, Vec<u16>), u64>,
    audiences: BTreeMap<String, u16>,
    /// Whether everybody's audiences were counted by name.
    left_out: u64,
}

/// How many people there are, and how many of them have no road and one road.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// All of them.
    pub people: u64,
    /// Who cannot be reached.
    pub none: u64,
    /// Who can be reached by one road only.
    pub one: u64,
}

/// Who can be reached now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// When the gateways stood so.
    pub at: Timestamp,
    /// When the address book was counted; `None`: not yet.
    pub counted_at: Option<Timestamp>,
    /// Everybody.
    pub all: Reached,
    /// By audience; a person of several is in each.
    pub audiences: BTreeMap<String, Reached>,
    /// How many people take messages on the channel, and how many of its gateways may be used.
    pub channels: BTreeMap<Channel, (u64, u32)>,
    /// How many people's audiences were too many to be counted by name.
    pub left_out: u64,
}

// === impls ===

impl Roads {
    /// Returns those of a picture.
    pub fn of(view: &View) -> Roads {
        let mut roads = Roads::default();
        for channel in &view.channels {
            roads.0[channel.channel as usize] = channel.usable;
        }
        roads
    }

    /// Returns how many lead to somebody with these channels.
    pub fn to(&self, channels: ChannelSet) -> u32 {
        channels.iter().map(|channel| self.on(channel)).sum()
    }

    /// Returns how many a channel has.
    pub fn on(&self, channel: Channel) -> u32 {
        self.0[channel as usize]
    }
}

impl Roll {
    /// Counts a person who takes messages on these channels.
    pub fn add(&mut self, contact: &Contact, channels: ChannelSet) {
        let mut of = Vec::new();
        for audience in &contact.person.audiences {
            let known = self.audiences.get(audience).copied();
            let number = known.or_else(|| {
                let next = u16::try_from(self.audiences.len()).ok()?;
                (usize::from(next) < AUDIENCES_MAX).then(|| {
                    self.audiences.insert(audience.clone(), next);
                    next
                })
            });
            match number {
                Some(number) => of.push(number),
                None => self.left_out += 1,
            }
        }
        let mut class = (channels, of);
        if self.classes.len() >= CLASSES_MAX && !self.classes.contains_key(&class) {
            self.left_out += 1;
            class = (channels, Vec::new());
        }
        *self.classes.entry(class).or_default() += 1;
    }

    /// Says who of them can be reached by these roads.
    pub fn reach(&self, roads: &Roads, at: Timestamp, counted_at: Option<Timestamp>) -> Reach {
        let names: Vec<&String> = {
            let mut by_number: Vec<_> = self.audiences.iter().map(|(name, number)| (*number, name)).collect();
            by_number.sort_unstable();
            by_number.into_iter().map(|(_, name)| name).collect()
        };
        let mut reach = Reach { at, counted_at, left_out: self.left_out, ..Reach::default() };
        let mut audiences = vec![Reached::default(); names.len()];
        let mut addressed = [0_u64; CHANNELS];
        for ((channels, of), people) in &self.classes {
            let roads = roads.to(*channels);
            reach.all.add(*people, roads);
            of.iter().for_each(|number| audiences[usize::from(*number)].add(*people, roads));
            channels.iter().for_each(|channel| addressed[channel as usize] += people);
        }
        reach.audiences = names.into_iter().cloned().zip(audiences).collect();
        let known = |channel: &Channel| addressed[*channel as usize] > 0 || roads.on(*channel) > 0;
        reach.channels = Channel::ALL
            .into_iter()
            .filter(known)
            .map(|channel| (channel, (addressed[channel as usize], roads.on(channel))))
            .collect();
        reach
    }
}

impl Reached {
    fn add(&mut self, people: u64, roads: u32) {
        self.people += people;
        match roads {
            0 => self.none += people,
            1 => self.one += people,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Recipient;

    fn contact(id: &str, audiences: &[&str], channels: &[Channel]) -> Contact {
        let person = Recipient {
            audiences: audiences.iter().map(|name| (*name).to_owned()).collect(),
            addresses: channels.iter().map(|channel| (*channel, "x".to_owned())).collect(),
            ..Recipient::default()
        };
        Contact { id: id.into(), person, ..Contact::default() }
    }

    fn add(roll: &mut Roll, contact: Contact) {
        roll.add(&contact, contact.person.channels());
    }

    #[test]
    fn people_are_counted_by_their_roads() {
        use Channel::{Email, Signal, Sms};
        let mut roll = Roll::default();
        add(&mut roll, contact("a", &["east", "staff"], &[Sms, Signal]));
        add(&mut roll, contact("b", &["east"], &[Sms, Signal]));
        add(&mut roll, contact("c", &["east"], &[Sms]));
        add(&mut roll, contact("d", &["west"], &[Email]));
        add(&mut roll, contact("e", &[], &[]));
        let mut roads = Roads::default();
        roads.0[Sms as usize] = 1;
        roads.0[Signal as usize] = 2;
        let reach = roll.reach(&roads, Timestamp::default(), None);
        assert_eq!(reach.all, Reached { people: 5, none: 2, one: 1 });
        assert_eq!(reach.audiences["east"], Reached { people: 3, none: 0, one: 1 });
        assert_eq!(reach.audiences["west"], Reached { people: 1, none: 1, one: 0 });
        assert_eq!(reach.audiences["staff"], Reached { people: 1, none: 0, one: 0 });
        assert_eq!(reach.channels[&Sms], (3, 1));
        assert_eq!(reach.channels[&Email], (1, 0));
        assert_eq!(reach.channels.len(), 3);
        // The only road of one, and a third of another's.
        roads.0[Sms as usize] = 0;
        assert_eq!(
            roll.reach(&roads, Timestamp::default(), None).all,
            Reached { people: 5, none: 3, one: 0 }
        );
    }

    #[test]
    fn audiences_without_number_are_told() {
        let mut roll = Roll::default();
        for n in 0..AUDIENCES_MAX + 2 {
            add(&mut roll, contact("a", &[&format!("a-{n}")], &[Channel::Sms]));
        }
        let reach = roll.reach(&Roads::default(), Timestamp::default(), None);
        assert_eq!((reach.left_out, reach.audiences.len()), (2, AUDIENCES_MAX));
        assert_eq!(reach.all.people, AUDIENCES_MAX as u64 + 2, "nobody is left out of the whole");
    }
}
