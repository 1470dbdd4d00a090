//! Whether anything new may be taken, and why not.
//!
//! Invariant: a closed intake refuses callers alone. What was accepted goes on: it is sent, receipted and settled.

use crate::api::service::Trouble;
use crate::core::time::{Span, Timestamp};
use crate::runtime::clock::Clock;
use crate::store::outbox::{CommitError, Reader};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How often the writer looks at the disk.
const LOOK_EVERY: Span = Span::from_secs(1);

/// Whether anything new may be taken.
pub(crate) struct Intake {
    reader: Arc<dyn Reader>,
    clock: Arc<Clock>,
    /// Free bytes of disk below which nothing new is taken.
    reserve_bytes: u64,
    stopping: AtomicBool,
    low: AtomicBool,
    /// What the last commit said, where it failed.
    failed: Mutex<Option<CommitError>>,
    looked: AtomicI64,
    bytes: AtomicU64,
}

impl Intake {
    /// Opens the intake.
    pub(crate) fn new(reader: Arc<dyn Reader>, clock: Arc<Clock>, reserve_bytes: u64) -> Intake {
        let intake = Intake {
            reader,
            clock,
            reserve_bytes,
            stopping: AtomicBool::new(false),
            low: AtomicBool::new(false),
            failed: Mutex::new(None),
            looked: AtomicI64::new(0),
            bytes: AtomicU64::new(0),
        };
        intake.look();
        intake
    }

    /// Says whether something new may be taken now.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        if self.stopping.load(Relaxed) {
            return Err(Trouble::Stopping);
        }
        match &*self.lock() {
            Some(CommitError::Full) => Err(Trouble::DiskFull),
            Some(error) => Err(Trouble::Store(error.to_string())),
            None if self.low.load(Relaxed) => Err(Trouble::DiskFull),
            None => Ok(()),
        }
    }

    /// Refuses everything from here on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// A commit failed and is tried again.
    pub(crate) fn failed(&self, error: &CommitError) {
        let mut failed = self.lock();
        if failed.as_ref() != Some(error) {
            tracing::error!(%error, "nothing new is taken until the outbox can be written again");
        }
        *failed = Some(error.clone());
    }

    /// A commit succeeded.
    pub(crate) fn wrote(&self) {
        if self.lock().take().is_some() {
            tracing::info!("the outbox is written again");
        }
    }

    /// Looks at the disk, where that is due.
    pub(crate) fn look(&self) {
        let now = self.clock.now();
        if now.since(Timestamp::from_ms(self.looked.load(Relaxed))) < LOOK_EVERY {
            return;
        }
        self.looked.store(now.ms(), Relaxed);
        // Where the store cannot say how it is, its commits will.
        let Ok(health) = self.reader.health() else { return };
        self.bytes.store(health.bytes, Relaxed);
        let low = health.free_bytes.is_some_and(|free| free < self.reserve_bytes);
        if self.low.swap(low, Relaxed) != low {
            let (free, reserve) = (health.free_bytes.unwrap_or_default(), self.reserve_bytes);
            match low {
                true => tracing::error!(
                    free,
                    reserve,
                    "the disk is below its reserve: nothing new is taken; free some space"
                ),
                false => tracing::info!(free, reserve, "there is room on the disk again: messages are taken"),
            }
        }
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
        let intake = Intake::new(MemoryOutbox::new().reader(), clock, 1);
        assert_eq!(intake.check(), Ok(()));
        intake.failed(&CommitError::Full);
        assert_eq!(intake.check(), Err(Trouble::DiskFull));
        intake.failed(&CommitError::Unavailable("EIO".into()));
        assert!(matches!(intake.check(), Err(Trouble::Store(_))));
        intake.wrote();
        assert_eq!(intake.check(), Ok(()));
        intake.stop();
        assert_eq!(intake.check(), Err(Trouble::Stopping));
    }
}
