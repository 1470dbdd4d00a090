//! Keeps the adapters' standing work running: binds, event streams, long polling.
//!
//! Invariant: one run loop a gateway at a time. A loop that ends or panics is started again, later each time; a
//! gateway whose settings changed gets a new one, a gateway that is gone keeps its own until the service stops, so
//! that receipts on its open attempts are heard. A loop that makes way stays beside the new one, for [`DRAIN_MAX`] at
//! most, while attempts wait for answers by it: cut off, they would be repeated.

use crate::adapter::{Doing, Ear};
use crate::core::channel::GatewayId;
use crate::core::input::Input;
use crate::core::outcome::{Reason, Receipt};
use crate::core::reply::Reply;
use crate::runtime::gateways::{Gateway, Gateways};
use crate::runtime::guard::guarded;
use crate::runtime::inbox::{Inbox, Incoming};
use crate::runtime::replies::Replies;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout};

/// The wait before a loop that ended is started again: the first, doubled up to the last.
const AGAIN_FIRST: Duration = Duration::from_millis(500);
const AGAIN_LAST: Duration = Duration::from_secs(60);
/// A loop that held for so long starts from the first wait again.
const HELD: Duration = Duration::from_secs(60);
/// How long a loop that makes way may stay: an attempt's time-out, and as much again for its later parts.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Keeps the run loops.
pub(crate) struct Supervisor {
    gateways: Arc<Gateways>,
    inbox: Inbox,
    replies: Replies,
    tasks: Handle,
    loops: Mutex<Loops>,
}

#[derive(Default)]
struct Loops {
    running: BTreeMap<String, Loop>,
    /// Those that have made way, and may not have ended.
    leaving: Vec<AbortHandle>,
}

struct Loop {
    gateway: Gateway,
    task: JoinHandle<()>,
    is_leaving: Arc<AtomicBool>,
}

/// Where one gateway's adapter leaves what it hears.
struct GatewayEar {
    gateway: GatewayId,
    inbox: Inbox,
    replies: Replies,
    /// Whether another loop speaks for the gateway's link by now.
    is_leaving: Arc<AtomicBool>,
}

impl Supervisor {
    /// Builds one with nothing running.
    pub(crate) fn new(gateways: Arc<Gateways>, inbox: Inbox, replies: Replies, tasks: Handle) -> Supervisor {
        Supervisor { gateways, inbox, replies, tasks, loops: Mutex::default() }
    }

    /// Starts what is not running, and anew what runs with another adapter.
    pub(crate) fn start(&self) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, gateway) in self.gateways.all().iter().enumerate() {
            let name = gateway.config.name.clone();
            if loops.running.get(&name).is_some_and(|l| Arc::ptr_eq(&l.gateway.adapter, &gateway.adapter)) {
                continue;
            }
            if let Some(old) = loops.running.remove(&name) {
                loops.leaving.retain(|leaving| !leaving.is_finished());
                loops.leaving.push(old.task.abort_handle());
                old.is_leaving.store(true, Ordering::Release);
                self.tasks.spawn(old.leave());
            }
            let is_leaving = Arc::new(AtomicBool::new(false));
            let id = GatewayId(place as u8);
            let (inbox, replies) = (self.inbox.clone(), self.replies.clone());
            let ear = GatewayEar { gateway: id, inbox, replies, is_leaving: Arc::clone(&is_leaving) };
            let task = self.tasks.spawn(keep(gateway.clone(), ear));
            loops.running.insert(name, Loop { gateway: gateway.clone(), task, is_leaving });
        }
    }

    /// Stops every loop.
    pub(crate) fn stop(&self) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let Loops { running, leaving } = std::mem::take(&mut *loops);
        running.into_values().for_each(|l| l.task.abort());
        leaving.into_iter().for_each(|leaving| leaving.abort());
    }
}

