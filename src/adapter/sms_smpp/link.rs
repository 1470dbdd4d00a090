//! The connections to the SMSC: made, bound, kept, made again after a rest. The thin line of I/O around a
//! [`Session`].
//!
//! Invariant: while a connection is not bound its jobs are dropped unsent, at once. One task reads, writes and
//! waits for neither: a peer that stops reading does not stop the timers.

use super::Shared;
use super::pdu::{Login, Role};
use super::session::{Job, News, Session};
use crate::adapter::back_off::back_off;
use crate::adapter::net::{Net, Tls};
use crate::adapter::together::together;
use crate::adapter::{Doing, Ear};
use crate::core::outcome::Reason;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How much is read at once: some hundred responses.
const CHUNK: usize = 16 * 1024;
/// How much of what was heard is handed over at once.
const TOLD_MAX: usize = 100;
/// How often a session's timers are looked at: the shortest is 5 s.
const TICK: Duration = Duration::from_secs(1);
/// A bind that stood so long was a good one: the next failure starts with the shortest rest.
const STEADY: Duration = Duration::from_secs(30);
/// How long the last words (an answer to `unbind`) may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where the SMSC is, and who we are to it.
pub(super) struct Peer {
    pub(super) net: Net,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<Tls>,
    pub(super) login: Login,
}

/// A connection, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Peer {
    async fn connect(&self) -> Result<Box<dyn Wire>, Reason> {
        let stream = self.net.connect(&self.host, self.port).await?;
        Ok(match &self.tls {
            Some(tls) => Box::new(tls.handshake(&self.host, stream).await?),
            None => Box::new(stream),
        })
    }
}

/// Which of the binds that a gateway needs are standing, and why the others are not.
pub(super) struct Standing(Mutex<Vec<(Role, Option<Reason>)>>);

impl Standing {
    /// None of them stands yet.
    pub(super) fn new(roles: &[Role]) -> Standing {
        Standing(Mutex::new(roles.iter().map(|role| (*role, Some(Reason::NotConnected))).collect()))
    }

    /// Says why nothing can be submitted, if nothing can.
    pub(super) fn why_not(&self) -> Option<Reason> {
        self.lock().iter().find(|(role, _)| *role != Role::Receiver).and_then(|(_, down)| *down)
    }

    /// Notes one bind's state, and says what that makes of the whole.
    fn set(&self, role: Role, down: Option<Reason>) -> Option<Reason> {
        let mut binds = self.lock();
        binds.iter_mut().filter(|(known, _)| *known == role).for_each(|(_, state)| *state = down);
        binds.iter().find_map(|(_, down)| *down)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Role, Option<Reason>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One bind and what it is kept with.
pub(super) struct Link<'a> {
    pub(super) shared: &'a Shared,
    pub(super) peer: &'a Peer,
    pub(super) role: Role,
    /// What to submit; none for a receiver.
    pub(super) jobs: Option<&'a mut Receiver<Job>>,
    pub(super) ear: &'a dyn Ear,
}

/// How a session ended.
struct Ended {
    reason: Reason,
    /// How long it was bound.
    stood: Duration,
}

impl Link<'_> {
    /// Keeps the bind until dropped.
    pub(super) async fn keep(mut self) {
        let mut failures = 0;
        loop {
            let peer = self.peer;
            let ended = match self.refusing(peer.connect()).await {
                Ok(wire) => self.serve(wire).await,
                Err(reason) => Ended { reason, stood: Duration::ZERO },
            };
            failures = if ended.stood >= STEADY { 1 } else { failures + 1 };
            self.say(Some(ended.reason));
            self.refusing(sleep(back_off(failures))).await;
        }
    }

