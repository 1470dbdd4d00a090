//! Routes: which gateways a class of recipients may take, level by level; and the fleet of gateways they are chosen from.

pub(crate) mod fleet;
pub(crate) mod plan;
