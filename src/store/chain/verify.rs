//! Looks a chain of acts through from its anchor on, and says where it breaks first, what that means and what to do.

use super::{hashed, sha256};
use crate::core::audit::{Anchor, Hash, Head};
use crate::core::query::{ActsFrom, Answer, Query, ROWS_MAX};
use crate::store::outbox::{ReadError, Reader};

/// What is expected next of a chain.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// The last act that was in order.
    last: Head,
    /// Where the chain began.
    first: u64,
    /// A head that somebody kept elsewhere.
    pinned: Option<Head>,
}

/// Where a chain breaks, and how.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// A chain that begins with its first act has another hash there than 64 zeros.
    #[error(
        "the chain begins with act 1 and its anchor names the hash of an earlier one: the anchor was changed; {DO}"
    )]
    Anchor,
    /// A number is missing or in the wrong place.
    #[error(
        "after act {after} comes act {found}: what is between was removed, or acts were put in another order; {DO}"
    )]
    Order {
        /// The last act that was in order.
        after: u64,
        /// What came next.
        found: u64,
    },
    /// An act is not what was hashed.
    #[error("act {number} was changed after it was written: its bytes do not have its hash; {DO}")]
    Changed {
        /// Its number.
        number: u64,
    },
    /// An act does not name the one before.
    #[error("act {number} does not follow act {}: one of the two was exchanged as a whole; {DO}", number - 1)]
    Exchanged {
        /// Its number.
        number: u64,
    },
    /// An act has another hash than the head that was kept elsewhere.
    #[error(
        "act {number} is another than the one whose hash was kept: the chain up to it was written anew; {DO}"
    )]
    Rewritten {
        /// Its number.
        number: u64,
    },
    /// The chain ends too soon.
    #[error(
        "the chain ends with act {last} and act {kept} was there: its end was cut off, or an older copy of the store is in use; {DO}"
    )]
    Cut {
        /// The last act.
        last: u64,
        /// The one that was there.
        kept: u64,
    },
}

/// What to do with every kind of break.
const DO: &str = "keep this store and its files as they are, compare them with a backup or an earlier export, and ask who could write \
                  to the disk";

/// Looks a store's chain through, from its anchor to its end; returns the end, or where it breaks first.
pub fn of_store(reader: &dyn Reader) -> Result<Result<Head, Broken>, ReadError> {
    let Answer::ChainEnds(anchor, head) = reader.answer(&Query::ChainEnds)?.value else {
        return Err(ReadError::Corrupt("it does not say where its chain of acts ends".into()));
    };
    let mut verifier = match Verifier::begin(anchor, None) {
        Ok(verifier) => verifier,
        Err(broken) => return Ok(Err(broken)),
    };
    // From the very first: an act before the anchor is one that was put there.
    let mut after = 0;
    loop {
        let query = Query::Acts { from: ActsFrom::After(after), limit: ROWS_MAX };
        let Answer::Acts(links) = reader.answer(&query)?.value else { break };
        for link in &links {
            if let Err(broken) = verifier.take(link.number, link.prev, link.hash, hashed(link).as_bytes()) {
                return Ok(Err(broken));
            }
        }
        match links.last() {
            Some(last) => after = last.number,
            None => break,
        }
    }
    Ok(verifier.end(head).map(|()| head))
}

impl Broken {
    /// Returns the number of the first act that is not in order.
    pub fn place(&self) -> u64 {
        match self {
            Broken::Anchor => 1,
            Broken::Order { after, .. } => after.saturating_add(1),
            Broken::Changed { number } | Broken::Exchanged { number } | Broken::Rewritten { number } => {
                *number
            }
            Broken::Cut { last, .. } => last.saturating_add(1),
        }
    }
}

impl Verifier {
    /// Begins at an anchor. `pinned`: a head that was kept elsewhere.
    pub fn begin(anchor: Anchor, pinned: Option<Head>) -> Result<Verifier, Broken> {
        if anchor.number == 0 && anchor.hash != Hash::default() {
            return Err(Broken::Anchor);
        }
        let verifier = Verifier { last: anchor.head(), first: anchor.number.saturating_add(1), pinned };
        verifier.is_pinned().map(|()| verifier)
    }

    /// Looks at the next act: its number, the hash that it names, its own, and the bytes that were hashed.
    pub fn take(&mut self, number: u64, prev: Hash, hash: Hash, hashed: &[u8]) -> Result<(), Broken> {
        if number != self.last.number.saturating_add(1) {
            return Err(Broken::Order { after: self.last.number, found: number });
        }
        if sha256(hashed) != hash {
            return Err(Broken::Changed { number });
        }
        if prev != self.last.hash {
            return Err(Broken::Exchanged { number });
        }
        self.last = Head { number, hash };
        self.is_pinned()
    }

    /// Says that nothing more comes: `head` is where the chain is said to end.
    pub fn end(&self, head: Head) -> Result<(), Broken> {
        let kept = self.pinned.map_or(head.number, |pinned| head.number.max(pinned.number));
        if self.last.number < kept {
            return Err(Broken::Cut { last: self.last.number, kept });
        }
        match self.last.number == head.number && self.last.hash != head.hash {
            true => Err(Broken::Rewritten { number: head.number }),
            false => Ok(()),
        }
    }

    /// Returns the last act that was in order.
    pub fn last(&self) -> Head {
        self.last
    }

    /// Returns whether the pinned act was among those looked at: one that left by retention is not.
    pub fn has_seen_pinned(&self) -> bool {
        self.pinned.is_none_or(|pinned| pinned.number.saturating_add(1) >= self.first)
    }

    fn is_pinned(&self) -> Result<(), Broken> {
        match self.pinned {
            Some(pinned) if pinned.number == self.last.number && pinned.hash != self.last.hash => {
                Err(Broken::Rewritten { number: pinned.number })
            }
            _ => Ok(()),
        }
    }
}
