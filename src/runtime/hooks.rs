//! Providers' calls: read by the adapter, under guard.

use crate::adapter::{Heard, HookAnswer, HookRequest};
use crate::core::channel::GatewayId;
use crate::runtime::gateways::{Gateway, Gateways};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Lets the other gateways of the channel take what is theirs of a call that one of them was sent and has read. Returns
/// those that took something.
pub(crate) fn overheard(
    gateways: &Gateways,
    called: GatewayId,
    request: &HookRequest,
) -> Vec<(GatewayId, Heard)> {
    let all = gateways.all();
    let channel = all.get(usize::from(called.0)).map(|gateway| gateway.config.channel);
    let places = all.iter().enumerate().map(|(place, gateway)| (GatewayId(place as u8), gateway));
    let others = places.filter(|(id, gateway)| *id != called && Some(gateway.config.channel) == channel);
    let take = |(id, gateway): (GatewayId, &Gateway)| {
        let taken = catch_unwind(AssertUnwindSafe(|| gateway.adapter.overhear(request)));
        if taken.is_err() {
            tracing::error!(gateway = gateway.config.name, "the adapter panicked over another's call");
        }
        (id, taken.unwrap_or_default())
    };
    others.map(take).filter(|(_, taken)| !taken.is_empty()).collect()
}

/// Lets the adapter read a call. A fault of the adapter is answered as an unreadable call: the provider tries again.
pub(crate) fn read(gateway: &Gateway, request: &HookRequest) -> HookAnswer {
    match catch_unwind(AssertUnwindSafe(|| gateway.adapter.hook(request))) {
        Ok(answer) => answer,
        Err(_) => {
            tracing::error!(gateway = gateway.config.name, "the adapter panicked over a provider's call");
            HookAnswer {
                status: 500,
                content_type: "text/plain; charset=utf-8",
                body: String::new(),
                receipts: Vec::new(),
                replies: Vec::new(),
                result: "unreadable",
            }
        }
    }
}
