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

    /// Reads on a blocking thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let _room = self.room.acquire().await.map_err(|_| Trouble::Stopping)?;
        let reader = Arc::clone(&self.reader);
        match tokio::task::spawn_blocking(move || read(&*reader)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Trouble::Store(error.to_string())),
            Err(gone) if gone.is_cancelled() => Err(Trouble::Stopping),
            Err(_) => Err(Trouble::Store("a read failed inside".into())),
        }
    }
}
