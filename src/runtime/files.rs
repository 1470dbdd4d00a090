//! How many files and sockets this process may hold open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many as we ask for: every connection that is served, and every gateway's window at its widest. Not more, because a
/// program that we start inherits it, and some walk over all that they may have open.
const FILES_WANTED: u64 = 65_536;

/// Raises the usual limit as far as the system lets us, and returns what it is then. The usual one is small for the sake of
/// programs that cannot deal with more. Cites: systemd's `DefaultLimitNOFILE`, 1024 with 524288 for who asks.
pub fn allow_many() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum.unwrap_or(u64::MAX);
    let have = now.current.unwrap_or(u64::MAX);
    let wanted = FILES_WANTED.min(most);
    if have >= wanted {
        return have;
    }
    let raised = Rlimit { current: Some(wanted), maximum: now.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, files = have, "the limit of open files cannot be raised");
            have
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        let files = super::allow_many();
        assert!(files >= super::FILES_WANTED.min(most.unwrap_or(u64::MAX)), "{files} of {most:?}");
        assert_eq!(super::allow_many(), files, "again: nothing changes");
    }
}
