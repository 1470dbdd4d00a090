//! `wasl run`: the service, until SIGTERM.

use super::{Done, Failure, table};
use crate::diag::Diagnostics;
use crate::runtime::reload::Changes;
use crate::runtime::site::{Door, Site, SiteError};
use crate::runtime::{Fatal, systemd};
use crate::telemetry::log::{self, Shape};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The file that says what to run
    #[arg(long, value_name = "PATH", default_value = "wasl.toml")]
    config: PathBuf,
    /// How log lines look; the default is plain on a terminal, else json. WASL_LOG filters, as `wasl=debug`
    #[arg(long, value_name = "SHAPE")]
    log: Option<Shape>,
    /// Write the first admin token into this file, for its owner alone, instead of printing it: a service manager would
    /// keep what is printed
    #[arg(long, value_name = "PATH")]
    first_token: Option<PathBuf>,
}

/// Runs until told to stop.
pub(super) fn run(args: &Args) -> Done {
    log::start(args.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("the system gives no threads: {error}")))?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> Done {
    let mut signals = Signals::new()?;
    let mut hang_up = on(SignalKind::hangup())?;
    let mut changes = Changes::of(&args.config);
    let mut site = Site::open(&args.config, Door::Guarded).await.map_err(failure)?;
    tell_first_token(&site, args.first_token.as_deref());
    systemd::ready();
    let watchdog = tokio::spawn(systemd::feed_watchdog(site.service()));
    let ended = loop {
        tokio::select! {
            ended = site.ended() => break ended,
            () = signals.stop() => break Ok(()),
            Some(()) = hang_up.recv() => reload(&mut site).await,
            () = changes.next() => reload(&mut site).await,
        }
    };
    systemd::stopping();
    watchdog.abort();
    if let Err(Fatal(why)) = ended {
        return Err(Failure::Unreachable(why));
    }
    tracing::info!("the service stops: it waits for what is out and leaves the rest in the store");
    tokio::select! {
        done = site.stop() => done.map_err(|Fatal(why)| Failure::Unreachable(why)),
        () = signals.stop() => Err(Failure::No("stopped at once, as told twice; what was out is judged at the next start".into())),
    }
}

async fn reload(site: &mut Site) {
    systemd::reloading();
    if let Err(diags) = site.reload().await {
        eprint!("{}", diags.render());
    }
    systemd::ready();
}

/// Shown this once, and not in the log.
fn tell_first_token(site: &Site, into: Option<&Path>) {
    let Some(token) = site.first_token() else { return };
    match into.map(|path| (path, keep(token, path))) {
        Some((path, Ok(()))) => {
            eprintln!(
                "The first token, with the role admin, is in {}. Move it to where it is safe.",
                path.display()
            );
            return;
        }
        // Lost, it would lock everybody out: the service has its hash already and will not make another.
        Some((path, Err(error))) => {
            eprintln!(
                "The first token could not be written to {}: {error}. So it is shown here.",
                path.display()
            );
        }
        None => {}
    }
    table::print(&format!("{token}\n"));
    eprintln!(
        "This is the first token, with the role admin; it is shown this once. Keep it, as WASL_TOKEN or in a file."
    );
}

/// Writes a token for its owner alone, in place of one that another store's service left there.
fn keep(token: &str, path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

fn failure(error: SiteError) -> Failure {
    match error {
        SiteError::Files(diags) => told(&diags),
        error => Failure::Unreachable(error.to_string()),
    }
}

fn told(diags: &Diagnostics) -> Failure {
    eprint!("{}", diags.render());
    Failure::Told
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::Unreachable(format!("signals cannot be heard: {error}")))
}

/// The signals that tell the service to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Failure> {
        Ok(Signals { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for one.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
