//! Canaries: real messages to accounts of our own, each awaited. They see what no check sees: a road that takes what it is
//! given and delivers nothing.
//!
//! One goes in a while, more often while there is doubt, and never more than a day's limit: they may cost money. One that is
//! lost moves the needle of its gateway and region as ten missing receipts would, for our own phone is never off for
//! long; one that arrives moves it back. Where people's receipts come at the same time, they outweigh a phone that lies
//! dead in a drawer.

use super::Core;
use super::channel::GatewayId;
use super::effect::{Effect, Event, Order};
use super::evidence::CanaryResult;
use super::gateway::Canary;
use super::health::needle::DOUBT;
use super::ids::{AttemptId, DeliveryId, MessageId};
use super::message::Severity;
use super::outbox::early::Waiting;
use super::outcome::{Outcome, Receipt, ReceiptKind, ReceiptRef};
use super::record::Repeat;
use super::time::{Span, Timestamp};
use super::view::{CanaryView, State};
use std::collections::{BTreeMap, VecDeque};

/// So many of an account's canaries are remembered, so that one that comes late is known.
const OUT_MAX: usize = 100;
/// A canary is lost when its receipt has not come after three times the longest wait lately, within these.
const PATIENCE_MIN: Span = Span::from_secs(10);
const PATIENCE_MAX: Span = Span::from_secs(60);
const PATIENCE: f64 = 3.0;
/// How fast the longest wait is forgotten: by so large a part with each that comes sooner.
const FORGET: f64 = 0.05;
/// A canary that was not sent by then does not go any more.
const EXPIRES_AFTER: Span = Span::from_secs(30);
/// How often one goes while the first ones of a road that kept silent come again. Cites: the design's return, at 5 s.
const RETURNING: Span = Span::from_secs(5);
/// So many are there at once after a start, whatever went before it: a service that is started over and over spends little.
const TOKENS_AT_START: f64 = 5.0;
/// So many may be saved up for times of doubt, as a part of a day's.
const SAVED_UP: f64 = 0.1;
const DAY_SECS: f64 = 86_400.0;

/// Every account that canaries go to, by gateway and place in its file.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    accounts: BTreeMap<(GatewayId, u8), Account>,
    /// Whose each is that is out.
    of: BTreeMap<MessageId, (GatewayId, u8)>,
    by_provider: BTreeMap<(GatewayId, Box<str>), MessageId>,
}

#[derive(Debug)]
struct Account {
    canary: Canary,
    /// When the next goes at the usual pace.
    due: Timestamp,
    sent: Option<Timestamp>,
    tokens: f64,
    filled: Timestamp,
    out: VecDeque<Out>,
    /// The longest wait lately, in seconds.
    longest: Option<f64>,
    /// How many came one after another.
    run: u32,
    last: Option<(Timestamp, CanaryResult)>,
    lag: Option<Span>,
}

/// One that was sent.
#[derive(Debug)]
struct Out {
    id: MessageId,
    provider_id: Option<Box<str>>,
    /// When it was taken.
    taken: Option<Timestamp>,
    stands: Stands,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Awaited,
    /// It may not have gone out at all: its absence says nothing.
    Unsure,
    Missed,
    Came,
}

impl Account {
    fn new(canary: Canary, due: Timestamp, now: Timestamp) -> Account {
        Account {
            tokens: TOKENS_AT_START.min(f64::from(canary.per_day)),
            canary,
            due,
            sent: None,
            filled: now,
            out: VecDeque::new(),
            longest: None,
            run: 0,
            last: None,
            lag: None,
        }
    }

    /// Takes one out of the day's, where one is left.
    fn spend(&mut self, now: Timestamp) -> bool {
        let per_day = f64::from(self.canary.per_day);
        let fresh = now.since(self.filled).secs_f64() * per_day / DAY_SECS;
        self.filled = now;
        self.tokens = (self.tokens + fresh).min((per_day * SAVED_UP).max(1.0));
        let is_left = self.tokens >= 1.0;
        self.tokens -= if is_left { 1.0 } else { 0.0 };
        is_left
    }

    fn patience(&self) -> Span {
        let longest =
            self.longest.map_or(PATIENCE_MAX, |secs| Span::from_ms((secs * PATIENCE * 1000.0) as i64));
        longest.clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    fn overdue_at(&self) -> Option<Timestamp> {
        let awaited = self.out.iter().filter(|out| out.stands == Stands::Awaited);
        awaited.filter_map(|out| out.taken).min().map(|taken| taken + self.patience())
    }

    fn learn(&mut self, lag: Span) {
        let (lag, longest) = (lag.secs_f64(), self.longest.unwrap_or(0.0));
        self.longest = Some(if lag > longest { lag } else { longest - (longest - lag) * FORGET });
    }

    /// Returns when the next goes. `doubt`: something is amiss there.
    fn next(&self, doubt: bool) -> Timestamp {
        let pace = match self.run {
            0 => self.canary.in_doubt,
            _ => RETURNING.min(self.canary.in_doubt),
        };
        match self.sent.filter(|_| doubt) {
            Some(sent) => self.due.min(sent + pace),
            None => self.due,
        }
    }
}

impl Canaries {
    fn find(&mut self, id: MessageId) -> Option<((GatewayId, u8), &mut Account, usize)> {
        let at = *self.of.get(&id)?;
        let account = self.accounts.get_mut(&at)?;
        let place = account.out.iter().position(|out| out.id == id)?;
        Some((at, account, place))
    }

