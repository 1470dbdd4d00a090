//! Beats while all is well: whoever watches the address misses us when the machine, the service or its line is gone.
//!
//! Invariant: no beat while the turn or the writer does not move: silence is the alarm. Nor is an address asked that the
//! settings no longer name, though the new one be unusable: whoever watches the new one must miss us.

use super::Live;
use crate::adapter::heartbeat::Heartbeat;
use crate::adapter::net::Net;
use crate::runtime::service::Front;
use crate::settings::Heartbeat as Settings;
use std::sync::Arc;
use std::time::Duration;

/// How often the settings are looked at while there is no address.
const IDLE: Duration = Duration::from_secs(10);

/// What is asked, and the settings it was built from.
type Known = (Settings, Heartbeat);

/// Asks the address of the settings, until dropped.
pub(crate) async fn beat(front: Arc<Front>, settings: Live, net: Net) {
    let mut known: Option<Known> = None;
    let mut heard = true;
    loop {
        let Some(wanted) = settings.get().heartbeat.clone() else {
            known = None;
            tokio::time::sleep(IDLE).await;
            continue;
        };
        known = take_up(known, &wanted, &net);
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

/// Keeps what is asked where it is still wanted, else builds what is. `None`: that cannot be used, which is said each time,
/// and nothing is asked until it can.
fn take_up(known: Option<Known>, wanted: &Settings, net: &Net) -> Option<Known> {
    if let Some(known) = known.filter(|(of, _)| of == wanted) {
        return Some(known);
    }
    match Heartbeat::new(&wanted.url, net.clone()) {
        Ok(heartbeat) => Some((wanted.clone(), heartbeat)),
        Err(why) => {
            tracing::error!(
                why,
                "the `heartbeat_url` of [notices] cannot be used: there is NO heartbeat until it is mended and reloaded"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Span;
    use crate::diag::Secret;

    #[test]
    fn an_address_that_cannot_be_used_ends_the_old_ones_beats() {
        let net = Net::new(&[]);
        let settings = |url: &str| Settings { url: Secret::new(url), every: Span::from_mins(1) };
        let (old, bad) = (settings("http://127.0.0.1:9/a"), settings("http://127.0.0.1:9/b#c"));
        let known = take_up(None, &old, &net);
        assert!(known.as_ref().is_some_and(|(of, _)| *of == old));
        let known = take_up(known, &bad, &net);
        assert!(known.is_none(), "the old address is not asked any more");
        assert!(take_up(known, &old, &net).is_some());
    }
}
