//! The lookout: what looks at the gateways and at our own lines, on a thread of its own.
//!
//! A probe is a chain of short waits with next to nothing between them. On the runtime of several threads each end of a
//! wait calls up a second thread to share work that is too small to be shared, and that took more than the probe did.
//! Nothing here may block the thread: a probe that did would delay all others.
//!
//! Invariant: it ends with the service: once a lookout is dropped, nothing is begun any more.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Work that goes on until the service stops.
pub(crate) type Watching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps the thread for as long as it is kept itself.
#[derive(Debug)]
pub(crate) struct Lookout {
    _until_dropped: oneshot::Sender<Infallible>,
}

impl Lookout {
    /// Puts a thread to this work.
    pub(crate) fn start(watching: Vec<Watching>) -> io::Result<Lookout> {
        let (kept, dropped) = oneshot::channel();
        let runtime = runtime()?;
        let mut tasks = JoinSet::new();
        for work in watching {
            tasks.spawn_on(work, runtime.handle());
        }
        thread::Builder::new().name("lookout".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = dropped => {}
                    () = all(&mut tasks) => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Lookout { _until_dropped: kept })
    }
}

/// Makes the runtime that probes run on: of the one thread that drives it.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Waits until all of it has ended. Work that panics is missed until a restart, so it is said.
async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            tracing::error!(
                "something that looks at the gateways or lines has panicked: restart the service"
            );
        }
    }
}
