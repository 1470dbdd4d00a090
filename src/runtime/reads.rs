//! Reads of the store, away from the tasks that serve.

use crate::api::service::Trouble;
use crate::core::query::{Answer, Query};
use crate::store::outbox::{ReadError, Reader};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many reads of those who look on run at once: each holds a thread.
const LOOKS_AT_ONCE: usize = 16;
/// How many reads for dispatch run at once. A chunk of an audience is decoded by the thread that reads it, and what a
/// thread has allocated goes back with difficulty once others hold it: two keep two cores busy, and more kept tens of
/// MiB after an alert to a million.
const FETCHES_AT_ONCE: usize = 2;

/// The query port.
#[derive(Clone)]
pub(crate) struct Reads {
    reader: Arc<dyn Reader>,
    room: Arc<Semaphore>,
}

impl Reads {
    /// Reads for those who look on.
    pub(crate) fn to_look(reader: Arc<dyn Reader>) -> Reads {
        Reads { reader, room: Arc::new(Semaphore::new(LOOKS_AT_ONCE)) }
    }

    /// Reads for what is to be sent, which does not queue behind those who look on.
    pub(crate) fn to_send(reader: Arc<dyn Reader>) -> Reads {
        Reads { reader, room: Arc::new(Semaphore::new(FETCHES_AT_ONCE)) }
    }

    /// Answers a question.
    pub(crate) async fn ask(&self, query: Query) -> Result<Answer, Trouble> {
        self.run(move |reader| reader.answer(&query)).await.map(|found| found.value)
    }

    /// Reads on a blocking thread. Whoever asked may go away: the thread reads on, and holds its place until it has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Trouble::Stopping)?;
        let reader = Arc::clone(&self.reader);
        let reading = move || {
            let _room = room;
            read(&*reader)
        };
        match tokio::task::spawn_blocking(reading).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Trouble::Store(error.to_string())),
            Err(gone) if gone.is_cancelled() => Err(Trouble::Stopping),
            Err(_) => Err(Trouble::Store("a read failed inside".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::Outbox;
    use crate::store::outbox::memory::MemoryOutbox;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_hangs_up_frees_no_place_while_his_read_goes_on() {
        let reads = Reads::to_send(MemoryOutbox::new().reader());
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let mut asked = Box::pin(reads.run(move |_| {
            begun.send(()).unwrap();
            // The test's end would end it as well.
            let _ = ends.recv();
            Ok(())
        }));
        let hung_up = tokio::time::timeout(Duration::from_millis(1), &mut asked).await.is_err();
        assert!(hung_up, "the read waits for us");
        drop(asked);
        begins.recv().unwrap();
        assert_eq!(reads.room.available_permits(), FETCHES_AT_ONCE - 1, "it reads on in its place");
        end.send(()).unwrap();
        let all = reads.room.acquire_many(FETCHES_AT_ONCE as u32);
        assert!(tokio::time::timeout(Duration::from_secs(20), all).await.is_ok(), "its place is free");
    }
}
