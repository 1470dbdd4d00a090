//! Reads of the store, away from the tasks that serve.

use crate::api::service::Trouble;
use crate::core::query::{Answer, Query};
use crate::store::outbox::{ReadError, Reader};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many reads run at once: each holds a thread, and two cores are soon busy with decoding.
const READS_AT_ONCE: usize = 16;

/// The query port.
#[derive(Clone)]
pub(crate) struct Reads {
    reader: Arc<dyn Reader>,
    room: Arc<Semaphore>,
}

impl Reads {
    /// Reads through this reader.
    pub(crate) fn new(reader: Arc<dyn Reader>) -> Reads {
        Reads { reader, room: Arc::new(Semaphore::new(READS_AT_ONCE)) }
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
