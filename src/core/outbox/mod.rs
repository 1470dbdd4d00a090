//! The message flow's tables: messages, deliveries, attempts, queues and timers.
//!
//! A waiting delivery is one slab row and one heap entry: no strings. Nothing is queued on a gateway: a delivery waits in
//! one queue per ladder of permitted gateways and is bound only when one of them has a slot and a token.

pub(crate) mod early;
pub(crate) mod message;
pub(crate) mod queue;
pub(crate) mod rests;
pub(crate) mod row;
pub(crate) mod timers;
