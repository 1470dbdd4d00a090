//! `wasl man FOLDER`: the manual pages, one a command, made from the command line itself, so that they say what it does.

use super::{Done, Failure};
use std::path::PathBuf;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The folder for the pages, made where there is none; /usr/local/share/man/man1 is where `man` looks
    folder: PathBuf,
}

/// Writes them.
pub(super) fn run(args: &Args, command: clap::Command) -> Done {
    let written =
        std::fs::create_dir_all(&args.folder).and_then(|()| clap_mangen::generate_to(command, &args.folder));
    written.map_err(|error| {
        let folder = args.folder.display();
        Failure::No(format!(
            "the manual cannot be written into {folder}: {error}; name a folder that you may write to"
        ))
    })
}
