//! Is it our own line? Rounds over control targets of different networks, which no gateway depends on.
//!
//! A control is `dns:9.9.9.9` (a name server can say who serves the root), `tcp:192.0.2.10:443` (a port opens) or
//! `https://example.net/` (a page answers with whatever status, its certificate being good). A round asks all of them
//! at once; it comes every [`INTERVAL`], and every [`IN_DOUBT`] while any of them fails or the core is in doubt. When
//! that doubt begins, a round that spoke for the line before is no answer: the controls are asked again at once.
//!
//! Limits: [`CONTROLS_MAX`] controls for each uplink; each may take [`LIMIT`].

use super::context::Context;
use super::definition::Unbuildable;
use super::http::knock;
use super::place::{Address, Place, Road};
use super::target::Target;
use super::tcp;
use super::trace::{Limits, Trace};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::Pace;
use crate::core::evidence::UplinkRound;
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::settings::{self, Control};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch as state};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How often the controls are asked.
pub const INTERVAL: Span = Span::from_secs(15);
/// How often while any of them fails: the verdict on every gateway waits for this one.
pub const IN_DOUBT: Span = Span::from_secs(3);
/// The most controls of one uplink. Three of different networks are enough.
pub const CONTROLS_MAX: usize = 16;
/// How long a control may take in each of its steps. A far one answers in a tenth of it.
pub const LIMIT: Span = Span::from_secs(2);

/// A query for the root's name servers, which every public one answers. Cites: RFC 1035 section 4.1.
const ROOT_QUERY: [u8; 17] = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
const NO_ERROR: u8 = 0;
const NAME_ERROR: u8 = 3;
/// A name server's datagram may be lost on a good line: it is sent again after this.
const RESEND: Duration = Duration::from_millis(600);

/// One of our own lines, with its control targets.
#[derive(Debug)]
pub struct Uplink {
    name: String,
    controls: Vec<Arc<Control>>,
}

// === impls ===

impl Uplink {
    /// Prepares an uplink of the configuration.
    pub fn new(uplink: &settings::Uplink) -> Uplink {
        let controls = uplink.controls.iter().take(CONTROLS_MAX).cloned().map(Arc::new);
        Uplink { name: uplink.name.clone(), controls: controls.collect() }
    }

