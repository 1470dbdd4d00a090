//! `wasl backup`: everything that the running service has stored, sealed as it comes.
//!
//! Plain bytes never touch the disk. The file gets its name once it is whole, on disk, and was opened again with its key and
//! read to its end; until then it is called `FILE.partial`.
//!
//! Invariant: no file of a backup's name is half of one.

use super::client::At;
use super::table;
use super::{Done, Failure};
use crate::core::time::Timestamp;
use crate::runtime::clock::{Clock, Os};
use crate::store::chain;
use crate::store::outbox::frames;
use crate::store::sealed::{Opener, SealKey, Sealer};
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A key's file is far shorter.
const KEY_FILE_BYTES_MAX: u64 = 1_024;
/// What reads and writes gather for one call of the system.
const BUFFER_BYTES: usize = 256 << 10;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The file to write, which must not be there yet; or a folder, in which it is named by the time
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file with the key that seals it
    #[arg(long, value_name = "PATH")]
    key_file: PathBuf,
    /// Make the key first, in a file that must not be there yet. Keep a copy of it elsewhere: without it no backup opens
    #[arg(long)]
    new_key: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Takes it.
pub(super) fn run(args: &Args) -> Done {
    let client = args.at.client()?;
    let key = if args.new_key { new_key(&args.key_file) } else { read_key(&args.key_file) }?;
    let made = now();
    let path = name(&args.file, made);
    if path.exists() {
        return Err(Failure::No(format!("{} is there already; give another name", path.display())));
    }
    let partial =
        path.with_file_name(format!("{}.partial", path.file_name().unwrap_or_default().to_string_lossy()));
    let bad = |error: io::Error| Failure::No(format!("{}: {error}; no backup was made", partial.display()));
    let file = begin(&partial).map_err(bad)?;
    let taken = (|| {
        let buffered = BufWriter::with_capacity(BUFFER_BYTES, &file);
        let mut sealer = Sealer::begin(buffered, &key, made).map_err(bad)?;
        client.download("/v1/backup", |bytes| sealer.write_all(bytes).map_err(bad))?;
        sealer.finish().map_err(bad)?;
        file.sync_all().map_err(bad)?;
        let rows = look(&file, &key).map_err(|why| {
            Failure::No(format!(
                "the backup is not whole: {why}; no backup was made; try again, and look at the service's log"
            ))
        })?;
        let bytes = file.metadata().map_err(bad)?.len();
        fs::rename(&partial, &path).and_then(|()| sync_folder_of(&path)).map_err(bad)?;
        Ok((rows, bytes))
    })();
    let (rows, bytes) = taken.inspect_err(|_| {
        // It has no name that a backup has, and the next one begins it anew.
        let _ = fs::remove_file(&partial);
    })?;
    match args.json {
        true => table::json(&json!({
            "file": path.display().to_string(), "made": chain::time(made), "rows": rows, "bytes": bytes,
        })),
        false => {
            table::print(&format!("{}: {rows} rows, {bytes} bytes, sealed and read back\n", path.display()));
        }
    }
    Ok(())
}

/// Returns the time as this machine has it.
pub(super) fn now() -> Timestamp {
    Clock::new(Box::new(Os), Timestamp::default()).now()
}

/// Reads a key. One that others may read is refused: whoever has it reads every backup.
pub(super) fn read_key(path: &Path) -> Result<SealKey, Failure> {
    let bad = |why: String| Failure::Usage(format!("--key-file {}: {why}", path.display()));
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => bad("it is not there; `wasl backup --new-key` makes one".into()),
        _ => bad(error.to_string()),
    })?;
    let meta = file.metadata().map_err(|error| bad(error.to_string()))?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(bad(format!(
            "others than its owner may read it, and with it every backup: run `chmod 600 {}`",
            path.display()
        )));
    }
    let mut text = String::new();
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| bad(error.to_string()))?;
    SealKey::from_text(&text)
        .ok_or_else(|| bad("it holds no key; `wasl backup --new-key` makes one in a file of its own".into()))
}

fn new_key(path: &Path) -> Result<SealKey, Failure> {
    let bad = |why: String| Failure::No(format!("--new-key {}: {why}; no backup was made", path.display()));
    let key = SealKey::random().map_err(|error| bad(error.to_string()))?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(key.to_text().as_bytes())?;
        file.sync_all()?;
        sync_folder_of(path)
    });
    match made {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(bad(
            "a key is there already; leave `--new-key` away to seal with it, or name another file".into(),
        )),
        Err(error) => Err(bad(error.to_string())),
    }
}

/// Returns what the file is called: a folder's are named by the time.
fn name(file: &Path, made: Timestamp) -> PathBuf {
    if !file.is_dir() {
        return file.to_owned();
    }
    let stamp: String = chain::time(made).chars().filter(|c| !matches!(c, '-' | ':' | '.')).collect();
    file.join(format!("wasl-{stamp}.backup"))
}

/// Opens the file under way, for its owner alone; what one before left there is written over.
fn begin(partial: &Path) -> io::Result<File> {
    let file =
        File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(partial)?;
    file.try_lock().map_err(|_| io::Error::other("another backup is being written there"))?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    Ok(file)
}

/// Opens what was written and reads it to its end.
fn look(mut file: &File, key: &SealKey) -> Result<u64, frames::MoveError> {
    file.rewind()?;
    let mut opener = Opener::begin(BufReader::with_capacity(BUFFER_BYTES, file), key)?;
    frames::check(&mut opener)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
