//! Writes the store's files anew after somebody was erased, so that no byte of what was taken out lies in pages that are free.
//!
//! It is done when the store is opened, before anything else: the tables are copied row by row into a new file, which then takes the
//! old one's name, and the journal is begun anew. The old file's blocks go back to the file system, which alone can overwrite them.
//!
//! Limits: it needs room for a second copy, and no more than [`COPY_MAX`] of a start, in which nothing is sent; where it has not
//! got these, it is left for the next start, and said. At most [`PART_ROWS`] rows or [`PART_BYTES`] are in one transaction.
//!
//! Invariant: at any instant one whole store bears the name. Nothing is pending when it begins, so a new journal beside the old
//! tables has nothing to add.

use super::erase::UNSWEPT;
use super::fault::Fault;
use super::tables::{Place, RawRow, Reading};
use super::writing::transact;
use super::{Shared, guarded, make_file, make_journal, remove};
use crate::store::codec::{Key, Table};
use crate::store::space;
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableTable};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a start may take for it. A service that is started again in a crisis has messages to send.
const COPY_MAX: Duration = Duration::from_secs(20);
/// How many rows are copied in one transaction.
const PART_ROWS: usize = 20_000;
/// How many bytes of them.
const PART_BYTES: usize = 16 << 20;

/// Says whether something was erased since the file was written.
pub(super) fn is_due(shared: &Shared) -> Result<bool, Fault> {
    guarded(|| Ok(shared.begin_read()?.value(Place::Of(Table::Meta), UNSWEPT)?.is_some()))
}

/// Copies the tables into a new file beside the old one, and returns its path.
pub(super) fn copy(shared: &Shared, path: &Path) -> Result<PathBuf, Fault> {
    let (fresh, began) = (path.with_extension("redb.new"), Instant::now());
    remove(&fresh)?;
    let copied = guarded(|| {
        let reading = shared.begin_read()?;
        let database = Builder::new()
            .set_cache_size(super::CACHE_BYTES)
            .create_with_backend(FileBackend::new(make_file(&fresh)?)?)?;
        transact(&database, |tables| {
            tables.open_all()?;
            tables.note(&reading.meta)
        })?;
        Place::all().try_for_each(|place| copy_table(&reading, &database, place, began))
    });
    if copied.is_err() {
        remove(&fresh)?;
    }
    copied.map(|()| fresh)
}

fn copy_table(reading: &Reading, database: &Database, place: Place, began: Instant) -> Result<(), Fault> {
    let Some(table) = reading.table(place)? else { return Ok(()) };
    let (mut part, mut bytes) = (Vec::new(), 0);
    for row in table.iter()? {
        let (key, value) = row?;
        if place == Place::Of(Table::Meta) && key.value() == UNSWEPT {
            continue;
        }
        bytes += key.value().len() + value.value().len();
        part.push((key.value().to_vec(), value.value().to_vec()));
        if part.len() >= PART_ROWS || bytes >= PART_BYTES {
            write_part(database, place, &part)?;
            if began.elapsed() > COPY_MAX {
                let why = format!("it takes longer than {} s", COPY_MAX.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, why).into());
            }
            part.clear();
            bytes = 0;
        }
    }
    write_part(database, place, &part)
}

fn write_part(database: &Database, place: Place, part: &[RawRow]) -> Result<(), Fault> {
    transact(database, |tables| {
        part.iter().try_for_each(|(key, value)| tables.insert(place, Key::from_slice(key), value))
    })
}

/// Begins the journal anew, and gives the new file the store's name: in this order, since with the old file the mark goes that
/// has this done again. The store is closed.
pub(super) fn replace(fresh: &Path, path: &Path, beside: &Path) -> Result<(), Fault> {
    make_journal(beside)?;
    fs::rename(fresh, path)?;
    space::sync_folder_of(path)?;
    Ok(())
}
