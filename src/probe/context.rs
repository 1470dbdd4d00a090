//! What all probes share: the resolvers and whom we trust, built once and kept over reloads.

use super::dns::Resolvers;
use super::tls::Trust;
use crate::settings::Resolver;

/// What all probes share.
pub struct Context {
    pub(crate) resolvers: Resolvers,
    pub(crate) trust: Trust,
}

impl Context {
    /// Builds it from `[net] resolvers`. None: the machine's own.
    pub fn new(resolvers: &[Resolver]) -> Context {
        Context { resolvers: Resolvers::new(resolvers), trust: Trust::default() }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}
