//! Whether anything new may be taken, and why not.
//!
//! Invariant: a closed intake refuses callers alone. What was accepted goes on: it is sent, receipted and settled.

use crate::api::service::Trouble;
use crate::core::time::{Span, Timestamp};
use crate::runtime::clock::Clock;
use crate::store::outbox::{CommitError, Reader};
use crate::store::space::{Room, Space};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How often the writer looks at the disk.
const LOOK_EVERY: Span = Span::from_secs(1);

/// Whether anything new may be taken.
pub(crate) struct Intake {
    reader: Arc<dyn Reader>,
    clock: Arc<Clock>,
    space: Option<Space>,
    stopping: AtomicBool,
    /// What the last commit said, where it failed.
    failed: Mutex<Option<CommitError>>,
    /// Whether the last look at the disk let messages in.
    took: AtomicBool,
    looked: AtomicI64,
    bytes: AtomicU64,
}

impl Intake {
    /// Opens the intake.
    pub(crate) fn new(reader: Arc<dyn Reader>, clock: Arc<Clock>, space: Option<Space>) -> Intake {
        let intake = Intake {
            reader,
            clock,
            space,
            stopping: AtomicBool::new(false),
            failed: Mutex::new(None),
            took: AtomicBool::new(true),
            looked: AtomicI64::new(0),
            bytes: AtomicU64::new(0),
        };
        intake.look(0);
        intake
    }

    /// Says whether a message of so many deliveries may be taken now.
    pub(crate) fn check(&self, deliveries: u64) -> Result<(), Trouble> {
        if self.stopping.load(Relaxed) {
            return Err(Trouble::Stopping);
        }
        match &*self.lock() {
            Some(CommitError::Full) => Err(Trouble::DiskFull),
            Some(error) => Err(Trouble::Store(error.to_string())),
            None if self.lacks_room(deliveries) => Err(Trouble::DiskFull),
            None => Ok(()),
        }
    }

    /// Refuses everything from here on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// A commit failed and is tried again. Where the disk is full, the reserve is given up for it.
    pub(crate) fn failed(&self, error: &CommitError) {
        let mut failed = self.lock();
        if failed.as_ref() != Some(error) {
            tracing::error!(%error, "nothing new is taken until the outbox can be written again");
        }
        *failed = Some(error.clone());
        if let (CommitError::Full, Some(space)) = (error, &self.space) {
            match space.release() {
                Ok(true) => {
                    tracing::warn!("the reserve of disk is given up, so that what was accepted can settle")
                }
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the reserve of disk could not be given up"),
            }
        }
    }

    /// A commit succeeded.
    pub(crate) fn wrote(&self) {
        if self.lock().take().is_some() {
            tracing::info!("the outbox is written again");
        }
    }

    /// Looks at the disk, where that is due, with so many deliveries unsettled.
    pub(crate) fn look(&self, unsettled: u64) {
        let now = self.clock.now();
        if now.since(Timestamp::from_ms(self.looked.load(Relaxed))) < LOOK_EVERY {
            return;
        }
        self.looked.store(now.ms(), Relaxed);
        self.bytes.store(self.reader.bytes(), Relaxed);
        let Some(space) = &self.space else { return };
        match space.refresh(unsettled) {
            Ok(room) if self.took.swap(room.intake_allowed, Relaxed) == room.intake_allowed => {}
            Ok(Room { free_bytes, intake_allowed: true, .. }) => {
                tracing::info!(free_bytes, "there is room on the disk again: messages are taken");
            }
            Ok(Room { free_bytes, .. }) => {
                tracing::error!(free_bytes, "the disk is nearly full: nothing new is taken; free some space");
            }
            Err(error) => tracing::error!(%error, "the disk cannot say how much room it has"),
        }
    }

    fn lacks_room(&self, deliveries: u64) -> bool {
        self.space.as_ref().is_some_and(|space| !space.intake_allowed(deliveries))
    }

    /// Returns the outbox's size on disk when last seen.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<CommitError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock::Os;
    use crate::store::outbox::Outbox;
    use crate::store::outbox::memory::MemoryOutbox;

    #[test]
    fn a_commit_that_failed_closes_it_until_one_succeeds() {
        let clock = Arc::new(Clock::new(Box::new(Os), Timestamp::default()));
        let intake = Intake::new(MemoryOutbox::new().reader(), clock, None);
        assert_eq!(intake.check(1), Ok(()));
        intake.failed(&CommitError::Full);
        assert_eq!(intake.check(1), Err(Trouble::DiskFull));
        intake.failed(&CommitError::Unavailable("EIO".into()));
        assert!(matches!(intake.check(1), Err(Trouble::Store(_))));
        intake.wrote();
        assert_eq!(intake.check(1), Ok(()));
        intake.stop();
        assert_eq!(intake.check(1), Err(Trouble::Stopping));
    }
}
