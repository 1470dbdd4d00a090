//! The way in for what is seen of the gateways: probes' results and rounds over our own line's controls.

use crate::core::evidence::UplinkRound;
use crate::core::input::Input;
use crate::probe::Finding;
use crate::runtime::gateways::Gateways;
use crate::runtime::inbox::{Inbox, Incoming};
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;

/// Takes observations. Waits while the inbox is full, as when the disk stalls: whoever makes them waits then as well.
#[derive(Clone)]
pub struct Feed {
    inbox: Inbox,
    gateways: Arc<Gateways>,
    metrics: Arc<Metrics>,
}

impl Feed {
    pub(crate) fn new(inbox: Inbox, gateways: Arc<Gateways>, metrics: Arc<Metrics>) -> Feed {
        Feed { inbox, gateways, metrics }
    }

    /// Takes a probe's result.
    pub async fn probe(&self, Finding { report, certificate_until }: Finding) {
        self.metrics.probe(&report, certificate_until, &self.gateways.name(report.gateway));
        // Where the core is gone, the service stops.
        let _ = self.inbox.put(Incoming::Input(Input::Probe(report))).await;
    }

    /// Takes a round over an uplink's controls.
    pub async fn uplink(&self, round: UplinkRound) {
        let _ = self.inbox.put(Incoming::Input(Input::Uplink(round))).await;
    }
}
