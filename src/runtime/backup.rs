//! Hands out everything that is stored, as one moment saw it, while the service goes on.
//!
//! The store is read in one transaction on a thread of its own, and what it reads goes through a short queue to whoever asked.
//! While it is read the store keeps the pages of that moment; so one backup at a time runs, and one whose reader stands
//! still ends. It costs the writer nothing but that the file cannot use again what it frees meanwhile: it grows by what
//! changes while a backup is read, and uses that room again afterwards.
//!
//! Limits: [`PARTS_WAITING`] parts of [`PART_BYTES`] are in memory; [`STILL_MAX`] without progress ends it, and so does
//! [`WAIT_MAX`] of waiting in all.

use crate::api::service::{Part, Trouble};
use crate::store::outbox::{Reader, frames};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, TryAcquireError, mpsc, watch};

/// How much is handed out at once.
const PART_BYTES: usize = 64 << 10;
/// How many parts wait for whoever reads.
const PARTS_WAITING: usize = 4;
/// How long nobody may take a part. Longer than a disk's or a network's hiccup.
const STILL_MAX: Duration = Duration::from_secs(60);
/// How long all its parts together may wait for whoever reads: who takes a byte now and then would hold the pages of that
/// moment for days, while the file grows. Cites: 4 GiB over a line of 10 Mbit/s.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);
/// When another should come back while one runs, in seconds.
const RETRY_AFTER_SECS: u32 = 60;

/// What backups are made from.
pub(crate) struct Backups {
    reader: Arc<dyn Reader>,
    /// One at a time.
    room: Arc<Semaphore>,
    /// Set once the service stops.
    stop: watch::Sender<bool>,
    wait_max: Duration,
}

impl Backups {
    /// Makes them from a store.
    pub(crate) fn new(reader: Arc<dyn Reader>) -> Backups {
        Backups {
            reader,
            room: Arc::new(Semaphore::new(1)),
            stop: watch::Sender::new(false),
            wait_max: WAIT_MAX,
        }
    }

    /// Begins one. Its last part comes before the queue ends, and names its end; see [`frames`]. One that could not be
    /// finished lacks it.
    pub(crate) fn begin(&self) -> Result<mpsc::Receiver<Part>, Trouble> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|why| match why {
            TryAcquireError::NoPermits => Trouble::Busy { retry_after_secs: RETRY_AFTER_SECS },
            TryAcquireError::Closed => Trouble::Stopping,
        })?;
        let (parts, taken) = mpsc::channel(PARTS_WAITING);
        let patience = self.wait_max;
        let (reader, tasks, stop) = (Arc::clone(&self.reader), Handle::current(), self.stop.subscribe());
        tokio::task::spawn_blocking(move || {
            let _room = room;
            let mut out = Parts { parts, tasks, stop, patience, part: Vec::with_capacity(PART_BYTES) };
            let written = frames::export(&*reader, &mut out).map_err(io::Error::other);
            if let Err(error) = written.and_then(|_| out.hand_on()) {
                tracing::warn!(%error, "a backup was not finished");
                // Whoever asked may have gone.
                let _ = out.parts.try_send(Err(error));
            }
        });
        Ok(taken)
    }

    /// Ends the one under way, and begins none any more; returns once the store is let go.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let _ended = self.room.acquire().await;
        self.room.close();
    }
}

struct Parts {
    parts: mpsc::Sender<Part>,
    tasks: Handle,
    stop: watch::Receiver<bool>,
    /// How much longer its parts may wait.
    patience: Duration,
    part: Vec<u8>,
}

impl Parts {
    fn hand_on(&mut self) -> io::Result<()> {
        let part = std::mem::replace(&mut self.part, Vec::with_capacity(PART_BYTES));
        self.put(Ok(part))
    }

    fn put(&mut self, part: Part) -> io::Result<()> {
        let Parts { parts, stop, patience, .. } = self;
        let (began, most) = (Instant::now(), STILL_MAX.min(*patience));
        let putting = async {
            tokio::select! {
                taken = tokio::time::timeout(most, parts.send(part)) => match taken {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked for it has gone")),
                    Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "whoever reads it takes it too slowly")),
                },
                _ = stop.wait_for(|stop| *stop) => Err(io::Error::other("the service is stopping")),
            }
        };
        let put = self.tasks.block_on(putting);
        *patience = patience.saturating_sub(began.elapsed());
        put
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() >= PART_BYTES {
            self.hand_on()?;
        }
        let taken = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::query::Contact;
    use crate::store::outbox::memory::MemoryOutbox;
    use crate::store::outbox::{Outbox, Put};

    /// An outbox of more than may wait.
    fn long() -> MemoryOutbox {
        let mut outbox = MemoryOutbox::new();
        let contact = |n| {
            Put::Contact(Contact { id: format!("c-{n:06}"), name: "x".repeat(500), ..Contact::default() })
        };
        let rows: Vec<Put> = (0..2_000).map(contact).collect();
        outbox.commit(&rows).unwrap();
        outbox
    }

    async fn whole(mut taken: mpsc::Receiver<Part>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(part) = taken.recv().await {
            all.extend(part?);
        }
        Ok(all)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn one_at_a_time_runs_while_the_writer_goes_on() {
        let mut outbox = long();
        let backups = Backups::new(outbox.reader());
        let mut taken = backups.begin().unwrap();
        let first = taken.recv().await.unwrap().unwrap();
        assert!(matches!(backups.begin(), Err(Trouble::Busy { .. })), "one at a time");
        // Nobody reads on, and the writer is not held up.
        outbox.commit(&[Put::Contact(Contact { id: "later".into(), ..Contact::default() })]).unwrap();
        let all = [first, whole(taken).await.unwrap()].concat();
        assert_eq!(frames::check(&mut &all[..]).unwrap(), 2_000, "as one moment saw it");
        assert_eq!(frames::check(&mut &whole(again(&backups).await).await.unwrap()[..]).unwrap(), 2_001);
        // Who goes away frees the place.
        drop(again(&backups).await);
        drop(again(&backups).await);
    }

    /// Begins another once the one before has let go.
    async fn again(backups: &Backups) -> mpsc::Receiver<Part> {
        drop(backups.room.acquire().await.unwrap());
        backups.begin().unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_reads_slowly_holds_no_moment_for_ever() {
        let outbox = long();
        let most = Duration::from_millis(50);
        let backups = Backups { wait_max: most, ..Backups::new(outbox.reader()) };
        let mut taken = backups.begin().unwrap();
        // Each part waits for less than a minute, and all of them for too long.
        drop(backups.room.acquire().await.unwrap());
        let mut all = Vec::new();
        while let Some(Ok(part)) = taken.recv().await {
            all.extend(part);
        }
        assert!(frames::check(&mut &all[..]).is_err(), "it passes for none");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_stop_ends_the_one_under_way_and_it_passes_for_none() {
        let outbox = long();
        let backups = Backups::new(outbox.reader());
        let taken = backups.begin().unwrap();
        backups.stop().await;
        assert!(matches!(backups.begin(), Err(Trouble::Stopping)));
        let mut parts = taken;
        let mut all = Vec::new();
        while let Some(part) = parts.recv().await {
            all.extend(part.unwrap_or_default());
        }
        assert!(frames::check(&mut &all[..]).is_err(), "it lacks its end");
    }
}
