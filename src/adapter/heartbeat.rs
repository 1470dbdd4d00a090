//! The dead man's switch outward: an address that is asked while all is well, so that whoever watches it misses us when we
//! are gone, and with us our own road to people.

use super::http::{Client, Origin, Reading, Request};
use super::net::{Net, Tls};
use crate::core::time::Span;
use crate::diag::Secret;

/// How long the watcher may take to answer, once connected.
const TIME_OUT: Span = Span::from_secs(10);
/// How long a beat is worth sending.
const LEFT: Span = Span::from_secs(30);

/// An address that is asked. Invariant: the address is in no error, for whoever knows it can pass for us.
pub struct Heartbeat {
    client: Client,
    asked: String,
}

impl Heartbeat {
    /// Builds one; no connection is made. `Err`: why not, without the address.
    pub fn new(url: &Secret, net: Net) -> Result<Heartbeat, String> {
        let (origin, asked) = Origin::of_url(url.expose()).map_err(|why| why.to_string())?;
        let tls = match origin.is_tls() {
            true => Some(Tls::new(None).map_err(|why| why.to_string())?),
            false => None,
        };
        let client = Client::new(net, origin, tls).map_err(|why| why.to_string())?;
        Ok(Heartbeat { client, asked })
    }

    /// Beats once. `Err`: why it was not heard.
    pub async fn beat(&self) -> Result<(), String> {
        let request = Request::get(self.asked.clone()).reading(Reading::Status);
        match self.client.call(&request, TIME_OUT, LEFT).await.answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            Err(failure) => Err(failure
                .outcome()
                .reason()
                .map_or_else(|| "no answer".into(), |reason| reason.name().to_owned())),
        }
    }
}