impl Loop {
    /// Ends it once nothing waits for answers by it; new orders go to the new adapter by now.
    async fn leave(self) {
        let _ = timeout(DRAIN_MAX, guarded(self.gateway.adapter.drained())).await;
        self.task.abort();
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

    fn reply(&self, reply: Reply) -> Doing<'_, ()> {
        Box::pin(async move {
            if self.replies.take(vec![(self.gateway, reply)]).await.is_err() {
                std::future::pending().await
            }
        })
    }

    fn link(&self, up: bool, reason: Option<Reason>) {
        if self.is_leaving.load(Ordering::Acquire) {
            return;
        }
        let down = (!up).then(|| reason.unwrap_or(Reason::NotConnected));
        let _ = self.inbox.put_now(Incoming::Input(Input::Link { gateway: self.gateway, down }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{Adapter, Answered, Outgoing};
    use crate::core::channel::Channel;
    use crate::core::gateway::{GatewayConfig, Receipts};
    use crate::core::outcome::Outcome;
    use crate::core::time::Span;
    use crate::runtime::inbox::inbox;
    use tokio::sync::{Notify, watch};

    /// Keeps a line whose state it tells as it is told to, until dropped.
    #[derive(Default)]
    struct Bind {
        runs: watch::Sender<bool>,
        drained: Notify,
        say: Notify,
        said: Notify,
    }

    struct Runs<'a>(&'a Bind);

    impl Drop for Runs<'_> {
        fn drop(&mut self) {
            self.0.runs.send_replace(false);
        }
    }

    impl Adapter for Bind {
        fn send(&self, _outgoing: Outgoing) -> Doing<'_, Answered> {
            let outcome = Outcome::Unknown { reason: Reason::Timeout };
            Box::pin(async { Answered { outcome, took: Span::ZERO } })
        }

        fn drained(&self) -> Doing<'_, ()> {
            Box::pin(self.drained.notified())
        }

        fn run<'a>(&'a self, ear: &'a dyn Ear) -> Doing<'a, ()> {
            Box::pin(async move {
                self.runs.send_replace(true);
                let _runs = Runs(self);
                loop {
                    self.say.notified().await;
                    ear.link(false, Some(Reason::ConnectionLost));
                    self.said.notify_one();
                }
            })
        }
    }

    impl Bind {
        async fn is_running(&self, expected: bool) {
            let mut runs = self.runs.subscribe();
            let soon = runs.wait_for(|runs| *runs == expected);
            timeout(Duration::from_secs(5), soon).await.expect("in time").expect("a bind");
        }
    }

    #[tokio::test]
    async fn a_loop_that_makes_way_stays_while_answers_are_awaited_and_speaks_for_the_link_no_more() {
        let (sender, outlet) = inbox();
        let gateways = Arc::new(Gateways::default());
        let supervisor = Supervisor::new(Arc::clone(&gateways), sender, Replies::deaf(), Handle::current());
        let put = |adapter: &Arc<Bind>| {
            let config = GatewayConfig {
                name: "sms-a".into(),
                channel: Channel::Sms,
                failure_domains: Vec::new(),
                rate: None,
                quotas: Vec::new(),
                cost: 0.0,
                receipts: Receipts::Delivered,
                window: 1,
                can_ask: false,
                connect_time_out: Span::from_secs(1),
                canaries: vec![],
            };
            let adapter: Arc<dyn Adapter> = adapter.clone();
            gateways.put(vec![Gateway { config, adapter, canaries: Arc::default() }], |_| Some(GatewayId(0)));
            supervisor.start();
        };
        let (old, new, last) = (Arc::<Bind>::default(), Arc::<Bind>::default(), Arc::<Bind>::default());
        put(&old);
        old.is_running(true).await;
        put(&new);
        new.is_running(true).await;
        assert!(*old.runs.borrow(), "somebody waits for an answer by it");
        old.say.notify_one();
        old.said.notified().await;
        assert!(matches!(outlet.take(Duration::ZERO), Ok(None)), "the new one speaks for the link");
        old.drained.notify_one();
        old.is_running(false).await;
        assert!(*new.runs.borrow());
        put(&last);
        last.is_running(true).await;
        supervisor.stop();
        new.is_running(false).await;
        last.is_running(false).await;
    }
}
