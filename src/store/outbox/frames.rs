//! The neutral form in which an outbox moves from one engine to another, or to a machine without either.
//!
//! A file is [`MAGIC`], then frames, then the end frame. A frame is a length (four bytes, big-endian), a body and the
//! body's CRC-32. A body is the table's number, the key with its length, and the value as the codec writes it. The
//! end frame's table is 0 and its body holds how many frames came before it: a file that was cut short shows.

use super::{Outbox, Position, Put, ReadError, Reader, Walk};
use crate::core::audit::Head;
use crate::core::time::Timestamp;
use crate::store::chain::Chain;
use crate::store::codec::{self, CodecError, Malformed, Stored, Table, Writer, crc32};
use std::io;

/// How such a file begins; the last two digits are the format's version.
pub const MAGIC: &[u8; 8] = b"WASLEX01";

/// The longest frame: a chunk of 2,000 people with every address they may have is far below it.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// How many rows an import commits at once.
const IMPORT_ROWS: usize = 2_000;
/// How many bytes of rows it commits at once: chunks of audiences are long.
const IMPORT_BYTES: usize = 4 << 20;
/// The table number of the end frame.
const END: u8 = 0;

/// Why an outbox could not be exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The outbox cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The outbox cannot be written.
    #[error(transparent)]
    Commit(#[from] super::CommitError),
    /// The file cannot be read or written.
    #[error("the export file cannot be read or written: {0}")]
    File(#[from] io::Error),
    /// The file is not whole.
    #[error("the export file is damaged after {rows} rows: expected {expected}; take another copy of it")]
    Damaged {
        /// How many rows were good.
        rows: u64,
        /// What was expected.
        expected: &'static str,
    },
    /// A row of it cannot be read.
    #[error("row {rows} of the export file: {error}")]
    Row {
        /// How many rows came before it.
        rows: u64,
        /// Why.
        error: CodecError,
    },
    /// The outbox to import into holds something.
    #[error("an import needs an empty outbox, and this one has {0} messages")]
    NotEmpty(u64),
}

/// Writes every row of an outbox to `out`, and says which position it reflects.
pub fn export(reader: &dyn Reader, out: &mut dyn io::Write) -> Result<Position, MoveError> {
    out.write_all(MAGIC)?;
    let mut count = 0u64;
    let mut failed = None;
    let position = reader.rows(&mut |put| {
        let Some((table, key, value)) = codec::encode_put(&put) else { return Walk::On };
        count += 1;
        match write_frame(out, table as u8, &key, &value) {
            Ok(()) => Walk::On,
            Err(error) => {
                failed = Some(error);
                Walk::Stop
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    write_frame(out, END, &[], &count.to_be_bytes())?;
    out.flush()?;
    Ok(position)
}

/// Reads what [`export`] wrote into an empty outbox. On an error the outbox holds the rows before it: start anew with
/// an empty one.
pub fn import(outbox: &mut dyn Outbox, input: &mut dyn io::Read) -> Result<u64, MoveError> {
    let held = outbox.reader().health()?;
    if held.messages > 0 {
        return Err(MoveError::NotEmpty(held.messages));
    }
    read_magic(input)?;
    let (mut rows, mut bytes) = (0, 0);
    let mut batch: Vec<Put> = Vec::with_capacity(IMPORT_ROWS);
    // A file of an older program has its acts without a chain, and no others.
    let (mut chain, mut unchained): (_, Option<Timestamp>) = (Chain::after(Head::default()), None);
    loop {
        let body = read_frame(input, rows)?;
        bytes += body.len();
        match parse(&body, rows)? {
            Frame::Row(Stored::Put(put)) => batch.push(put),
            Frame::Row(Stored::Unchained(audit)) => {
                unchained = Some(audit.at);
                batch.push(Put::Link(chain.link(audit)));
            }
            Frame::End(count) if count == rows => break,
            Frame::End(_) => return Err(MoveError::Damaged { rows, expected: "as many rows as it says" }),
        }
        rows += 1;
        if batch.len() == IMPORT_ROWS || bytes >= IMPORT_BYTES {
            outbox.commit(&batch)?;
            batch.clear();
            bytes = 0;
        }
    }
    if let Some(last) = unchained {
        let (anchor, note) = chain.adopted(last);
        batch.extend([Put::Anchor(anchor), Put::Link(note)]);
    }
    outbox.commit(&batch)?;
    Ok(rows)
}

/// Reads what [`export`] wrote to its end, and says how many rows are in it: each can be read, and none is missing.
pub fn check(input: &mut dyn io::Read) -> Result<u64, MoveError> {
    read_magic(input)?;
    let mut rows = 0;
    loop {
        let body = read_frame(input, rows)?;
        match parse(&body, rows)? {
            Frame::Row(_) => rows += 1,
            Frame::End(count) if count == rows => break,
            Frame::End(_) => return Err(MoveError::Damaged { rows, expected: "as many rows as it says" }),
        }
    }
    match input.read(&mut [0])? {
        0 => Ok(rows),
        _ => Err(MoveError::Damaged { rows, expected: "nothing after its end" }),
    }
}

fn read_magic(input: &mut dyn io::Read) -> Result<(), MoveError> {
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    match &magic == MAGIC {
        true => Ok(()),
        false => Err(MoveError::Damaged { rows: 0, expected: "the first bytes of an export" }),
    }
}

#[allow(clippy::large_enum_variant, reason = "one at a time is read, and used at once")]
enum Frame {
    Row(Stored),
    End(u64),
}

fn write_frame(out: &mut dyn io::Write, table: u8, key: &[u8], value: &[u8]) -> io::Result<()> {
    let mut body = Writer::new();
    body.byte(table);
    body.number(key.len() as u64);
    body.raw(key);
    body.raw(value);
    let body = body.finish();
    let len = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    out.write_all(&len.to_be_bytes())?;
    out.write_all(&body)?;
    out.write_all(&crc32(&body).to_be_bytes())
}

fn read_frame(input: &mut dyn io::Read, rows: u64) -> Result<Vec<u8>, MoveError> {
    let damaged = |expected| MoveError::Damaged { rows, expected };
    let mut len = [0; 4];
    input.read_exact(&mut len)?;
    let len = u32::from_be_bytes(len) as usize;
    if len > FRAME_BYTES_MAX {
        return Err(damaged("a shorter row"));
    }
    let mut body = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(&mut *input, len as u64), &mut body)?;
    let mut crc = [0; 4];
    input.read_exact(&mut crc)?;
    if body.len() != len || u32::from_be_bytes(crc) != crc32(&body) {
        return Err(damaged("a row with the right checksum"));
    }
    Ok(body)
}

fn parse(body: &[u8], rows: u64) -> Result<Frame, MoveError> {
    let damaged = |Malformed(expected)| MoveError::Damaged { rows, expected };
    let mut body = codec::Reader::new(body);
    let table = body.byte().map_err(damaged)?;
    let key_len = body.number().map_err(damaged)?;
    let key = body.raw(key_len).map_err(damaged)?;
    if table == END {
        return Ok(Frame::End(u64::from_be_bytes(body.array().map_err(damaged)?)));
    }
    let table = Table::from_number(table).ok_or(damaged(Malformed("a known table")))?;
    let row = codec::decode_stored(table, key, body.remaining());
    row.map(Frame::Row).map_err(|error| MoveError::Row { rows, error })
}
