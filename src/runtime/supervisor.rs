//! Keeps the adapters' standing work running: binds, event streams, long polling.
//!
//! Invariant: one run loop a gateway at a time. A loop that ends or panics is started again, later each time; a
//! gateway whose settings changed gets a new one, a gateway that is gone keeps its own until the service stops, so
//! that receipts on its open attempts are heard.

use crate::adapter::{Doing, Ear};
use crate::core::channel::GatewayId;
use crate::core::input::Input;
use crate::core::outcome::{Reason, Receipt};
use crate::runtime::gateways::{Gateway, Gateways};
use crate::runtime::guard::guarded;
use crate::runtime::inbox::{Inbox, Incoming};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The wait before a loop that ended is started again: the first, doubled up to the last.
const AGAIN_FIRST: Duration = Duration::from_millis(500);
const AGAIN_LAST: Duration = Duration::from_secs(60);
/// A loop that held for so long starts from the first wait again.
const HELD: Duration = Duration::from_secs(60);

/// Keeps the run loops.
pub(crate) struct Supervisor {
    gateways: Arc<Gateways>,
    inbox: Inbox,
    tasks: Handle,
    loops: Mutex<BTreeMap<String, Loop>>,
}

struct Loop {
    gateway: Gateway,
    task: JoinHandle<()>,
}

/// Where one gateway's adapter leaves what it hears.
struct GatewayEar {
    gateway: GatewayId,
    inbox: Inbox,
}

impl Supervisor {
    /// Builds one with nothing running.
    pub(crate) fn new(gateways: Arc<Gateways>, inbox: Inbox, tasks: Handle) -> Supervisor {
        Supervisor { gateways, inbox, tasks, loops: Mutex::default() }
    }

    /// Starts what is not running, and anew what runs with another adapter.
    pub(crate) fn start(&self) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, gateway) in self.gateways.all().iter().enumerate() {
            let name = gateway.config.name.clone();
            if loops.get(&name).is_some_and(|l| Arc::ptr_eq(&l.gateway.adapter, &gateway.adapter)) {
                continue;
            }
            let ear = GatewayEar { gateway: GatewayId(place as u8), inbox: self.inbox.clone() };
            let task = self.tasks.spawn(keep(gateway.clone(), ear));
            let started = Loop { gateway: gateway.clone(), task };
            if let Some(old) = loops.insert(name, started) {
                old.task.abort();
            }
        }
    }

    /// Stops every loop.
    pub(crate) fn stop(&self) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *loops).into_values().for_each(|l| l.task.abort());
    }
}

/// Runs an adapter's loop for as long as it is wanted.
async fn keep(gateway: Gateway, ear: GatewayEar) {
    let mut again = AGAIN_FIRST;
    loop {
        let began = Instant::now();
        match guarded(gateway.adapter.run(&ear)).await {
            // Nothing to keep.
            Some(()) if began.elapsed() < Duration::from_millis(10) => return,
            Some(()) => {}
            None => {
                tracing::error!(gateway = gateway.config.name, "the adapter's standing work panicked");
                ear.link(false, Some(Reason::NotConnected));
            }
        }
        if began.elapsed() >= HELD {
            again = AGAIN_FIRST;
        }
        tokio::time::sleep(again).await;
        again = (again * 2).min(AGAIN_LAST);
    }
}

impl Ear for GatewayEar {
    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()> {
        Box::pin(async move {
            let (told, durable) = oneshot::channel();
            let input = Input::Receipt { gateway: self.gateway, receipt };
            let put = self.inbox.put(Incoming::Input(input)).await;
            if put.is_ok() && self.inbox.put_now(Incoming::Barrier(told)).is_ok() && durable.await.is_ok() {
                return;
            }
            // The core is gone, so the service stops. The provider must not hear that we have it: it comes again.
            std::future::pending().await
        })
    }

    fn link(&self, up: bool, reason: Option<Reason>) {
        let down = (!up).then(|| reason.unwrap_or(Reason::NotConnected));
        let _ = self.inbox.put_now(Incoming::Input(Input::Link { gateway: self.gateway, down }));
    }
}
