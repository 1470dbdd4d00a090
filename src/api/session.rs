//! Sessions of people at a browser: a token exchanged for a cookie that scripts cannot read.
//!
//! Sessions live in memory: a restart asks everybody for the token again. A session holds the token's hash and is
//! worth what that token is worth at each request, so a withdrawn token ends its sessions.
//!
//! Invariant: at most [`SESSIONS_MAX`] sessions and [`STRANGERS_MAX`] addresses are remembered.

use crate::core::time::{Span, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most sessions at once; the one longest unused makes room. Far more than an operations room has screens.
pub const SESSIONS_MAX: usize = 1_000;
/// How long a session lasts: one long shift.
pub const SESSION_LIFE: Span = Span::from_hours(16);
/// How many wrong tokens one address may try in [`LOGIN_WINDOW`].
pub const LOGIN_TRIES_MAX: u32 = 10;
/// The window of [`LOGIN_TRIES_MAX`].
pub const LOGIN_WINDOW: Span = Span::from_secs(60);
/// How many addresses with wrong tries are remembered.
pub const STRANGERS_MAX: usize = 1_000;

/// The beginning of every token: so that a leaked one can be searched for.
const TOKEN_PREFIX: &str = "wasl_";
/// 256 random bits. Cites: the contract, `wasl token new`.
const SECRET_BYTES: usize = 32;

/// A new token, shown once, and the hash that is kept.
pub fn new_token() -> Option<(String, [u8; 32])> {
    let token = format!("{TOKEN_PREFIX}{}", secret()?);
    let hash = hash(&token);
    Some((token, hash))
}

/// Returns the hash under which a token or a cookie is kept.
pub fn hash(secret: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Draws 256 bits; `None` where the system has no randomness to give.
fn secret() -> Option<String> {
    let mut bytes = [0u8; SECRET_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// One session.
#[derive(Clone)]
pub(crate) struct Session {
    /// The hash of the token that it was made from.
    pub(crate) token: [u8; 32],
    /// What forms must carry.
    pub(crate) csrf: String,
    made_at: Timestamp,
    used_at: Timestamp,
}

/// All sessions, and the addresses that tried wrong tokens.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    sessions: BTreeMap<[u8; 32], Session>,
    strangers: BTreeMap<IpAddr, (u32, Timestamp)>,
}

impl Sessions {
    /// Opens a session for a token's hash; returns the cookie's value.
    pub(crate) fn open(&self, token: [u8; 32], now: Timestamp) -> Option<String> {
        let (cookie, csrf) = (secret()?, secret()?);
        let mut tables = self.lock();
        tables.sessions.retain(|_, session| now.since(session.made_at) < SESSION_LIFE);
        if tables.sessions.len() >= SESSIONS_MAX {
            let oldest =
                tables.sessions.iter().min_by_key(|(_, session)| session.used_at).map(|(key, _)| *key);
            oldest.map(|key| tables.sessions.remove(&key));
        }
        let session = Session { token, csrf, made_at: now, used_at: now };
        tables.sessions.insert(hash(&cookie), session);
        Some(cookie)
    }

    /// Finds the session of a cookie.
    pub(crate) fn find(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let mut tables = self.lock();
        let session = tables.sessions.get_mut(&hash(cookie))?;
        if now.since(session.made_at) >= SESSION_LIFE {
            return None;
        }
        session.used_at = now;
        Some(session.clone())
    }

    /// Ends the session of a cookie.
    pub(crate) fn close(&self, cookie: &str) {
        self.lock().sessions.remove(&hash(cookie));
    }

    /// Says how many seconds an address must wait before it may try a token; `None`: it may.
    pub(crate) fn must_wait(&self, from: IpAddr, now: Timestamp) -> Option<u32> {
        let tables = self.lock();
        let (tries, since) = tables.strangers.get(&from)?;
        let left = LOGIN_WINDOW.ms() - now.since(*since).ms();
        (*tries >= LOGIN_TRIES_MAX && left > 0).then(|| (left / 1000) as u32 + 1)
    }

    /// Counts a wrong token.
    pub(crate) fn wrong_token(&self, from: IpAddr, now: Timestamp) {
        let mut tables = self.lock();
        tables.strangers.retain(|_, (_, since)| now.since(*since) < LOGIN_WINDOW);
        if tables.strangers.len() < STRANGERS_MAX || tables.strangers.contains_key(&from) {
            tables.strangers.entry(from).or_insert((0, now)).0 += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // Nothing that could panic runs under the lock half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    #[test]
    fn a_session_ends_with_the_shift_or_when_it_is_closed() {
        let sessions = Sessions::default();
        let cookie = sessions.open([7; 32], at(0)).unwrap();
        assert_eq!(sessions.find(&cookie, at(60)).map(|s| s.token), Some([7; 32]));
        assert!(sessions.find("guess", at(60)).is_none());
        assert!(sessions.find(&cookie, at(0) + SESSION_LIFE).is_none());
        sessions.close(&cookie);
        assert!(sessions.find(&cookie, at(61)).is_none());
    }

    #[test]
    fn the_table_is_bounded_and_the_longest_unused_goes() {
        let sessions = Sessions::default();
        let first = sessions.open([1; 32], at(0)).unwrap();
        let second = sessions.open([2; 32], at(1)).unwrap();
        sessions.find(&first, at(2));
        (0..SESSIONS_MAX - 1).for_each(|_| drop(sessions.open([3; 32], at(3))));
        assert!(sessions.find(&first, at(4)).is_some());
        assert!(sessions.find(&second, at(4)).is_none());
    }

    #[test]
    fn an_address_that_guesses_must_wait() {
        let (sessions, home) = (Sessions::default(), IpAddr::from(Ipv4Addr::LOCALHOST));
        (0..LOGIN_TRIES_MAX).for_each(|_| sessions.wrong_token(home, at(10)));
        assert_eq!(sessions.must_wait(home, at(30)), Some(41));
        assert_eq!(sessions.must_wait(IpAddr::from([10, 0, 0, 1]), at(30)), None);
        assert_eq!(sessions.must_wait(home, at(71)), None);
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, hash_of_one) = new_token().unwrap();
        assert_eq!((one.len(), hash(&one)), (TOKEN_PREFIX.len() + 43, hash_of_one));
        assert_ne!(one, new_token().unwrap().0);
    }
}