    fn forget(&mut self, gateway: GatewayId, out: Option<Out>) {
        if let Some(out) = out {
            self.of.remove(&out.id);
            if let Some(id) = out.provider_id {
                self.by_provider.remove(&(gateway, id));
            }
        }
    }

    /// Returns what is known of a gateway's accounts.
    pub(super) fn draw(&self, gateway: GatewayId) -> Vec<CanaryView> {
        let of = self.accounts.range((gateway, 0)..=(gateway, u8::MAX));
        of.map(|(_, account)| CanaryView {
            region: account.canary.region.clone(),
            sent: account.sent,
            last: account.last,
            lag: account.lag,
        })
        .collect()
    }
}

impl Core {
    /// Takes the accounts as they are configured now; those that stay keep what is known of them.
    pub(super) fn configure_canaries(&mut self) {
        let now = self.now;
        let wanted: Vec<((GatewayId, u8), Canary)> = self
            .fleet
            .iter()
            .filter(|(_, g)| g.configured)
            .flat_map(|(id, g)| (0..).zip(g.config.canaries.iter().cloned()).map(move |(n, c)| ((id, n), c)))
            .collect();
        let mut before = std::mem::take(&mut self.canaries.accounts);
        for (at, canary) in wanted {
            let known = before.remove(&at).filter(|account| account.canary.region == canary.region);
            let account = match known {
                Some(account) => Account { canary, ..account },
                // They do not all go at once.
                None => {
                    let phase = Span::from_ms(self.rng.below(canary.every.ms().unsigned_abs()) as i64);
                    Account::new(canary, now + phase, now)
                }
            };
            self.canaries.accounts.insert(at, account);
        }
        for ((gateway, _), account) in before {
            account.out.into_iter().for_each(|out| self.canaries.forget(gateway, Some(out)));
        }
    }

    /// Returns when a canary is to go or is overdue.
    pub(super) fn next_canary(&self) -> Option<Timestamp> {
        let next = |(at, account): (&(GatewayId, u8), &Account)| {
            let sends = account.next(self.is_in_doubt(*at));
            account.overdue_at().map_or(sends, |overdue| overdue.min(sends))
        };
        self.canaries.accounts.iter().map(next).min()
    }

    /// Sends those that are due, and judges those that should have come.
    pub(super) fn tend_canaries(&mut self) {
        let all: Vec<(GatewayId, u8)> = self.canaries.accounts.keys().copied().collect();
        for at in all {
            self.judge_overdue(at);
            let (doubt, now) = (self.is_in_doubt(at), self.now);
            let Some(account) = self.canaries.accounts.get_mut(&at) else { continue };
            if account.next(doubt) > now {
                continue;
            }
            account.due = now + account.canary.every;
            account.sent = Some(now);
            let goes = self.fleet.get(at.0).is_some_and(|g| !g.set_aside(now)) && !self.fleet.is_void(at.0);
            if goes && account.spend(now) {
                self.send_canary(at);
            }
        }
    }

    fn is_in_doubt(&self, at: (GatewayId, u8)) -> bool {
        let (Some(g), Some(account)) = (self.fleet.get(at.0), self.canaries.accounts.get(&at)) else {
            return false;
        };
        let is_missing = matches!(account.last, Some((_, CanaryResult::Missed)));
        let is_bad = g.cell.suspicion() >= DOUBT || matches!(g.cell.state(), State::Down | State::Recovering);
        is_missing || is_bad || self.receipts.doubts(at.0, &account.canary.region)
    }

    fn send_canary(&mut self, at: (GatewayId, u8)) {
        let (now, gateway) = (self.now, at.0);
        let Some(g) = self.fleet.get(gateway) else { return };
        let (channel, time_out) = (g.config.channel, g.capacity.time_out());
        let id = MessageId::new(now, self.config.shard, self.rng.draw());
        let attempt = AttemptId::new(DeliveryId::new(id, u32::from(at.1)), 1);
        let Some(account) = self.canaries.accounts.get_mut(&at) else { return };
        account.out.push_back(Out { id, provider_id: None, taken: None, stands: Stands::Awaited });
        let gone = if account.out.len() > OUT_MAX { account.out.pop_front() } else { None };
        self.canaries.forget(gateway, gone);
        self.canaries.of.insert(id, at);
        let expires = now + EXPIRES_AFTER;
        let (repeat, severity) = (Repeat::No, Severity::Unknown);
        let order = Order { attempt, gateway, channel, time_out, expires, repeat, severity };
        self.effects.push_back(Effect::Canary { order, account: at.1 });
    }

