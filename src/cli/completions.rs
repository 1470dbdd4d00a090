//! `wasl completions SHELL`.

use super::Done;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the completions.
pub(super) fn run(args: &Args, command: &mut clap::Command) -> Done {
    clap_complete::generate(args.shell, command, "wasl", &mut std::io::stdout());
    Ok(())
}
