//! What the providers say of our accounts with them: templates, and whether they call our hooks.

use super::finding::Finding;
use crate::adapter;
use crate::adapter::counsel::{Counsel, Standing};
use crate::adapter::net::Net;
use crate::diag::Diagnostics;
use crate::settings::Settings;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long one provider may take for all that it is asked: some dozen pages of a long list.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks every provider, all at the same time, and tells what they said in the order of the gateways.
pub(super) async fn all(settings: &Settings, net: &Net) -> Vec<Finding> {
    let mut asked = JoinSet::new();
    for (place, gateway) in settings.gateways.iter().enumerate() {
        // What is wrong with the files was told before.
        let Some(adapter) = adapter::build(gateway.clone(), net, &mut Diagnostics::default()) else {
            continue;
        };
        let name = gateway.config.name.clone();
        asked.spawn(async move {
            let said = timeout(PATIENCE, adapter.counsel()).await;
            let found: Vec<_> = match said {
                Ok(counsels) => counsels.into_iter().map(told).collect(),
                Err(_) => vec![Finding::unasked(
                    "provider",
                    format!(
                        "{name}: the provider did not say in {} s how our account stands",
                        PATIENCE.as_secs()
                    ),
                    "look at the other findings of this gateway, and ask again",
                )],
            };
            (place, found)
        });
    }
    let mut found = asked.join_all().await;
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().flat_map(|(_, found)| found).collect()
}

fn told(Counsel { about, standing, what, remedy }: Counsel) -> Finding {
    match standing {
        Standing::Fine => Finding::fine(about, what),
        Standing::Unasked => Finding::unasked(about, what, remedy),
        Standing::Warning => Finding::warning(about, what, remedy),
        Standing::Fault => Finding::fault(about, what, remedy),
    }
}
