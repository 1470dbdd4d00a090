//! The gateways in use: each one's name, its adapter, its limits, by the core's id.
//!
//! Invariant: a place belongs to one name for as long as the service runs, as the core has it. A gateway that is
//! removed keeps its adapter, so that receipts on its open attempts are still understood.

use crate::adapter::Adapter;
use crate::core::channel::GatewayId;
use crate::core::gateway::GatewayConfig;
use crate::core::message::Template;
use std::sync::{Arc, PoisonError, RwLock};

/// The gateways as configured, each with its adapter, in the order of the configuration.
pub type Lineup = Vec<Gateway>;

/// One gateway, ready to be used.
#[derive(Clone)]
pub struct Gateway {
    /// What the core knows of it.
    pub config: GatewayConfig,
    /// Its code.
    pub adapter: Arc<dyn Adapter>,
    /// Where its canaries go, as `config.canaries` has them.
    pub canaries: Arc<[CanaryAccount]>,
}

/// An account of our own.
#[derive(Clone, PartialEq, Eq)]
pub struct CanaryAccount {
    /// Its address, normalised.
    pub to: String,
    /// The provider's template, where it wants one.
    pub template: Option<Template>,
    /// The language of the text.
    pub language: String,
}

/// Every gateway that was configured since the start, by id.
#[derive(Default)]
pub(crate) struct Gateways {
    places: RwLock<Arc<Vec<Gateway>>>,
}

impl Gateways {
    /// Puts each of the lineup at the place that `place_of` gives it; those not named stay as they are.
    pub(crate) fn put(&self, lineup: Lineup, place_of: impl Fn(&str) -> Option<GatewayId>) {
        let mut places = Vec::clone(&self.all());
        for gateway in lineup {
            let Some(id) = place_of(&gateway.config.name) else { continue };
            match places.get_mut(usize::from(id.0)) {
                Some(place) => *place = gateway,
                // The core gives places in order, so the next free one is meant.
                None => places.push(gateway),
            }
        }
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(places);
    }

    /// Returns every gateway, by id.
    pub(crate) fn all(&self) -> Arc<Vec<Gateway>> {
        Arc::clone(&self.places.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the gateway with this id.
    pub(crate) fn get(&self, id: GatewayId) -> Option<Gateway> {
        self.all().get(usize::from(id.0)).cloned()
    }

    /// Finds a gateway by name.
    pub(crate) fn find(&self, name: &str) -> Option<(GatewayId, Gateway)> {
        let all = self.all();
        let place = all.iter().position(|g| g.config.name == name)?;
        Some((GatewayId(place as u8), all.get(place)?.clone()))
    }

    /// Returns a gateway's name, for metrics and the log.
    pub(crate) fn name(&self, id: GatewayId) -> String {
        self.all().get(usize::from(id.0)).map_or_else(|| format!("#{}", id.0), |g| g.config.name.clone())
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gateway({})", self.config.name)
    }
}
