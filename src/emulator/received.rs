//! What an emulator received, as its recipient would see it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::SystemTime;

/// A message that a provider took.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// Its place among all that were taken, from 1.
    pub number: u64,
    /// When it was taken.
    pub at: SystemTime,
    /// The address as given by the sender: number, chat, mailbox.
    pub recipient: String,
    /// The sender's address, where the protocol carries one.
    pub sender: String,
    /// The text as the recipient's device shows it; of a template its parameters, one a line.
    pub text: String,
    /// The provider's id of the message, as given to the sender.
    pub provider_id: String,
    /// The sender's own reference, where the protocol carries one.
    pub attempt_ref: Option<String>,
    /// What only this provider has: `template`, `language`, `parts`, `coding`, `subject`, ..
    pub details: BTreeMap<&'static str, String>,
}

/// Numbers and texts stay out of logs, so out of `Debug` too.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("number", &self.number)
            .field("at", &self.at)
            .field("provider_id", &self.provider_id)
            .field("attempt_ref", &self.attempt_ref)
            .field("text_chars", &self.text.chars().count())
            .finish_non_exhaustive()
    }
}

/// The last messages taken: when full, the oldest goes.
#[derive(Debug)]
pub(crate) struct Ring {
    messages: VecDeque<Received>,
    keep: usize,
}

impl Ring {
    pub(crate) const fn new(keep: usize) -> Self {
        Self { messages: VecDeque::new(), keep }
    }

    pub(crate) fn push(&mut self, message: Received) {
        if self.keep == 0 {
            return;
        }
        if self.messages.len() >= self.keep {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.messages.iter().cloned().collect()
    }

    pub(crate) fn forget(&mut self) {
        self.messages.clear();
    }
}
