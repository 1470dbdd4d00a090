//! Carries out the core's orders: looks up what to say to whom, hands it to the adapter, brings back the answer.
//!
//! One task an attempt; how many there are is bounded by the gateways' windows, which the core keeps.
//!
//! Invariant: every order is answered with exactly one outcome, whatever the adapter or the store does. No address
//! and no text reaches the log.

use crate::adapter::{Answered, Outgoing};
use crate::core::channel::GatewayId;
use crate::core::effect::Order;
use crate::core::ids::{AttemptId, DeliveryId, MessageId};
use crate::core::input::{Asked, Input};
use crate::core::message::{Message, Recipient, Status};
use crate::core::outcome::{Outcome, Reason};
use crate::core::record::Repeat;
use crate::core::reply::Asks;
use crate::core::time::{Span, Timestamp};
use crate::runtime::clock::Clock;
use crate::runtime::gateways::{Gateway, Gateways};
use crate::runtime::guard::guarded;
use crate::runtime::inbox::{Inbox, Incoming};
use crate::runtime::pantry::{Pantry, People, place};
use crate::runtime::reads::Reads;
use crate::runtime::replies::Silence;
use crate::runtime::words;
use crate::store::outbox::{AsOf, ReadError, Reader};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What an adapter may take beyond the order's time-out and its connect phases before it is given up. An adapter
/// keeps its own times; this catches one that does not.
const GRACE: Duration = Duration::from_secs(3);
/// How long to wait between two tries to read what a delivery says from a store that does not answer.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// How often it is tried: a store that has not answered for so long will not do so for this attempt.
const READS_MAX: u32 = 20;
/// How long a gateway may take to say what became of an attempt.
const ASK_TIME_OUT: Span = Span::from_secs(10);

/// Carries out orders.
pub(crate) struct Dispatch {
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) pantry: Arc<Pantry>,
    pub(crate) reads: Reads,
    pub(crate) silence: Arc<Silence>,
    pub(crate) inbox: Inbox,
    pub(crate) clock: Arc<Clock>,
    pub(crate) tasks: Handle,
    /// How many attempts are out.
    pub(crate) out: watch::Sender<usize>,
}

/// Why an attempt is certainly not handed to its gateway.
type CannotSend = Reason;

/// Hands one thing to an adapter, which may panic or keep no time.
async fn hand_over(gateway: &Gateway, outgoing: Outgoing, attempt: AttemptId, within: Duration) -> Answered {
    match tokio::time::timeout(within, guarded(gateway.adapter.send(outgoing))).await {
        Ok(Some(answered)) => answered,
        Ok(None) => {
            tracing::error!(gateway = gateway.config.name, %attempt, "the adapter panicked; it may have gone out");
            unknown(Reason::Unreadable, within)
        }
        Err(_) => {
            tracing::error!(gateway = gateway.config.name, %attempt, "the adapter kept no time; it may have gone out");
            unknown(Reason::Timeout, within)
        }
    }
}

