//! The machine: the store's folder and its disk, the clock, the limits, the address.

use super::files::{nearest_folder, quoted};
use super::finding::Finding;
use crate::cli::backup::now;
use crate::core::time::{Span, Timestamp};
use crate::settings::Settings;
use crate::store::{chain, folder, space};
use rustix::process::{Resource, geteuid, getrlimit};
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far ahead of the clock a file may be: those of another machine's disk, and slow clocks.
const AHEAD_MAX: Span = Span::from_mins(1);
/// The fewest open files with which a busy service comes along: connections, windows and probes at once.
const FILES_MIN: u64 = 4_096;
/// A place whose rules every system's time zones have.
const ZONE_TRIED: &str = "Asia/Gaza";

/// A process that has the store open; its number, where it left it.
pub(super) type InUse = Option<u32>;

/// Looks at the store's folder and its disk, and says who has it open.
pub(super) fn store(settings: &Settings) -> (Vec<Finding>, Option<InUse>) {
    const CHECK: &str = "store";
    let path = &settings.store.path;
    let shown = path.display();
    let mut found = vec![disk(settings)];
    let Ok(meta) = fs::metadata(path) else {
        found.push(Finding::fine(CHECK, format!("{shown} is not there yet; the first start makes it")));
        return (found, None);
    };
    let (owner, me) = (meta.uid(), geteuid().as_raw());
    if owner != me {
        found.push(Finding::warning(
            CHECK,
            format!("{shown} belongs to user number {owner}, and this looks as user number {me}: the service may see otherwise"),
            format!("sudo -u '#{owner}' wasl doctor --config {}", quoted(&settings.file)),
        ));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        found.push(Finding::fault(
            CHECK,
            format!("others than its owner may look into {shown}, where addresses and texts lie"),
            format!("chmod 700 {}", quoted(path)),
        ));
    }
    if folder::is_half_restored(path) {
        found.push(Finding::fault(
            CHECK,
            format!("{shown} has half of a backup in it, and no service opens it"),
            format!(
                "restore again, which begins anew: wasl restore FILE --key-file KEY --store {}",
                quoted(path)
            ),
        ));
    }
    if let Some((late, allowed)) = folder::unswept(path) {
        found.push(Finding::warning(
            CHECK,
            format!(
                "{shown} was not written anew after somebody was erased, since it takes too long for a start ({} says so): what was \
                 erased may lie in its free pages",
                late.display()
            ),
            format!(
                "when the service may be away for some minutes: touch {}, and start it again as its owner",
                quoted(&allowed)
            ),
        ));
    }
    let in_use = match folder::holder(path) {
        Ok(in_use) => in_use,
        Err(error) => {
            found.push(Finding::unasked(
                CHECK,
                format!("it cannot be told whether {shown} is in use: {error}"),
                format!(
                    "run this as its owner: sudo -u '#{owner}' wasl doctor --config {}",
                    quoted(&settings.file)
                ),
            ));
            return (found, None);
        }
    };
    found.push(Finding::fine(
        CHECK,
        match in_use {
            None => format!("{shown} is there, and no process has it open"),
            Some(None) => format!("{shown} is open in a process"),
            Some(Some(pid)) => format!("{shown} is open in process {pid}"),
        },
    ));
    (found, in_use)
}

fn disk(settings: &Settings) -> Finding {
    const CHECK: &str = "disk";
    let path = &settings.store.path;
    let on = if path.is_dir() { path.clone() } else { nearest_folder(path) };
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    match space::look(&on, settings.store.reserve_bytes) {
        Ok(room) if room.intake_allowed => Finding::fine(
            CHECK,
            format!("free: {}, reserve: {}", mib(room.free_bytes), mib(settings.store.reserve_bytes)),
        ),
        Ok(room) => Finding::fault(
            CHECK,
            format!(
                "free: {}, too little beside the reserve of {}: no message is taken",
                mib(room.free_bytes),
                mib(settings.store.reserve_bytes)
            ),
            format!(
                "free some space on the disk of {}, or write a smaller `reserve` in [store] of {}",
                path.display(),
                settings.file.display()
            ),
        ),
        Err(error) => Finding::fault(
            CHECK,
            format!("the room on the disk of {} cannot be told: {error}", on.display()),
            "look whether the disk is mounted: `findmnt`, `dmesg`",
        ),
    }
}

/// Looks whether the clock can be right: what is there was written before now.
pub(super) fn clock(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "clock";
    let now = now();
    let program = std::env::current_exe().and_then(fs::metadata).and_then(|meta| meta.modified()).ok();
    let known = [
        (folder::written_at(&settings.store.path), "the store was written at"),
        (program, "this program was built or installed at"),
    ];
    let ahead = known.into_iter().find_map(|(time, what)| {
        let time = timestamp(time?)?;
        (time.since(now) > AHEAD_MAX).then_some((time, what))
    });
    vec![match ahead {
        None => Finding::fine(CHECK, format!("it is {}, after everything that is stored", chain::time(now))),
        Some((time, what)) => Finding::fault(
            CHECK,
            format!("it is {}, and {what} {}: the clock is behind", chain::time(now), chain::time(time)),
            "set it, and have it kept right: `timedatectl set-ntp true`, then `timedatectl`",
        ),
    }]
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp::from_ms)
}

/// Looks at what the system allows and knows.
pub(super) fn system() -> Vec<Finding> {
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let open = match files >= FILES_MIN {
        true => Finding::fine("open files", format!("up to {files}")),
        false => Finding::warning(
            "open files",
            format!("this user may have {files} open at once, too few for a mass alert"),
            "`LimitNOFILE=65536` in the unit (`systemctl edit wasl`), or `ulimit -Hn 65536` in the shell that starts it",
        ),
    };
    let zone = match jiff::tz::TimeZone::get(ZONE_TRIED) {
        Ok(_) => Finding::fine("time zones", "the system has their rules"),
        Err(_) => Finding::warning(
            "time zones",
            "the system has no rules of time zones: pages show times in UTC, and quiet hours by name are not found",
            "install them, as by `apt install tzdata`, and choose one: `timedatectl set-timezone Asia/Gaza`",
        ),
    };
    vec![open, zone]
}

/// Looks whether the service could listen where it should.
pub(super) fn address(settings: &Settings, in_use: bool) -> Vec<Finding> {
    const CHECK: &str = "address";
    let listen = settings.server.listen;
    if in_use {
        // Whoever has the store open listens there; whether it answers is asked below.
        return Vec::new();
    }
    let file = settings.file.display();
    vec![match TcpListener::bind(listen) {
        Ok(_) => Finding::fine(CHECK, format!("{listen} is free to listen on")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::fault(
            CHECK,
            format!("something else listens on {listen}"),
            format!(
                "see what: `ss -ltnp 'sport = :{}'`; stop it, or change `listen` in [server] of {file}",
                listen.port()
            ),
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::fault(
            CHECK,
            format!("this user may not listen on {listen}"),
            format!(
                "choose a port from 1024 on in [server] of {file}, with a proxy in front that has the low one"
            ),
        ),
        Err(error) => Finding::fault(
            CHECK,
            format!("{listen} cannot be listened on: {error}"),
            format!(
                "write an address of this machine as `listen` in [server] of {file}: `ip address` shows them"
            ),
        ),
    }]
}
