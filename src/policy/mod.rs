//! Policies: the text of `policies/*.toml` to a checked policy, with diagnostics.
//!
//! Text -> [`Table`](crate::diag::Table) with places -> drafts -> checks over all rules together -> [`CheckedPolicy`].
//! Everything that is wrong with all files is reported at once.
//!
//! Invariant: only a [`CheckedPolicy`] becomes the [`Policy`] in force, and there is none where anything is an error;
//! the built-in last rule is always behind the admins' rules, so that no edit can stop the routing.

mod compile;
mod criteria;
pub mod explain;
mod lints;
mod parse;
mod source;

pub use compile::{CheckedPolicy, check};
pub use criteria::{Example, examples};
pub use explain::{Described, Explanation, Situation, explain};
pub use source::{FILES_MAX, PolicyFiles};

use crate::core::gateway::GatewayConfig;
use crate::diag::Diagnostics;
use std::path::Path;

/// Reads and checks a folder of policies against the configured gateways. The diagnostics hold the warnings of a sound
/// policy, and all that is wrong with one that is not.
pub fn load(folder: &Path, gateways: &[GatewayConfig]) -> (Option<CheckedPolicy>, Diagnostics) {
    let mut diags = Diagnostics::default();
    let files = PolicyFiles::read(folder, &mut diags);
    let checked = check(&files, Some(gateways), &mut diags);
    (checked, diags)
}

#[cfg(test)]
mod tests;