impl Dispatch {
    /// Hands a delivery to its gateway, in a task of its own.
    pub(crate) fn send(self: &Arc<Self>, order: Order) {
        self.out.send_modify(|out| *out += 1);
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let attempt = order.attempt;
            let Answered { outcome, took } = this.carry_out(order).await;
            // Where the core is gone, the attempt stays in flight on disk and is judged at the next start.
            let _ = this.inbox.put_now(Incoming::Input(Input::Outcome { attempt, outcome, took }));
            this.out.send_modify(|out| *out -= 1);
        });
    }

    /// Hands a canary to its gateway, in a task of its own.
    pub(crate) fn send_canary(self: &Arc<Self>, order: Order, account: u8) {
        self.out.send_modify(|out| *out += 1);
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let attempt = order.attempt;
            let Answered { outcome, took } = this.carry_canary(order, account).await;
            let _ = this.inbox.put_now(Incoming::Input(Input::Outcome { attempt, outcome, took }));
            this.out.send_modify(|out| *out -= 1);
        });
    }

    /// Asks a provider what became of an attempt, in a task of its own.
    pub(crate) fn ask(self: &Arc<Self>, attempt: AttemptId, gateway: GatewayId) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let answer = this.find_out(attempt, gateway).await;
            let _ = this.inbox.put_now(Incoming::Input(Input::Asked { attempt, answer }));
        });
    }

    /// Reads a chunk of a frozen audience back for the core, in a task of its own.
    pub(crate) fn load_audience(self: &Arc<Self>, message: MessageId, chunk: u32) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            // The message waits for it, so there is no giving up.
            loop {
                match this.people(message, chunk).await {
                    Ok(people) => {
                        let input = Input::Audience { message, chunk, people };
                        let _ = this.inbox.put_now(Incoming::Input(input));
                        return;
                    }
                    Err(_) => tokio::time::sleep(READ_AGAIN).await,
                }
                if this.inbox.is_gone() {
                    return;
                }
            }
        });
    }

    /// Returns how many attempts are out, and tells of changes.
    pub(crate) fn out(&self) -> watch::Receiver<usize> {
        self.out.subscribe()
    }

    async fn carry_out(&self, order: Order) -> Answered {
        let Some(gateway) = self.gateways.get(order.gateway) else {
            return certainly_not(Reason::Configuration);
        };
        let (attempt, within) = (order.attempt, time_limit(&order, &gateway));
        let outgoing = match self.outgoing(order).await {
            Ok(outgoing) => outgoing,
            Err(reason) => return certainly_not(reason),
        };
        // Looking it up may have taken long; nothing expired is sent.
        if outgoing.left == Span::ZERO {
            return certainly_not(Reason::Busy);
        }
        hand_over(&gateway, outgoing, attempt, within).await
    }

    async fn carry_canary(&self, order: Order, account: u8) -> Answered {
        let Some(gateway) = self.gateways.get(order.gateway) else {
            return certainly_not(Reason::Configuration);
        };
        let Some(account) = gateway.canaries.get(usize::from(account)).cloned() else {
            return certainly_not(Reason::Configuration);
        };
        let (attempt, within) = (order.attempt, time_limit(&order, &gateway));
        let left = order.expires.since(self.clock.now());
        if left == Span::ZERO {
            return certainly_not(Reason::Busy);
        }
        let text = words::canary(&account.language).to_owned();
        let outgoing = Outgoing {
            order,
            left,
            status: Status::Test,
            address: account.to,
            language: account.language,
            subject: words::subject(&text),
            text,
            thread: None,
            template: account.template,
            asks: Asks::NOTHING,
            question: String::new(),
        };
        hand_over(&gateway, outgoing, attempt, within).await
    }

    async fn find_out(&self, attempt: AttemptId, id: GatewayId) -> Asked {
        let Some(gateway) = self.gateways.get(id) else { return Asked::CannotSay };
        let order = Order {
            attempt,
            gateway: id,
            channel: gateway.config.channel,
            time_out: ASK_TIME_OUT,
            expires: Timestamp::FAR,
            repeat: Repeat::No,
            severity: crate::core::message::Severity::Unknown,
        };
        let within = time_limit(&order, &gateway);
        let Ok(outgoing) = self.outgoing(order).await else { return Asked::CannotSay };
        match tokio::time::timeout(within, guarded(gateway.adapter.ask(outgoing))).await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => Asked::CannotSay,
        }
    }

    /// Puts together what an order says to whom.
    async fn outgoing(&self, order: Order) -> Result<Outgoing, CannotSend> {
        let delivery = order.attempt.delivery;
        let message = self.message(delivery.message).await?;
        let recipient = self.recipient(delivery).await?;
        if recipient.is_erased() {
            return Err(Reason::Erased);
        }
        let left = order.expires.since(self.clock.now());
        let address = recipient.addresses.get(&order.channel);
        if address.is_some_and(|address| self.silence.covers(order.channel, address)) {
            return Err(Reason::OptedOut);
        }
        put_together(order, left, &message, &recipient)
    }

    async fn message(&self, id: MessageId) -> Result<Arc<Message>, CannotSend> {
        let fetch = async || self.insist(move |reader| reader.message(id)).await?.ok_or(Reason::NoText);
        self.pantry.message(id, fetch).await
    }

    async fn recipient(&self, delivery: DeliveryId) -> Result<Recipient, CannotSend> {
        let (chunk, at) = place(delivery);
        let people = self.people(delivery.message, chunk).await?;
        people.get(at).cloned().ok_or(Reason::BadAddress)
    }

    async fn people(&self, message: MessageId, chunk: u32) -> Result<People, CannotSend> {
        let fetch = async || {
            let people = self.insist(move |reader| reader.audience(message, chunk)).await?;
            people.map(Arc::new).ok_or(Reason::BadAddress)
        };
        self.pantry.people(message, chunk, fetch).await
    }

    /// Reads, again and again for a while where the store does not answer.
    async fn insist<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Reader) -> Result<AsOf<T>, ReadError> + Copy + Send + 'static,
    ) -> Result<T, CannotSend> {
        for _ in 0..READS_MAX {
            match self.reads.run(read).await {
                Ok(found) => return Ok(found.value),
                Err(trouble) => tracing::warn!(%trouble, "a delivery could not be read back; trying again"),
            }
            tokio::time::sleep(READ_AGAIN).await;
        }
        Err(Reason::Busy)
    }
}

