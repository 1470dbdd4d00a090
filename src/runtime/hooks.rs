//! Providers' calls: read by the adapter, under guard.

use crate::adapter::{HookAnswer, HookRequest};
use crate::runtime::gateways::Gateway;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
                result: "unreadable",
            }
        }
    }
}
