//! Subcommands, one file each: `Args` says what may be given, `run` does it.
//!
//! Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 the service or the store could not be reached.

mod audit;
mod backup;
mod bench;
mod call_tree;
mod cancel;
mod check;
mod client;
mod completions;
mod contacts;
mod correct;
mod csv;
mod demo;
mod doctor;
mod drill;
mod exit;
mod hold;
mod man;
mod outages;
mod policy;
mod probe;
mod reach;
mod report;
mod restore;
mod roads;
mod run;
mod send;
mod simulate;
mod status;
mod table;
mod token;
mod watch;
mod words;

pub use exit::{Done, Failure};

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Gets each crisis message through on the best channel that works.
#[derive(Parser, Debug)]
#[command(name = "wasl", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "it is made once, from the command line")]
enum Command {
    /// Run the service, until SIGTERM
    Run(run::Args),
    /// See it work: a real outage, real protocols, emulated providers, in about three minutes
    Demo(demo::Args),
    /// Validate every file
    Check(check::Args),
    /// Ask everything that can be asked without sending, and say of each what to do
    Doctor(doctor::Args),
    /// Look into the routing rules
    Policy(policy::Args),
    /// Replay outages against the policies, in virtual time
    Simulate(simulate::Args),
    /// Send a message through the running service
    Send(send::Args),
    /// Recall what was not yet sent of a message
    Cancel(cancel::Args),
    /// Say it in other words to exactly those who may have got it, and stop it for the rest
    Correct(correct::Args),
    /// Show channels, outages and the queue
    Status(status::Args),
    /// Show them live
    Watch(watch::Args),
    /// List the outages on record
    Outages(outages::Args),
    /// Tell what an outage did: to whom, by audience and sector, and what it would have been without Wasl
    Report(report::Args),
    /// Show who can be reached now, who by one road only, who by none
    Reach(reach::Args),
    /// Ask a gateway once, from here: how deep one comes, and why no deeper
    Probe(probe::Args),
    /// Stop a gateway, or all of them, until released
    Hold(hold::Args),
    /// Let a held gateway, or all of them, go on
    Release(hold::Args),
    /// Make a gateway look down for a drill, to exercises alone or to everybody
    Drill(drill::Args),
    /// Import or export the address book
    Contacts(contacts::Args),
    /// Make a token
    Token(token::Args),
    /// Look into the record of who did what
    Audit(audit::Args),
    /// Take a backup of the running service's store, sealed with a key
    Backup(backup::Args),
    /// Make a store of a backup; nothing leaves from it before it is released
    Restore(restore::Args),
    /// Measure this build beside its yardsticks
    Bench(bench::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Write the manual pages into a folder
    Man(man::Args),
}

/// Takes a word that belongs to no option out of an error: it is part of a text without quotes, or an address.
fn discreet(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let stray = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => !word.starts_with('-') && !word.starts_with('<'),
        _ => false,
    };
    if error.kind() == clap::error::ErrorKind::UnknownArgument && stray {
        error.insert(ContextKind::InvalidArg, ContextValue::String("...".into()));
    }
    error
}

/// Returns the command line, for what is made from it: completions, the manual, the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line; the binary's whole work.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = discreet(error);
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(args),
        Command::Check(args) => check::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Cancel(args) => cancel::run(&args),
        Command::Correct(args) => correct::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Outages(args) => outages::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Reach(args) => reach::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Hold(args) => hold::run(&args, hold::Act::Hold),
        Command::Release(args) => hold::run(&args, hold::Act::Release),
        Command::Drill(args) => drill::run(&args),
        Command::Contacts(args) => contacts::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => completions::run(&args, &mut command()),
        Command::Man(args) => man::run(&args, command()),
    };
    exit::code(done)
}
