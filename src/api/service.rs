//! What the HTTP interface and the pages may ask of the service behind them.
//!
//! Invariant: nothing here reaches a store, an adapter or a socket; the runtime answers.

use super::ring::EventRing;
use crate::adapter::{HookAnswer, HookRequest};
use crate::core::audit::Head;
use crate::core::channel::{CHANNELS, Channel, ChannelSet};
use crate::core::effect::Reply;
use crate::core::erasure::{Erased, Erasure};
use crate::core::forecast::{Forecast, Load};
use crate::core::input::{Accept, Command, Ticket};
use crate::core::message::Recipient;
use crate::core::query::{Answer, Contact, Query, Role, TokenRecord};
use crate::core::reach::Reach;
use crate::core::time::Timestamp;
use crate::core::view::View;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::Receiver;

/// A future that the service hands out.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why the service could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The disk is below its reserve: nothing new is taken, what was accepted goes on.
    #[error("the disk is below its reserve; free some space, then send again")]
    DiskFull,
    /// Too much is waiting to be written.
    #[error("the service is busy; send again after the given time")]
    Busy {
        /// Seconds.
        retry_after_secs: u32,
    },
    /// The store cannot be read or written.
    #[error("the store does not answer: {0}")]
    Store(String),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The change cannot be made as things stand; the text says why, and what to do.
    #[error("{0}")]
    Refused(String),
}

/// A change that is not the core's to decide. Durable before it is answered.
#[derive(Clone, Debug)]
pub enum Change {
    /// Put these contacts, replacing those of the same id.
    Contacts(Vec<Contact>),
    /// Put a token. Refused where its name is taken, unless it is to replace the one that has it, and where no admin would
    /// be left.
    Token {
        /// The new one.
        record: TokenRecord,
        /// Whether to end the one that has its name.
        replace: bool,
    },
    /// Take a part of what is kept of a person out.
    Erase {
        /// The part.
        erasure: Box<Erasure>,
        /// With the contact: what makes the erasure known.
        done: Option<Done>,
    },
    /// Note what somebody did: nothing but the record of it is kept.
    Act {
        /// What: `acknowledge`, `silence`, `call-tree`, `backup`.
        act: &'static str,
        /// On what.
        on: String,
        /// Why.
        reason: String,
    },
}

/// A part of a backup, or why it ends early.
pub type Part = std::io::Result<Vec<u8>>;

/// What makes an erasure known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// What is kept of it.
    pub kept: [Erased; 2],
    /// Why.
    pub reason: String,
}

/// An erasure that was carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erasing {
    /// What stands for the person.
    pub pseudonym: String,
    /// When.
    pub at: Timestamp,
    /// How many deliveries were for the person.
    pub deliveries: u64,
    /// How many replies there were.
    pub replies: u64,
    /// How many calls for help of late there were; what was open of them is closed.
    pub calls: u64,
}

/// Whether the service can be relied on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readiness {
    /// The turn and the writer are alive.
    pub healthy: bool,
    /// The outbox is open and loaded, and a policy is in force.
    pub ready: bool,
    /// Why not, in words.
    pub why: Vec<String>,
}

/// A policy edit that was refused, as the banner tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyTrouble {
    /// Since when.
    pub at: Timestamp,
    /// The rendered diagnostics.
    pub report: String,
}

/// A forecast with what only the adapters know: how many segments, and what it costs.
#[derive(Clone, PartialEq, Debug)]
pub enum Forecasted {
    /// It would go like this.
    Forecast {
        /// What the core says.
        forecast: Forecast,
        /// Each gateway's share, by step.
        shares: Vec<Share>,
        /// The cost in all, in the unit of the gateways' `cost`.
        cost: f64,
    },
    /// It would not be accepted.
    Refused(Reply),
}

/// What one gateway would carry in one step.
#[derive(Clone, PartialEq, Debug)]
pub struct Share {
    /// The step of the rule, from 0.
    pub step: u8,
    /// The gateway's name.
    pub gateway: String,
    /// The channel.
    pub channel: Channel,
    /// How many, first copies and further ones.
    pub load: Load,
    /// How many SMS segments, on a channel that has them.
    pub segments: Option<u64>,
    /// What it costs.
    pub cost: f64,
}

/// The service behind the interface.
pub trait Service: Send + Sync {
    /// Returns the latest picture.
    fn view(&self) -> Arc<View>;
    /// Returns who can be reached, as counted last.
    fn reach(&self) -> Arc<Reach>;
    /// Returns the wall clock's time now, for ages on pages.
    fn now(&self) -> Timestamp;
    /// Hands a message to the core; answers once it is on disk. The ticket in it is replaced.
    fn accept(&self, accept: Accept) -> Doing<'_, Result<Reply, Trouble>>;
    /// Forecasts a message without sending it: nothing is written.
    fn forecast(&self, accept: Accept) -> Doing<'_, Result<Forecasted, Trouble>>;
    /// Hands a command to the core; answers once it is on disk.
    fn command(&self, who: String, command: Command) -> Doing<'_, Result<Reply, Trouble>>;
    /// Reads from the store on a blocking thread.
    fn read(&self, query: Query) -> Doing<'_, Result<Answer, Trouble>>;
    /// Makes a change durable.
    fn change(&self, who: String, change: Change) -> Doing<'_, Result<(), Trouble>>;
    /// Begins a backup: everything that is stored, as one moment saw it. Call inside a tokio runtime.
    fn backup(&self) -> Result<Receiver<Part>, Trouble>;
    /// Erases the person with this id; answers once it is on disk. `None` where nobody has or had it.
    fn erase(&self, who: String, id: String, reason: String) -> Doing<'_, Result<Option<Erasing>, Trouble>>;
    /// Waits until no other import is under way, and keeps others, and the last step of an erasure, from beginning: who was erased
    /// since an import looked must not come back by it.
    fn importing(&self) -> Doing<'_, OwnedMutexGuard<()>>;
    /// Says when the person with this id was erased.
    fn erased(&self, id: &str) -> Option<Timestamp>;
    /// Finds the token with this SHA-256.
    fn token(&self, hash: &[u8; 32]) -> Option<(String, Role)>;
    /// Gives a provider's call to its adapter; answers once its receipts are on disk.
    fn hook(&self, gateway: &str, request: HookRequest) -> Doing<'_, Result<Option<HookAnswer>, Trouble>>;
    /// Says whether the service can be relied on.
    fn readiness(&self) -> Readiness;
    /// Returns the refused policy edit, if the last one was.
    fn policy_trouble(&self) -> Option<PolicyTrouble>;
    /// Returns where the chain of acts ends on disk.
    fn acts_end(&self) -> Head;
    /// Returns the metrics in Prometheus' text format.
    fn metrics(&self) -> String;
    /// Returns how many addresses want nothing more on each channel, in the order of `Channel::ALL`.
    fn opted_out(&self) -> [u64; CHANNELS];
    /// Returns the channels on which a person has an address that takes messages.
    fn open_channels(&self, person: &Recipient) -> ChannelSet;
    /// Says whether providers may call for a gateway of this name: it is there, or was since the start.
    fn has_hook(&self, gateway: &str) -> bool;
    /// Waits until the view is newer than `turn`, then returns it; never sooner than 250 ms after the last.
    fn next_view(&self, turn: u64) -> Doing<'_, Arc<View>>;
    /// Returns the last events. The runtime pushes a turn's events once they are durable, and closes the ring
    /// when it begins to stop, which ends every stream.
    fn events(&self) -> &EventRing;
}

/// A ticket that the runtime has yet to choose.
pub const NO_TICKET: Ticket = Ticket(0);
