//! What the service manager is told: ready, reloading, stopping, alive. Without one, nothing happens.

use crate::api::service::Service;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;

/// Tells the service manager.
fn tell(states: &[NotifyState<'_>]) {
    // Nobody listens where there is no manager; one that does not take it can be told nothing else.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

/// The service serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The files are being read again.
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The service is stopping.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the manager's watchdog for as long as the turn and the writer move; ends at once where there is none.
pub async fn feed_watchdog(service: Arc<dyn Service>) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    // Cites: sd_watchdog_enabled(3) advises half of it.
    let mut beat = tokio::time::interval((within / 2).max(Duration::from_millis(100)));
    loop {
        beat.tick().await;
        let readiness = service.readiness();
        match readiness.healthy {
            true => tell(&[NotifyState::Watchdog]),
            false => tracing::error!(why = readiness.why.join("; "), "the watchdog is not fed"),
        }
    }
}
