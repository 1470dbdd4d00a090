//! What can go wrong with the file, sorted into the few errors that callers can act on.

use crate::store::OpenError;
use crate::store::codec::{CodecError, Malformed};
use crate::store::outbox::{CommitError, ReadError};
use redb::Error as Redb;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Anything that can go wrong with the file.
#[derive(Debug)]
pub(super) enum Fault {
    /// redb says so.
    Redb(Redb),
    /// A row cannot be read.
    Row(CodecError),
    /// A row that another one needs is missing.
    Missing(&'static str),
    /// The file is open and empty: it was never made into an outbox.
    NoTables,
    /// A newer program wrote it.
    Newer { what: &'static str, found: u32, known: u32 },
    /// The journal does not go on where the tables end.
    Journal(String),
    /// The file is another one than it was.
    Replaced,
    /// It was closed after an error.
    Closed(String),
    /// redb panicked.
    Panic(String),
}

/// Runs what calls redb; a panic of it becomes an error. Dropping what it held is safe: a transaction that is not
/// committed leaves no trace in the file.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Fault::Panic(panic_text(panic.as_ref()))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
        .to_owned()
}

/// The kinds of thing a fault can be.
enum Kind {
    Locked,
    Newer { what: &'static str, found: u32, known: u32 },
    Full,
    Unavailable(String),
    Corrupt(String),
}

impl Fault {
    /// Says whether it is the disk that failed, after which redb refuses to go on until it is opened again. What was
    /// closed by us is not: whoever closed it knows.
    pub(super) fn is_of_the_disk(&self) -> bool {
        matches!(self, Fault::Redb(Redb::Io(_) | Redb::PreviousIo | Redb::LockPoisoned(_)))
    }

    fn kind(self) -> Kind {
        match self {
            Fault::Redb(error) => redb_kind(error),
            Fault::Row(CodecError::Newer { table, found, known }) => {
                Kind::Newer { what: table, found, known }
            }
            Fault::Row(error) => Kind::Corrupt(error.to_string()),
            Fault::Missing(what) => Kind::Corrupt(format!("a row of `{what}` is missing")),
            Fault::NoTables => Kind::Corrupt("its tables are missing".into()),
            Fault::Newer { what, found, known } => Kind::Newer { what, found, known },
            Fault::Journal(what) => Kind::Corrupt(format!(
                "its journal does not go on where its tables end ({what}); what was accepted in the last second or so \
                 may be in there: put the right `outbox.journal` beside it, or empty that file to go on without"
            )),
            Fault::Replaced => Kind::Corrupt(
                "its file was exchanged or cut short while it was open: start again with the right one in its place"
                    .into(),
            ),
            Fault::Closed(why) => Kind::Unavailable(why),
            Fault::Panic(text) => Kind::Corrupt(text),
        }
    }

    /// Says it of opening the file at `path`.
    pub(super) fn opening(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self.kind() {
            Kind::Locked => OpenError::Locked { path, holder: None },
            Kind::Newer { what, found, known } => OpenError::Newer { path, what, found, known },
            Kind::Full => OpenError::Full { path },
            Kind::Unavailable(why) => OpenError::Unavailable { path, why },
            Kind::Corrupt(what) => OpenError::Corrupt { path, what },
        }
    }
}

fn redb_kind(error: Redb) -> Kind {
    match error {
        Redb::DatabaseAlreadyOpen | Redb::LockProtocolMismatch => Kind::Locked,
        Redb::Io(error) => io_kind(&error),
        Redb::PreviousIo | Redb::DatabaseClosed | Redb::LockPoisoned(_) | Redb::Unsupported => {
            Kind::Unavailable(error.to_string())
        }
        other => Kind::Corrupt(other.to_string()),
    }
}

fn io_kind(error: &io::Error) -> Kind {
    use io::ErrorKind::{FileTooLarge, InvalidData, QuotaExceeded, StorageFull, UnexpectedEof};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => Kind::Full,
        InvalidData | UnexpectedEof => Kind::Corrupt(error.to_string()),
        _ => Kind::Unavailable(error.to_string()),
    }
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        match fault.kind() {
            Kind::Full => CommitError::Full,
            Kind::Locked => CommitError::Unavailable("another process has it open".into()),
            Kind::Unavailable(why) => CommitError::Unavailable(why),
            Kind::Corrupt(what) => CommitError::Corrupt(what),
            Kind::Newer { what, found, known } => ReadError::Newer { what, found, known }.into(),
        }
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        match fault.kind() {
            Kind::Full => ReadError::Unavailable("the disk is full".into()),
            Kind::Locked => ReadError::Unavailable("another process has it open".into()),
            Kind::Unavailable(why) => ReadError::Unavailable(why),
            Kind::Corrupt(what) => ReadError::Corrupt(what),
            Kind::Newer { what, found, known } => ReadError::Newer { what, found, known },
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Fault::Redb(error.into())
            }
        }
    )*};
}
from_redb!(
    redb::StorageError,
    redb::CursorError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    io::Error
);

impl From<CodecError> for Fault {
    fn from(error: CodecError) -> Self {
        Fault::Row(error)
    }
}

/// A key that cannot be read.
pub(super) fn bad_key(table: &'static str) -> impl Fn(Malformed) -> Fault {
    move |Malformed(expected)| Fault::Row(CodecError::Malformed { table, expected })
}