/// Chooses the address of the order's channel and the text of the recipient's language.
fn put_together(
    order: Order,
    left: Span,
    message: &Message,
    recipient: &Recipient,
) -> Result<Outgoing, CannotSend> {
    let address = recipient.addresses.get(&order.channel).ok_or(Reason::BadAddress)?;
    let (language, text) = match message.text_for(recipient.language.as_deref()) {
        Some((language, text)) => (language, text),
        // A template alone says enough where the channel takes templates.
        None if message.template.is_some() => (recipient.language.as_deref().unwrap_or("en"), ""),
        None => return Err(Reason::NoText),
    };
    let text = words::text(message.status, language, text);
    let text = words::with_question(text, message.asks, language, order.channel);
    let template = message.template.as_ref().and_then(|t| words::template(message.status, language, t));
    // A drill's template that cannot say that it is one does not go, and nothing else is there to go instead.
    if text.is_empty() && template.is_none() {
        return Err(Reason::NoText);
    }
    Ok(Outgoing {
        status: message.status,
        address: address.clone(),
        language: language.to_string(),
        subject: words::subject(&text),
        thread: message.incident.clone(),
        template,
        text,
        asks: message.asks,
        question: words::question(message.asks, language),
        order,
        left,
    })
}

fn time_limit(order: &Order, gateway: &Gateway) -> Duration {
    order.time_out.to_std() + gateway.config.connect_time_out.to_std() + GRACE
}

fn certainly_not(reason: Reason) -> Answered {
    Answered { outcome: Outcome::Rejected { reason }, took: Span::ZERO }
}

fn unknown(reason: Reason, took: Duration) -> Answered {
    let took = Span::from_ms(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
    Answered { outcome: Outcome::Unknown { reason }, took }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::Channel;
    use crate::core::message::{Severity, Status, Template, Urgency};
    use crate::core::reply::Asks;
    use std::collections::BTreeMap;

    const LEFT: Span = Span::from_hours(1);

    fn order(channel: Channel) -> Order {
        Order {
            attempt: AttemptId::new(DeliveryId::new(MessageId::from_bytes([0; 16]), 0), 1),
            gateway: GatewayId(0),
            channel,
            time_out: Span::from_secs(5),
            expires: Timestamp::FAR,
            repeat: Repeat::No,
            severity: Severity::Extreme,
        }
    }

    fn message(status: Status, text: &[(&str, &str)]) -> Message {
        Message {
            id: MessageId::from_bytes([0; 16]),
            author: "desk".into(),
            accepted_at: Timestamp::default(),
            severity: Severity::Extreme,
            urgency: Urgency::Immediate,
            status,
            incident: None,
            expires: None,
            text: text.iter().map(|(l, t)| (l.to_string(), t.to_string())).collect(),
            template: None,
            tags: BTreeMap::new(),
            recipients: 1,
            audiences: vec![],
            corrects: None,
            asks: Asks::NOTHING,
        }
    }

    fn recipient() -> Recipient {
        Recipient {
            language: Some("ar".into()),
            addresses: [(Channel::Sms, "+970599000001".to_string())].into(),
            ..Recipient::default()
        }
    }

    #[test]
    fn an_order_gets_the_address_of_its_channel_and_the_text_of_the_language() {
        let drill = message(Status::Exercise, &[("ar", "غادروا"), ("en", "Leave")]);
        let out = put_together(order(Channel::Sms), LEFT, &drill, &recipient()).unwrap();
        assert_eq!((out.address.as_str(), out.language.as_str()), ("+970599000001", "ar"));
        assert_eq!((out.text.as_str(), out.subject.as_str()), ("تمرين – غادروا", "تمرين – غادروا"));
        assert_eq!(out.status, Status::Exercise);
    }

    #[test]
    fn what_is_missing_is_said() {
        let check = |channel, texts: &[(&str, &str)], reason| {
            let got = put_together(order(channel), LEFT, &message(Status::Actual, texts), &recipient());
            assert_eq!(got.err(), Some(reason));
        };
        check(Channel::Email, &[("ar", "غادروا")], Reason::BadAddress);
        check(Channel::Sms, &[], Reason::NoText);
    }

    #[test]
    fn a_drill_of_a_template_alone_says_so_there_or_does_not_go() {
        let go = |params: &[(&str, &str)]| {
            let params = params.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            let template = Some(Template { name: "evacuate".into(), language: None, params });
            let drill = Message { template, ..message(Status::Exercise, &[]) };
            put_together(order(Channel::Sms), LEFT, &drill, &recipient())
        };
        let out = go(&[("area", "الشرق")]).unwrap();
        assert_eq!((out.text.as_str(), out.subject.as_str()), ("", ""), "a prefix is no text");
        assert_eq!(out.template.unwrap().params[0].1, "تمرين – الشرق");
        assert_eq!(go(&[]).err(), Some(Reason::NoText));
    }
}
