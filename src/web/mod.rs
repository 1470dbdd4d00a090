//! The dashboard, rendered on the server: the page and its live patches are the same functions.
//!
//! It works without script; with it, panels are replaced as they change. Nothing on it comes from another address.
//!
//! Invariant: no address is on a page but by its last three digits. A message's text is shown to whoever writes it, and
//! where its own page was asked for it; nowhere else, and never on the wall.

pub(crate) mod assets;
pub(crate) mod deliveries;
pub(crate) mod feed;
mod found;
mod frame;
pub mod locale;
pub(crate) mod message;
pub(crate) mod operate;
pub(crate) mod outages;
pub(crate) mod page;
mod panels;
pub(crate) mod report;
mod sheet;
pub(crate) mod trouble;