    /// Serves one connection to its end.
    async fn serve(&mut self, wire: Box<dyn Wire>) -> Ended {
        let (mut reader, mut writer) = tokio::io::split(wire);
        let mut session = Session::open(self.shared, self.role, self.peer.login.clone(), Instant::now());
        let mut bound_at = None;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut chunk = vec![0; CHUNK];
        let (mut telling, mut told): (Option<Doing<'_, ()>>, usize) = (None, 0);
        let mut flushed = true;
        let ear = self.ear;
        let reason = loop {
            if bound_at.is_none() && session.is_bound() {
                bound_at = Some(Instant::now());
                self.say(None);
            }
            if telling.is_none() {
                (telling, told) = tell(&session, ear);
            }
            let step = tokio::select! {
                read = reader.read(&mut chunk), if session.can_hear() => match read {
                    Ok(0) | Err(_) => Err(Reason::ConnectionLost),
                    Ok(count) => session.hear(&chunk[..count], Instant::now()),
                },
                wrote = push(&mut writer, session.to_write()), if !flushed || !session.to_write().is_empty() => {
                    match wrote {
                        Ok(count) => {
                            session.wrote(count);
                            flushed = count == 0;
                            Ok(())
                        }
                        Err(_) => Err(Reason::ConnectionLost),
                    }
                }
                job = next(&mut self.jobs), if session.has_room() => {
                    session.submit(job, Instant::now());
                    // What has gathered goes out in one write.
                    while session.has_room() && let Some(job) = self.jobs.as_mut().and_then(|j| j.try_recv().ok()) {
                        session.submit(job, Instant::now());
                    }
                    Ok(())
                }
                () = wait(&mut telling), if telling.is_some() => {
                    telling = None;
                    session.taken(told);
                    Ok(())
                }
                _ = ticks.tick() => session.tick(Instant::now()),
            };
            if let Err(reason) = step {
                break reason;
            }
        };
        // Before the session drops its jobs: whoever sees that finds the link down.
        self.say(Some(reason));
        session.drop_submitted();
        let _ = timeout(LAST_WORDS, async {
            writer.write_all(session.to_write()).await?;
            writer.shutdown().await
        })
        .await;
        Ended { reason, stood: bound_at.map_or(Duration::ZERO, |at: Instant| at.elapsed()) }
    }

    /// Waits for something while nothing can be submitted.
    async fn refusing<T>(&mut self, something: impl Future<Output = T>) -> T {
        let mut something = std::pin::pin!(something);
        loop {
            tokio::select! {
                done = &mut something => return done,
                job = next(&mut self.jobs) => drop(job),
            }
        }
    }

    /// Notes the bind's state and tells what it makes of the gateway's link.
    fn say(&self, down: Option<Reason>) {
        let whole = self.shared.standing.set(self.role, down);
        self.ear.link(whole.is_none(), whole);
    }
}

impl Drop for Link<'_> {
    /// Nobody keeps the bind any more: what is sent from here on is refused at once.
    fn drop(&mut self) {
        self.shared.standing.set(self.role, Some(Reason::NotConnected));
    }
}

/// Writes some of the octets; with none left, sees them off. Returns how many were taken.
async fn push(writer: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> std::io::Result<usize> {
    if octets.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(octets).await? {
        0 => Err(std::io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

/// Waits for a job; for ever, where none can come.
async fn next(jobs: &mut Option<&mut Receiver<Job>>) -> Job {
    match jobs {
        Some(jobs) => match jobs.recv().await {
            Some(job) => job,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Hands over what was heard, as much at once as one commit of the disk takes; how much goes with it.
fn tell<'a>(session: &Session<'_>, ear: &'a dyn Ear) -> (Option<Doing<'a, ()>>, usize) {
    let one = |news: &News| match news.clone() {
        News::Receipt(receipt) => ear.receipt(receipt),
        News::Reply(reply) => ear.reply(reply),
    };
    let all: Vec<Doing<'a, ()>> = session.news().take(TOLD_MAX).map(one).collect();
    let count = all.len();
    ((count > 0).then(|| -> Doing<'a, ()> { Box::pin(together(TOLD_MAX, all)) }), count)
}

/// Waits until what was heard is taken; for ever, where there is nothing.
async fn wait(telling: &mut Option<Doing<'_, ()>>) {
    match telling {
        Some(telling) => telling.await,
        None => std::future::pending().await,
    }
}
