//! Figure b, second half: the outbox alone, 256 tasks waiting, beside a plain file with append and fdatasync of the same bytes.
//!
//! Both sides find their input made: the file its bytes, the outbox its messages. What the outbox does with them, the chain's
//! links included, is measured.

use super::null::message;
use super::{Figure, Skipped};
use crate::core::audit::{Audit, Head};
use crate::core::ids::MessageId;
use crate::core::message::Message;
use crate::core::record::Record;
use crate::core::reply::Asks;
use crate::core::time::Timestamp;
use crate::store::chain::Chain;
use crate::store::outbox::frames::export;
use crate::store::outbox::memory::MemoryOutbox;
use crate::store::outbox::redb::RedbOutbox;
use crate::store::outbox::{Outbox, Put};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many tasks wait: each turn commits what all of them brought.
const WAITING: usize = 256;
/// How long each side is measured, in turns with the other.
const SLICE: Duration = Duration::from_millis(700);
/// How many turns each side gets.
const SLICES: usize = 4;

pub(super) fn run(_: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    let folder = super::mass::folder()?;
    let told = |e: &dyn std::fmt::Display| e.to_string();
    let mut outbox = RedbOutbox::open(&folder.path().join("outbox.redb")).map_err(|e| told(&e))?;
    let mut file = std::fs::File::create(folder.path().join("plain")).map_err(|e| told(&e))?;
    let (mut number, mut chain) = (0u64, Chain::after(Head::default()));
    let (mut stored, mut stored_secs, mut plain, mut plain_secs) = (0usize, 0.0, 0usize, 0.0);
    let bytes = written(&linked(batch(&mut number), &mut chain))?;
    for _ in 0..SLICES {
        let mut took = Duration::ZERO;
        while took < SLICE {
            let messages = batch(&mut number);
            let began = Instant::now();
            outbox.commit(&linked(messages, &mut chain)).map_err(|e| told(&e))?;
            took += began.elapsed();
            stored += WAITING;
        }
        stored_secs += took.as_secs_f64();
        let began = Instant::now();
        while began.elapsed() < SLICE {
            file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(|e| told(&e))?;
            plain += WAITING;
        }
        plain_secs += began.elapsed().as_secs_f64();
    }
    Ok(vec![Figure {
        name: "outbox, 256 waiting",
        value: stored as f64 / stored_secs,
        unit: "messages/s",
        yardstick: Some(("append + fdatasync of the same bytes", plain as f64 / plain_secs)),
        target: "at least 0.4",
    }])
}

/// Returns the bytes of a batch as an export has them: each row's key and value.
fn written(batch: &[Put]) -> Result<Vec<u8>, String> {
    let mut rows = MemoryOutbox::new();
    rows.commit(batch).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    export(&*rows.reader(), &mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// Links the acts into the chain, behind what they are about.
fn linked((mut puts, acts): (Vec<Put>, Vec<Audit>), chain: &mut Chain) -> Vec<Put> {
    puts.extend(acts.into_iter().map(|act| Put::Link(chain.link(act))));
    puts
}

/// Makes what so many accepted messages write, and what goes on record of it.
fn batch(number: &mut u64) -> (Vec<Put>, Vec<Audit>) {
    let (mut puts, mut acts) = (Vec::with_capacity(3 * WAITING), Vec::with_capacity(WAITING));
    for _ in 0..WAITING {
        *number += 1;
        // Some messages a millisecond, as at this pace.
        let at = Timestamp::from_ms(1_790_000_000_000 + *number as i64 / 64);
        let id = MessageId::new(at, 0, number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let accept = message(1);
        let record = Message {
            id,
            author: accept.author,
            accepted_at: at,
            severity: accept.severity,
            urgency: accept.urgency,
            status: accept.status,
            incident: None,
            expires: None,
            text: accept.text,
            template: None,
            tags: accept.tags,
            recipients: 1,
            audiences: vec![],
            corrects: None,
            asks: Asks::NOTHING,
        };
        let people = Arc::new(accept.recipients);
        acts.push(Audit {
            at,
            who: "bench".into(),
            act: "accept".into(),
            on: id.to_string(),
            reason: String::new(),
        });
        puts.push(Put::Record(Record::Message(Arc::new(record))));
        puts.push(Put::Record(Record::Audience { message: id, chunk: 0, people }));
    }
    (puts, acts)
}
