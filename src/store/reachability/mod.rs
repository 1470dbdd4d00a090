//! Reachability: what this vantage point has seen of gateways, so that a restart does not begin blind.
//!
//! Written behind, never on a message's path: the last value of a cell wins, at most one write a second. Losing it costs
//! memory of the past, never a message; so whatever is wrong with it is moved aside, said, and started anew.
//!
//! The vantage point and the slice are in the key from the first day, since they cannot be added late.

mod disk;
pub mod sled;

use crate::core::record::Needles;
use std::path::PathBuf;
use std::time::Duration;

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

/// The most cells that are kept: as many gateways as there may be, with about forty slices each.
pub const CELLS_MAX: usize = 10_000;

/// A cell and what is thought of it.
#[derive(Clone, PartialEq, Debug)]
pub struct CellRow {
    /// The cell.
    pub cell: Cell,
    /// What is thought of it.
    pub needles: Needles,
}

/// What was found on opening.
#[derive(Debug)]
pub struct Opened<R> {
    /// The store.
    pub reachability: R,
    /// Every cell that was kept.
    pub cells: Vec<CellRow>,
    /// What went wrong, to be said loudly.
    pub notice: Option<Notice>,
}

/// What went wrong with reachability. No message is concerned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Notice {
    /// What was there could not be used.
    #[error("reachability was unusable ({why}); it was moved to {} and starts empty", to.display())]
    MovedAside {
        /// Where it lies.
        to: PathBuf,
        /// What was wrong with it.
        why: String,
    },
    /// Nothing is kept for the time being; it is tried again.
    #[error("reachability is not being kept: {why}; what is known is in memory, and writing is tried again")]
    NotKept {
        /// Why.
        why: String,
    },
}

/// How reachability is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReachabilityHealth {
    /// Bytes on disk.
    pub bytes: u64,
    /// How many cells are known.
    pub cells: usize,
    /// For how long the oldest change has waited to be written.
    pub behind: Duration,
    /// What is wrong, or went wrong since the start.
    pub notice: Option<Notice>,
}

/// Keeps what is thought of gateways.
pub trait Reachability: Send + Sync {
    /// Takes the latest of some cells. Returns at once; written within about a second. Beyond [`CELLS_MAX`]
    /// new cells are not taken.
    fn remember(&self, cells: Vec<CellRow>);
    /// Says how it is.
    fn health(&self) -> ReachabilityHealth;
    /// Writes what is left and closes. Further cells are not taken.
    fn close(&self);
}

impl Cell {
    /// Names a gateway as seen from here, for everybody.
    pub fn of_gateway(gateway: &str) -> Cell {
        Cell { vantage: HERE.into(), gateway: gateway.into(), slice: WHOLE.into() }
    }
}
