//! How a command ends.

use std::process::ExitCode;

/// The answer is no: a check failed, a message was refused.
const NO: u8 = 1;
/// It was called in a wrong way.
pub(super) const USAGE: u8 = 2;
/// The service or the store could not be reached.
const UNREACHABLE: u8 = 3;

/// Why a command did not do what it was asked. The text says what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The answer is no.
    #[error("{0}")]
    No(String),
    /// It was called in a wrong way.
    #[error("{0}")]
    Usage(String),
    /// The service or the store could not be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The answer is no, and what was printed says why.
    #[error("")]
    Told,
}

/// What a command gives back.
pub type Done = Result<(), Failure>;

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::No(_) | Failure::Told => NO,
            Failure::Usage(_) => USAGE,
            Failure::Unreachable(_) => UNREACHABLE,
        }
    }
}

/// Says why it failed, on standard error, and gives the exit code.
pub(super) fn code(done: Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                eprintln!("error: {failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}
