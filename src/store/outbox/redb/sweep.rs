//! Writes the store's files anew after somebody was erased, so that no byte of what was taken out lies in pages that are free.
//!
//! It is done when the store is opened, before anything else: the tables are copied row by row into a new file, which then takes the
//! old one's name, and the journal is begun anew. The old file's blocks go back to the file system, which alone can overwrite them.
//!
//! Limits: it needs room for a second copy, and no more than [`COPY_MAX`] of a start, in which nothing is sent. Where it has not got the
//! room, it is left for the next start, and said; where it has not got the time, that is remembered by a file beside the store
//! ([`LATE`]) and no start tries again until a person allows it by another ([`ALLOWED`]). At most [`PART_ROWS`] rows or
//! [`PART_BYTES`] are in one transaction.
//!
//! Invariant: at any instant one whole store bears the name. Nothing is pending when it begins, so a new journal beside the old
//! tables has nothing to add.

use super::erase::UNSWEPT;
use super::fault::Fault;
use super::tables::{Place, RawRow, Reading};
use super::writing::transact;
use super::{Shared, guarded, make_file, make_journal, remove};
use crate::store::codec::{Key, Table};
use crate::store::outbox::CommitError;
use crate::store::space;
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableTable};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a start may take for it. A service that is started again in a crisis has messages to send.
pub(super) const COPY_MAX: Duration = Duration::from_secs(20);
/// The ending of the file that says that it takes longer.
pub(in crate::store) const LATE: &str = "unswept";
/// The ending of the file by which a person allows it to take as long as it needs.
pub(in crate::store) const ALLOWED: &str = "sweep";
/// How many rows are copied in one transaction.
const PART_ROWS: usize = 20_000;
/// How many bytes of them.
const PART_BYTES: usize = 16 << 20;

/// Says whether something was erased since the file was written.
fn is_due(shared: &Shared) -> Result<bool, Fault> {
    guarded(|| Ok(shared.begin_read()?.value(Place::Of(Table::Meta), UNSWEPT)?.is_some()))
}

/// Writes the store anew where something was erased and it may be done now; returns the new file, which is to take its place.
pub(super) fn try_copy(shared: &Shared, path: &Path, most: Duration) -> Result<Option<PathBuf>, Fault> {
    let (late, allowed) = (path.with_extension(LATE), path.with_extension(ALLOWED));
    if !is_due(shared)? {
        remove(&allowed)?;
        remove(&late)?;
        return Ok(None);
    }
    let is_allowed = allowed.try_exists()?;
    if late.try_exists()? && !is_allowed {
        tracing::warn!(
            allow = %allowed.display(),
            "the store is not written anew after an erasure, since that takes too long for a start: what was erased may lie in its \
             free pages. When the service may be away for some minutes, make the file that `allow` names, and start it again"
        );
        return Ok(None);
    }
    match copy(shared, path, (!is_allowed).then_some(most)) {
        Ok(fresh) => {
            remove(&allowed)?;
            remove(&late)?;
            Ok(Some(fresh))
        }
        // The store is whole; only what was erased may still lie in its free pages.
        Err(Fault::Redb(redb::Error::Io(error))) if error.kind() == io::ErrorKind::TimedOut => {
            fs::write(&late, "")?;
            space::sync_folder_of(&late)?;
            tracing::warn!(
                allow = %allowed.display(),
                "the store was not written anew after an erasure: it takes longer than {} s, and no start tries again by itself. What was \
                 erased may lie in its free pages. When the service may be away for some minutes, make the file that `allow` names, \
                 and start it again",
                most.as_secs()
            );
            Ok(None)
        }
        Err(fault) => {
            tracing::warn!(
                error = %CommitError::from(fault),
                "the store was not written anew after an erasure, and the next start tries again: what was erased may lie in its free \
                 pages until then; it needs room for a second copy"
            );
            Ok(None)
        }
    }
}

/// Copies the tables into a new file beside the old one, and returns its path. `most`: how long it may take.
fn copy(shared: &Shared, path: &Path, most: Option<Duration>) -> Result<PathBuf, Fault> {
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
        let is_over = || most.is_some_and(|most| began.elapsed() > most);
        Place::all().try_for_each(|place| copy_table(&reading, &database, place, &is_over))
    });
    if copied.is_err() {
        remove(&fresh)?;
    }
    copied.map(|()| fresh)
}

fn copy_table(
    reading: &Reading,
    database: &Database,
    place: Place,
    is_over: &dyn Fn() -> bool,
) -> Result<(), Fault> {
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
            in_time(is_over)?;
            part.clear();
            bytes = 0;
        }
    }
    write_part(database, place, &part)?;
    Ok(in_time(is_over)?)
}

fn in_time(is_over: &dyn Fn() -> bool) -> io::Result<()> {
    match is_over() {
        true => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long for a start")),
        false => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::erasure::Erasure;
    use crate::core::query::Contact;
    use crate::store::outbox::redb::open_files;
    use crate::store::outbox::{Outbox, Put};

    #[test]
    fn a_store_that_is_too_large_for_a_start_costs_one_start_and_then_waits_for_a_person() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.redb");
        let (late, allowed) = (path.with_extension(LATE), path.with_extension(ALLOWED));
        let contact = Contact { id: "c-17".into(), name: "N-17-erased".into(), ..Contact::default() };
        let erasure =
            Erasure { contact: Some("c-17".into()), pseudonym: "erased:0".into(), ..Erasure::default() };
        let mut outbox = open_files(&path, COPY_MAX).unwrap();
        outbox.commit(&[Put::Contact(contact)]).unwrap();
        outbox.commit(&[Put::Erase(Box::new(erasure))]).unwrap();
        drop(outbox);
        drop(open_files(&path, Duration::ZERO).unwrap());
        assert!(late.exists(), "it took too long, and that is remembered");
        // Who has all the time in the world does not try by itself.
        let outbox = open_files(&path, COPY_MAX).unwrap();
        assert!(is_due(&outbox.shared).unwrap() && late.exists());
        drop(outbox);
        fs::write(&allowed, "").unwrap();
        let outbox = open_files(&path, Duration::ZERO).unwrap();
        assert!(!is_due(&outbox.shared).unwrap() && !late.exists() && !allowed.exists());
        drop(outbox);
        let kept = fs::read(&path).unwrap();
        assert!(!kept.windows(11).any(|bytes| bytes == b"N-17-erased"));
    }
}
