//! The event stream: who listens, and what they are told when.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::super::agenda::Agenda;
use super::super::desk::{Gate, lock};
use super::super::listen::stopped;
use super::now_ms;

/// Listeners at once.
const LISTENERS_MAX: usize = 64;

/// Frames that one listener may be behind; past it the stream ends, and it must come again.
const BEHIND_MAX: usize = 4_096;

/// Frames that wait for a listener where they do.
const UNHEARD_MAX: usize = 100_000;

/// Entries told in one go; receipts of one recipient among them share an envelope.
const BATCH_MAX: usize = 64;

/// How far a receipt says the message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Delivery,
    Read,
}

/// Something to tell listeners of one account.
#[derive(Clone, Debug)]
pub(super) struct News {
    account: String,
    sender: Value,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Receipt {
        stage: Stage,
        timestamps: Vec<u64>,
        /// Whether it keeps an envelope of its own.
        alone: bool,
    },
    Message(Value),
}

impl News {
    pub(super) fn receipt(account: &str, sender: Value, stage: Stage, timestamp: u64) -> Self {
        Self {
            account: account.to_owned(),
            sender,
            content: Content::Receipt { stage, timestamps: vec![timestamp], alone: false },
        }
    }

    pub(super) fn message(account: &str, sender: Value, message: Value) -> Self {
        Self { account: account.to_owned(), sender, content: Content::Message(message) }
    }

    /// Returns the same in an envelope of its own.
    pub(super) fn alone(mut self) -> Self {
        if let Content::Receipt { alone, .. } = &mut self.content {
            *alone = true;
        }
        self
    }

    /// Returns the same from somebody else.
    pub(super) fn from(mut self, sender: Value) -> Self {
        self.sender = sender;
        self
    }

    /// Joins a receipt of the same kind from the same sender.
    fn absorb(&mut self, other: &Self) -> bool {
        if self.account != other.account || self.sender != other.sender {
            return false;
        }
        match (&mut self.content, &other.content) {
            (
                Content::Receipt { stage, timestamps, alone: false },
                Content::Receipt { stage: same, timestamps: more, alone: false },
            ) if stage == same => {
                timestamps.extend(more);
                true
            }
            _ => false,
        }
    }

    fn frame(&self) -> Bytes {
        let now = now_ms();
        let mut envelope = self.sender.clone();
        envelope["timestamp"] = json!(now);
        match &self.content {
            Content::Receipt { stage, timestamps, .. } => {
                envelope["receiptMessage"] = json!({
                    "when": now,
                    "isDelivery": *stage == Stage::Delivery,
                    "isRead": *stage == Stage::Read,
                    "isViewed": false,
                    "timestamps": timestamps,
                });
            }
            Content::Message(message) => envelope["dataMessage"] = message.clone(),
        }
        let data = json!({ "envelope": envelope, "account": self.account });
        Bytes::from(format!("event:receive\ndata:{data}\n\n"))
    }
}

/// The stream's state.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) agenda: Agenda<News>,
    keep_unheard: bool,
    stream: Mutex<Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    listeners: Vec<Listener>,
    unheard: VecDeque<News>,
}

#[derive(Debug)]
struct Listener {
    /// Hears this account only.
    account: Option<String>,
    frames: mpsc::Sender<Bytes>,
}

impl Listener {
    fn hears(&self, account: &str) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
    }
}

impl Feed {
    pub(super) fn new(keep_unheard: bool) -> Self {
        Self { agenda: Agenda::new(), keep_unheard, stream: Mutex::default() }
    }

    /// Adds a listener, or returns none where there are too many.
    pub(super) fn listen(&self, account: Option<String>) -> Option<mpsc::Receiver<Bytes>> {
        let (frames, receiver) = mpsc::channel(BEHIND_MAX);
        let unheard = {
            let stream = &mut *lock(&self.stream);
            stream.listeners.retain(|listener| !listener.frames.is_closed());
            if stream.listeners.len() >= LISTENERS_MAX {
                return None;
            }
            stream.listeners.push(Listener { account, frames });
            std::mem::take(&mut stream.unheard)
        };
        self.publish(unheard.into());
        Some(receiver)
    }

    pub(super) fn listeners_count(&self) -> usize {
        let listeners = &mut lock(&self.stream).listeners;
        listeners.retain(|listener| !listener.frames.is_closed());
        listeners.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.agenda.len() + lock(&self.stream).unheard.len()
    }

    /// Tells all listeners, with receipts of one recipient in one envelope.
    pub(super) fn publish(&self, batch: Vec<News>) {
        let mut joined: Vec<News> = Vec::new();
        for news in batch {
            if !joined.last_mut().is_some_and(|last| last.absorb(&news)) {
                joined.push(news);
            }
        }
        let stream = &mut *lock(&self.stream);
        for news in joined {
            let frame = news.frame();
            let mut heard = false;
            stream.listeners.retain(|listener| {
                if !listener.hears(&news.account) {
                    return true;
                }
                let told = listener.frames.try_send(frame.clone()).is_ok();
                heard |= told;
                told
            });
            if !heard && self.keep_unheard && stream.unheard.len() < UNHEARD_MAX {
                stream.unheard.push_back(news);
            }
        }
    }

    fn keep_alive(&self) {
        let listeners = &mut lock(&self.stream).listeners;
        let colon = Bytes::from_static(b":\n");
        listeners.retain(|listener| listener.frames.try_send(colon.clone()).is_ok());
    }
}

/// Tells what falls due, until the emulator stops.
pub(super) async fn courier(feed: Arc<Feed>, keep_alive: Duration, mut gate: watch::Receiver<Gate>) {
    let told = async {
        loop {
            let batch = feed.agenda.take(BATCH_MAX).await;
            feed.publish(batch);
        }
    };
    let kept = async {
        loop {
            tokio::time::sleep(keep_alive).await;
            feed.keep_alive();
        }
    };
    tokio::select! {
        () = told => {}
        () = kept => {}
        () = stopped(&mut gate) => {}
    }
    lock(&feed.stream).listeners.clear();
}