    /// Takes a gateway's answer, if it is to a canary.
    pub(super) fn canary_answered(&mut self, id: AttemptId, outcome: &Outcome) -> bool {
        let now = self.now;
        let Some(((gateway, nth), account, place)) = self.canaries.find(id.delivery.message) else {
            return false;
        };
        let refused = match outcome {
            Outcome::Accepted { provider_id } => {
                let out = &mut account.out[place];
                out.taken = Some(now);
                out.provider_id = provider_id.as_deref().map(Box::from);
                None
            }
            Outcome::Unknown { .. } => {
                account.out[place].stands = Stands::Unsure;
                account.out[place].taken = Some(now);
                None
            }
            Outcome::Rejected { reason } | Outcome::Deferred { reason, .. } => Some(*reason),
        };
        if let Some(reason) = refused {
            let out = account.out.remove(place);
            account.run = 0;
            self.canaries.forget(gateway, out);
            self.canary_ended((gateway, nth), CanaryResult::Refused(reason), None);
        }
        let void = self.fleet.is_void(gateway);
        if let Some(g) = self.fleet.get_mut(gateway) {
            g.cell.outcome(outcome, void, now);
        }
        self.judge_one(gateway);
        if let Outcome::Accepted { provider_id: Some(provider_id) } = outcome {
            let key = (gateway, Box::from(provider_id.as_str()));
            self.canaries.by_provider.insert(key, id.delivery.message);
            for Waiting { receipt, .. } in self.early.take(gateway, provider_id) {
                self.canary_receipt(gateway, &receipt);
            }
        }
        true
    }

    /// Takes a receipt, if it is a canary's.
    pub(super) fn canary_receipt(&mut self, gateway: GatewayId, receipt: &Receipt) -> bool {
        let id = match &receipt.of {
            ReceiptRef::Attempt(id) | ReceiptRef::Both(_, id)
                if self.canaries.of.contains_key(&id.delivery.message) =>
            {
                id.delivery.message
            }
            ReceiptRef::Provider(id) | ReceiptRef::Both(id, _) => {
                match self.canaries.by_provider.get(&(gateway, id.as_str().into())) {
                    Some(id) => *id,
                    None => return false,
                }
            }
            ReceiptRef::Attempt(_) => return false,
        };
        let now = self.now;
        let Some((at, account, place)) = self.canaries.find(id) else { return false };
        // Who signs for one gateway says nothing of another's.
        if at.0 != gateway {
            return true;
        }
        let out = &mut account.out[place];
        let before = out.stands;
        if before == Stands::Came || receipt.kind < ReceiptKind::Delivered {
            return true;
        }
        if receipt.kind == ReceiptKind::Failed {
            let reason = receipt.reason.unwrap_or(super::outcome::Reason::Undeliverable);
            out.stands = Stands::Came;
            account.run = 0;
            self.canary_ended(at, CanaryResult::Refused(reason), None);
            return true;
        }
        let lag = now.since(out.taken.unwrap_or(now));
        out.stands = Stands::Came;
        account.run += 1;
        let run = account.run;
        if before != Stands::Missed {
            account.learn(lag);
        }
        let region = self.receipts.region(Some(account.canary.region.as_str()).filter(|r| !r.is_empty()));
        self.receipts.canary_came(gateway, region, before == Stands::Missed, run, now);
        self.canary_ended(at, CanaryResult::Delivered, Some(lag));
        self.silence_moved(gateway);
        true
    }

    /// Judges those that should have come by now. What our own line keeps back says nothing.
    fn judge_overdue(&mut self, at: (GatewayId, u8)) {
        let (now, void) = (self.now, self.fleet.is_void(at.0));
        let Some(account) = self.canaries.accounts.get_mut(&at) else { return };
        let patience = account.patience();
        let is_over = |out: &&mut Out| {
            out.stands == Stands::Awaited && out.taken.is_some_and(|taken| taken + patience <= now)
        };
        let mut missed = 0;
        for out in account.out.iter_mut().filter(is_over) {
            out.stands = if void { Stands::Unsure } else { Stands::Missed };
            missed += u32::from(!void);
        }
        if missed == 0 {
            return;
        }
        account.run = 0;
        let region = self.receipts.region(Some(account.canary.region.as_str()).filter(|r| !r.is_empty()));
        for _ in 0..missed {
            self.receipts.canary_missed(at.0, region, patience, now);
            self.canary_ended(at, CanaryResult::Missed, None);
        }
        self.silence_moved(at.0);
    }

    fn canary_ended(&mut self, at: (GatewayId, u8), result: CanaryResult, lag: Option<Span>) {
        let now = self.now;
        let Some(account) = self.canaries.accounts.get_mut(&at) else { return };
        account.last = Some((now, result));
        account.lag = lag.or(account.lag);
        let region = account.canary.region.clone();
        self.event(Event::Canary { gateway: at.0, region, result, lag });
    }
}
