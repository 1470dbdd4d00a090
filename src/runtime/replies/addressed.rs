//! Who was written to: from an address to the deliveries that were for it, newest first.
//!
//! Built when a reply that quotes nothing comes, from the audiences as they are stored, so that it costs nothing to send:
//! a message that nobody answers is never looked at. A digest of each address is kept, in 12 bytes; what is found is
//! compared with the stored address by whoever asks. A message whose rows make no sense is left out, and said once.
//!
//! Limits: [`ADDRESSES_MAX`] addresses and [`MESSAGES_MAX`] messages, the newest; an older message is answered by quoting
//! it.

use super::find::is_damage;
use crate::core::channel::Channel;
use crate::core::ids::{DeliveryId, MessageId};
use crate::core::message::{CHUNK_RECIPIENTS, Message};
use crate::core::query::{Answer, Query};
use crate::core::reply::digest;
use crate::core::time::Timestamp;
use crate::store::outbox::{ReadError, Reader};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many addresses are known: 48 MB at most. An alert to a million people with three addresses each fits.
const ADDRESSES_MAX: usize = 4_000_000;
/// Of how many messages: a look-up goes through them one by one, in some 2 ms at most.
const MESSAGES_MAX: usize = 20_000;
/// How many messages are read at once.
const PAGE: usize = 100;

/// The addresses of the newest messages.
#[derive(Default)]
pub(super) struct Addressed {
    /// Oldest first.
    books: VecDeque<Book>,
    addresses: usize,
    /// The newest message that was looked at.
    upto: Option<MessageId>,
    /// Whether it was said that messages cannot be read.
    is_said: bool,
}

/// The addresses of one message's audience, in the order of their digests.
struct Book {
    message: MessageId,
    digests: Box<[u64]>,
    indexes: Box<[u32]>,
}

impl Addressed {
    /// Brings it up to date: with every message accepted since then.
    pub(super) fn refresh(&mut self, reader: &dyn Reader, since: Timestamp) -> Result<(), ReadError> {
        while self.books.front().is_some_and(|book| book.message.at() < since) {
            self.forget_oldest();
        }
        // Oldest first, so that a failure half-way leaves no gap.
        for message in self.newer(reader, since)?.into_iter().rev() {
            let book = match Book::read(reader, &message) {
                Err(error) if is_damage(&error) => {
                    tracing::error!(%error, id = %message.id, "whom a message is for cannot be read; who answers it must quote it");
                    Book::of_nobody(message.id)
                }
                book => book?,
            };
            self.addresses += book.digests.len();
            self.books.push_back(book);
            self.upto = Some(message.id);
            while self.books.len() > MESSAGES_MAX || (self.addresses > ADDRESSES_MAX && self.books.len() > 1)
            {
                self.forget_oldest();
            }
        }
        Ok(())
    }

    /// Returns the deliveries that were for this address, newest first.
    pub(super) fn find(&self, channel: Channel, address: &str) -> impl Iterator<Item = DeliveryId> {
        let wanted = digest_of(channel, address);
        self.books.iter().rev().flat_map(move |book| {
            let first = book.digests.partition_point(|digest| *digest < wanted);
            let same = book.digests[first..].iter().take_while(move |digest| **digest == wanted);
            same.zip(&book.indexes[first..]).map(|(_, index)| DeliveryId::new(book.message, *index))
        })
    }

    /// Returns the messages that are not known yet, newest first, as many as there is room for.
    fn newer(&mut self, reader: &dyn Reader, since: Timestamp) -> Result<Vec<Arc<Message>>, ReadError> {
        let (mut found, mut people, mut before) = (Vec::new(), 0, None);
        loop {
            let page = match reader.answer(&Query::Messages { before, limit: PAGE }) {
                Err(error) if is_damage(&error) => {
                    if !std::mem::replace(&mut self.is_said, true) {
                        tracing::error!(%error, "messages cannot be read; who answers an older one must quote it");
                    }
                    return Ok(found);
                }
                page => page?.value,
            };
            let Answer::Messages(page) = page else { return Ok(found) };
            let is_last = page.len() < PAGE;
            for (message, _) in page {
                let is_known = self.upto.is_some_and(|upto| message.id <= upto);
                if is_known || message.accepted_at < since || people >= ADDRESSES_MAX {
                    return Ok(found);
                }
                before = Some(message.id);
                people += message.recipients as usize;
                found.push(message);
            }
            if is_last || found.len() >= MESSAGES_MAX {
                return Ok(found);
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(gone) = self.books.pop_front() {
            self.addresses -= gone.digests.len();
        }
    }
}

impl Book {
    fn of_nobody(message: MessageId) -> Book {
        Book { message, digests: Box::default(), indexes: Box::default() }
    }

    fn read(reader: &dyn Reader, message: &Message) -> Result<Book, ReadError> {
        let mut entries = Vec::new();
        for chunk in 0..(message.recipients as usize).div_ceil(CHUNK_RECIPIENTS) as u32 {
            let people = reader.audience(message.id, chunk)?.value.unwrap_or_default();
            let first = chunk * CHUNK_RECIPIENTS as u32;
            for (index, person) in (first..).zip(&people) {
                let of = |(channel, address): (&Channel, &String)| (digest_of(*channel, address), index);
                entries.extend(person.addresses.iter().map(of));
            }
        }
        entries.sort_unstable();
        let digests = entries.iter().map(|(digest, _)| *digest).collect();
        let indexes = entries.iter().map(|(_, index)| *index).collect();
        Ok(Book { message: message.id, digests, indexes })
    }
}

fn digest_of(channel: Channel, address: &str) -> u64 {
    digest(&[channel.name().as_bytes(), address.as_bytes()])
}
