//! Beats while all is well: whoever watches the address misses us when the machine, the service or its line is gone.
//!
//! Invariant: no beat while the turn or the writer does not move: silence is the alarm.

use super::Live;
use crate::adapter::heartbeat::Heartbeat;
use crate::adapter::net::Net;
use crate::runtime::service::Front;
use std::sync::Arc;
use std::time::Duration;

/// How often the settings are looked at while there is no address.
const IDLE: Duration = Duration::from_secs(10);

/// Asks the address of the settings, until dropped.
pub(crate) async fn beat(front: Arc<Front>, settings: Live, net: Net) {
    let mut known: Option<(crate::settings::Heartbeat, Heartbeat)> = None;
    let mut heard = true;
    loop {
        let Some(wanted) = settings.get().heartbeat.clone() else {
            known = None;
            tokio::time::sleep(IDLE).await;
            continue;
        };
        if known.as_ref().is_none_or(|(is, _)| *is != wanted) {
            match Heartbeat::new(&wanted.url, net.clone()) {
                Ok(heartbeat) => known = Some((wanted.clone(), heartbeat)),
                Err(why) => tracing::error!(why, "the `heartbeat_url` of [notices] cannot be used"),
            }
        }
        if let Some((_, heartbeat)) = known.as_ref().filter(|_| front.is_healthy()) {
            let answer = heartbeat.beat().await;
            // Told when it changes: an hour of silence is one line.
            match &answer {
                Err(why) if heard => tracing::warn!(why, "the heartbeat was not heard"),
                Ok(()) if !heard => tracing::info!("the heartbeat is heard again"),
                _ => {}
            }
            heard = answer.is_ok();
        }
        tokio::time::sleep(wanted.every.to_std()).await;
    }
}
