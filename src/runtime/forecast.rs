//! Forecasts: the core's own, on a copy, with what only the adapters know.
//!
//! Limits: [`AT_ONCE`] forecast at a time, on a thread that may block; who comes meanwhile waits, and is then told to come
//! back. The core's thread only copies what is known of the gateways.

use crate::adapter::segments::segments;
use crate::api::service::{Forecasted, Share, Trouble};
use crate::core::Core;
use crate::core::channel::{Channel, ChannelSet, GatewayId};
use crate::core::forecast::{Forecast, Load};
use crate::core::input::Accept;
use crate::core::message::{Recipient, Status};
use crate::core::reply::Asks;
use crate::runtime::gateways::Gateways;
use crate::runtime::replies::Silence;
use crate::runtime::words;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many forecasts are made at once: one of a million people takes a second processor for some seconds.
const AT_ONCE: usize = 1;
/// How long a caller waits for the one before.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a caller who waited in vain should come back, in seconds.
const RETRY_AFTER_SECS: u32 = 10;

/// Makes forecasts.
#[derive(Clone)]
pub(crate) struct Forecasts(Arc<Semaphore>);

/// What is said of a message, by language: how many segments it takes.
struct Words {
    status: Status,
    asks: Asks,
    text: BTreeMap<String, String>,
}

impl Forecasts {
    pub(crate) fn new() -> Forecasts {
        Forecasts(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Forecasts a message on a copy of the core, of which so many deliveries are ahead.
    pub(crate) async fn make(
        &self,
        core: Box<Core>,
        ahead: u64,
        accept: Accept,
        gateways: Arc<Gateways>,
        silence: Arc<Silence>,
    ) -> Result<Forecasted, Trouble> {
        let busy = Trouble::Busy { retry_after_secs: RETRY_AFTER_SECS };
        let permit = match tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(busy),
        };
        let work = move || {
            // Kept until the work is done, also where nobody waits for it any more.
            let _permit = permit;
            let words = Words { status: accept.status, asks: accept.asks, text: accept.text.clone() };
            let refused = opted_out(&accept, &silence);
            match core.forecast(accept, refused) {
                Ok(forecast) => put_together(Forecast { ahead, ..forecast }, &words, &gateways),
                Err(reply) => Forecasted::Refused(reply),
            }
        };
        spawn_blocking(work).await.map_err(|_| Trouble::Store("the forecast failed; this is a bug".into()))
    }
}

/// Returns the channels on which recipients want nothing more, by their index.
fn opted_out(accept: &Accept, silence: &Silence) -> BTreeMap<u32, ChannelSet> {
    let of = |(index, person): (u32, &Recipient)| {
        let refused = person.addresses.iter().filter(|(channel, address)| silence.covers(**channel, address));
        let refused: ChannelSet = refused.map(|(channel, _)| *channel).collect();
        (!refused.is_empty()).then_some((index, refused))
    };
    (0..).zip(&accept.recipients).filter_map(of).collect()
}

fn put_together(forecast: Forecast, words: &Words, gateways: &Gateways) -> Forecasted {
    let all = gateways.all();
    let mut shares: BTreeMap<(u8, GatewayId), Share> = BTreeMap::new();
    for ((step, id, language), load) in &forecast.handed_over {
        let Some(gateway) = all.get(usize::from(id.0)) else { continue };
        let share = shares.entry((*step, *id)).or_insert_with(|| Share {
            step: *step,
            gateway: gateway.config.name.clone(),
            channel: gateway.config.channel,
            load: Load::default(),
            segments: (gateway.config.channel == Channel::Sms).then_some(0),
            cost: 0.0,
        });
        share.load.first += load.first;
        share.load.copies += load.copies;
        let messages = u64::from(load.first) + u64::from(load.copies);
        // An SMS is paid for by segment.
        let units = match &mut share.segments {
            Some(sum) => {
                let segments = messages * words.segments(language.as_deref());
                *sum += segments;
                segments
            }
            None => messages,
        };
        share.cost += units as f64 * gateway.config.cost;
    }
    let shares: Vec<Share> = shares.into_values().collect();
    let cost = shares.iter().map(|share| share.cost).sum();
    Forecasted::Forecast { forecast, shares, cost }
}

impl Words {
    /// Returns how many segments the text takes for a recipient of this language, as it would leave.
    fn segments(&self, language: Option<&str>) -> u64 {
        let Some((language, text)) = crate::core::message::text_for(&self.text, language) else { return 1 };
        let text = words::text(self.status, language, text);
        segments(&words::with_question(text, self.asks, language, Channel::Sms)).parts.len() as u64
    }
}
