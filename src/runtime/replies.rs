//! What recipients say, on its way to the core and to disk.

use crate::core::channel::GatewayId;
use crate::core::input::Input;
use crate::core::reply::Reply;
use crate::runtime::inbox::{Inbox, Incoming};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;

/// The way in for replies.
#[derive(Clone)]
pub(crate) struct Replies {
    inbox: Inbox,
}

impl Replies {
    /// Builds it.
    pub(crate) fn new(inbox: Inbox) -> Replies {
        Replies { inbox }
    }

    /// Takes replies; returns once they are on disk. Where the service stops first, none of them counts as taken.
    pub(crate) async fn take(&self, replies: Vec<(GatewayId, Reply)>) -> Result<(), RecvError> {
        let (told, durable) = oneshot::channel();
        for (gateway, reply) in replies {
            // Where the core is gone, the barrier is dropped with it.
            let _ = self.inbox.put(Incoming::Input(Input::Reply { gateway, reply })).await;
        }
        let _ = self.inbox.put_now(Incoming::Barrier(told));
        durable.await
    }
}
