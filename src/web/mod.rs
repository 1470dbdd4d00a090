//! The dashboard, rendered on the server: the page and its live patches are the same functions.
//!
//! It works without script; with it, panels are replaced as they change. Nothing on it comes from another address.
//!
//! Invariant: no telephone number and no message's text is ever on a page.

pub(crate) mod assets;
pub(crate) mod feed;
pub mod locale;
pub(crate) mod page;
mod panels;