    /// Asks all controls once, all at the same time.
    pub async fn round(&self, context: &Arc<Context>) -> UplinkRound {
        let (mut asked, began) = (JoinSet::new(), Instant::now());
        for control in &self.controls {
            let (control, context) = (control.clone(), context.clone());
            asked.spawn(async move { ask(&control, &context).await });
        }
        let answers = asked.join_all().await;
        let (controls, failed) = count(&answers);
        UplinkRound {
            uplink: self.name.clone(),
            controls,
            failed,
            took: Span::from_ms(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// Counts the controls that were asked, and those of them that failed: what could not be asked for our own lack of
/// sockets says nothing of the line.
fn count(answers: &[Result<(), Reason>]) -> (u8, u8) {
    let asked = answers.iter().filter(|answer| **answer != Err(Reason::Busy));
    let failed = asked.clone().filter(|answer| answer.is_err());
    let number = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    (number(asked.count()), number(failed.count()))
}

/// Returns how long to wait after a round.
pub fn pause_after(round: &UplinkRound, pace: Pace, interval: Span) -> Span {
    match round.failed > 0 || pace == Pace::Doubt {
        true => IN_DOUBT.min(interval),
        false => interval,
    }
}

/// Asks an uplink's controls round after round, until `rounds` has no receiver.
pub async fn watch(
    uplink: Uplink,
    context: Arc<Context>,
    interval: Span,
    mut pace: state::Receiver<Pace>,
    rounds: mpsc::Sender<UplinkRound>,
) {
    loop {
        let known = *pace.borrow_and_update();
        let round = uplink.round(&context).await;
        let (pause, failed) = (pause_after(&round, known, interval), round.failed > 0);
        // A round in which none could be asked speaks neither for the line nor against it.
        if round.controls > 0 && rounds.send(round).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause.to_std()) => {}
            // Two rounds that fail are to be apart: one blip is not to be seen twice.
            () = doubt(&mut pace), if !failed => {}
            () = rounds.closed() => return,
        }
    }
}

/// Waits until doubt begins.
async fn doubt(pace: &mut state::Receiver<Pace>) {
    loop {
        if pace.changed().await.is_err() {
            // Whoever doubts is gone; the rounds end by themselves.
            return std::future::pending().await;
        }
        if *pace.borrow_and_update() == Pace::Doubt {
            return;
        }
    }
}

async fn ask(control: &Control, context: &Context) -> Result<(), Reason> {
    let limits = Limits { dns: LIMIT, connect: LIMIT, tls: LIMIT, answer: LIMIT };
    let mut trace = Trace::default();
    match control {
        Control::Dns(server) => {
            let asked = tokio::time::timeout(LIMIT.to_std(), ask_root(*server)).await;
            asked.map_err(|_| Reason::DnsTimeout)?.map_err(|error| match tcp::is_lack_of_files(&error) {
                true => Reason::Busy,
                false => Reason::DnsTimeout,
            })
        }
        Control::Tcp { host, port } => {
            let place = Place { host: host.clone(), port: *port };
            place.open(context, &mut trace, &limits).await.map(drop)
        }
        Control::Http(url) => {
            let address = Address::parse(url).map_err(|_| Reason::Configuration)?;
            let road = road(&address, context, limits).map_err(|_| Reason::Configuration)?;
            knock(&road, &address, context, &mut trace).await
        }
    }
}

fn road(address: &Address, context: &Context, limits: Limits) -> Result<Road, Unbuildable> {
    let tls = match address.secure {
        // A control belongs to no gateway, so it is trusted as the machine trusts.
        true => {
            let nobody = Target::new(GatewayId(0), "", Channel::Webhook, "");
            Some(context.trust.handshake(&address.place, &nobody)?)
        }
        false => None,
    };
    Ok(Road { place: address.place.clone(), tls, limits })
}

/// Asks a name server for the root, again and again, until it says something. A box on our side of a dead line that
/// answers in its place can only say SERVFAIL or REFUSED, so those do not count.
async fn ask_root(server: SocketAddr) -> io::Result<()> {
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let mut query = ROOT_QUERY;
    // Not a secret: a forged answer could only say that the line is good, as it would be.
    let [high, low] = socket.local_addr()?.port().to_be_bytes();
    (query[0], query[1]) = (high, low);
    let mut answer = [0; 512];
    loop {
        socket.send(&query).await?;
        if let Ok(read) = tokio::time::timeout(RESEND, socket.recv(&mut answer)).await {
            let length = read?;
            // The same number, and the bit that makes it an answer.
            if length >= 12 && answer[..2] == query[..2] && answer[2] & 0x80 != 0 {
                return match answer[3] & 0x0F {
                    NO_ERROR | NAME_ERROR => Ok(()),
                    _ => Err(io::Error::other("the name server cannot say")),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_asked_is_not_counted() {
        let check = |answers: &[Result<(), Reason>], expected| assert_eq!(count(answers), expected);
        check(&[Ok(()), Err(Reason::DnsTimeout), Ok(())], (3, 1));
        check(&[Ok(()), Err(Reason::DnsTimeout), Err(Reason::Busy)], (2, 1));
        check(&[Err(Reason::Busy), Err(Reason::Busy)], (0, 0));
    }

    #[test]
    fn a_round_with_a_failure_or_in_doubt_is_followed_soon() {
        let round = |failed| UplinkRound { uplink: "fibre".into(), controls: 3, failed, took: Span::ZERO };
        let check = |failed, pace, interval, expected| {
            assert_eq!(pause_after(&round(failed), pace, interval), expected, "{failed} {pace:?}");
        };
        check(0, Pace::Normal, INTERVAL, INTERVAL);
        check(1, Pace::Normal, INTERVAL, IN_DOUBT);
        check(0, Pace::Doubt, INTERVAL, IN_DOUBT);
        check(1, Pace::Normal, Span::from_secs(1), Span::from_secs(1));
    }
}
