//! Subcommands, one file each: `Args` says what may be given, `run` does it.
//!
//! Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 the service or the store could not be reached.

mod completions;
mod exit;

pub use exit::{Done, Failure};

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Gets each crisis message through on the best channel that works.
#[derive(Parser, Debug)]
#[command(name = "wasl", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print the completions of a shell
    Completions(completions::Args),
}

/// Runs the command line; the binary's whole work.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    let done = match cli.command {
        Command::Completions(args) => completions::run(&args, &mut <Cli as clap::CommandFactory>::command()),
    };
    exit::code(done)
}
