//! Reachability: what this vantage point has seen of gateways. Written behind, never on a message's path.

use crate::core::record::Needles;

/// What is judged: a gateway, from one vantage point, for one slice of its recipients.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cell {
    /// Where the evidence was seen from: [`HERE`] on one machine.
    pub vantage: String,
    /// The gateway's name.
    pub gateway: String,
    /// The slice of its recipients: [`WHOLE`] where all are judged together.
    pub slice: String,
}

/// The vantage point of a service that stands alone.
pub const HERE: &str = "here";
/// The slice that is everybody.
pub const WHOLE: &str = "";

/// A cell and what is thought of it.
#[derive(Clone, PartialEq, Debug)]
#[allow(dead_code)]
pub(crate) struct CellRow {
    pub(crate) cell: Cell,
    pub(crate) needles: Needles,
}
