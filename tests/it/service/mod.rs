//! The service in one process: the real core, the real turn, stores and adapters of the test's choosing.

mod erasure;
pub(crate) mod house;
mod message;
mod reach;
mod replies;
pub(crate) mod site;
