//! What each layer of a channel does at a moment of the scenario, and how that is ordered of an emulator. Pure.
//!
//! There is one vantage point, the service's own: an effect on requests counts where its scope is `all`, that point, or
//! the region in which it stands. What becomes of messages and receipts differs by the recipients' region; an emulator
//! knows no regions, so their tables are merged, weighted by the regions' shares of the people.

use super::scenario::{
    Accept, ChannelModel, Control, Deliver, Dns, Effect, Http, Layers, Ms, Phase, Receipt, Scenario, Tcp, Tls,
};
use crate::emulator::dns::DnsFault;
use crate::emulator::tls::Certificate;
use crate::emulator::{
    AcceptFault, AnswerFault, Delay, DeliverFault, Mix, ReceiptFault, Refusal, TcpFault, TlsFault,
};

/// How a control normally fails. Cites: the scenario format.
const CONTROL_FAILS: f64 = 0.001;
/// From this share of time-outs on, connecting is not possible at all: open connections fall silent too, as they do
/// where routes are gone.
const CUT_OFF: f64 = 0.9;
/// The most times at which something changes: blinking phases of a day, each minute, several times over.
const CHANGES_MAX: usize = 10_000;

/// A channel's layers at one moment.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) dns: Dns,
    pub(crate) tcp: Tcp,
    pub(crate) tls: Tls,
    pub(crate) http: Http,
    pub(crate) accept: Accept,
    pub(crate) deliver: Deliver,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) admit: (f64, f64),
    pub(crate) serve_per_s: f64,
}

/// Returns a channel's layers at `t`.
pub(crate) fn tables(scenario: &Scenario, model: &ChannelModel, t: f64) -> Tables {
    let phase = scenario.phase_at(t).map(|(_, phase)| phase);
    let effects: Vec<&Effect> = phase.map(|phase| active(phase, &model.id, t)).unwrap_or_default();
    let here = scenario.here();
    let concerns_us = |effect: &Effect| {
        let scope = effect.scope.as_str();
        scope == "all"
            || here.is_some_and(|v| names(scope, "vantage:", &v.id) || names(scope, "region:", &v.region))
    };
    let mut tables = Tables {
        admit: (model.admit_per_s, model.admit_burst),
        serve_per_s: model.serve_per_s,
        ..Tables::default()
    };
    tables.take(&model.base);
    for effect in &effects {
        if concerns_us(effect) {
            tables.take(&effect.layers);
        }
        tables.admit.0 = effect.admit_per_s.unwrap_or(tables.admit.0);
        tables.serve_per_s = effect.serve_per_s.unwrap_or(tables.serve_per_s);
    }
    let shares: Vec<(f64, Deliver, Option<Receipt>)> = scenario
        .regions
        .iter()
        .map(|region| {
            let mut seen = Tables::default();
            seen.take(&model.base);
            let for_region = |e: &&&Effect| e.scope == "all" || names(&e.scope, "region:", &region.id);
            effects.iter().filter(for_region).for_each(|effect| seen.take(&effect.layers));
            (region.share, seen.deliver, seen.receipt)
        })
        .collect();
    tables.deliver = merged_deliver(&shares);
    tables.receipt = merged_receipt(&shares);
    if let (Some(phase), Some(here)) = (phase, here) {
        let lost = phase.vantages.iter().rev().find(|l| l.id == here.id && l.blink.is_on(t, phase.from_s));
        if let Some(lost) = lost {
            tables.dns.lose(lost.loss);
        }
    }
    tables
}

/// Returns the share of requests to a control that fail at `t`, as seen from here.
pub(crate) fn control_fails(scenario: &Scenario, control: &Control, t: f64) -> f64 {
    let (Some((_, phase)), Some(here)) = (scenario.phase_at(t), scenario.here()) else {
        return CONTROL_FAILS;
    };
    let told = phase.controls.iter().rev().find(|c| {
        c.id == control.id
            && c.vantage.as_ref().is_none_or(|v| *v == here.id)
            && c.blink.is_on(t, phase.from_s)
    });
    let lost = phase.vantages.iter().rev().find(|l| l.id == here.id && l.blink.is_on(t, phase.from_s));
    told.map_or(CONTROL_FAILS, |c| c.fail).max(lost.map_or(0.0, |l| l.loss))
}

/// Returns every moment of `[from, to)` at which something may change, in order, `from` first.
pub(crate) fn changes(scenario: &Scenario, from: f64, to: f64) -> Vec<f64> {
    let mut all = vec![from];
    for phase in &scenario.phases {
        all.push(phase.from_s);
        let blinks = phase.effects.iter().map(|e| e.blink);
        let blinks = blinks.chain(phase.vantages.iter().map(|v| v.blink));
        for blink in blinks.chain(phase.controls.iter().map(|c| c.blink)) {
            let (Some(period), Some(on)) = (blink.period_s, blink.on_s) else { continue };
            let mut edge = phase.from_s + blink.offset_s.unwrap_or(0.0);
            while edge < phase.to_s && all.len() < CHANGES_MAX {
                all.extend([edge, edge + on]);
                edge += period.max(1.0);
            }
        }
        let holds = phase.effects.iter().flat_map(|e| {
            [e.layers.deliver.and_then(|d| d.hold_until_s), e.layers.receipt.and_then(|r| r.hold_until_s)]
        });
        all.extend(holds.flatten());
    }
    all.retain(|t| (from..to).contains(t));
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// Says whether what was parked on a channel goes on at `t`.
pub(crate) fn releases(scenario: &Scenario, channel: &str, t: f64) -> bool {
    let of_channel = |e: &&Effect| e.channel == channel || e.channel == "*";
    scenario.phases.iter().flat_map(|p| &p.effects).filter(of_channel).any(|effect| {
        let until = [
            effect.layers.deliver.and_then(|d| d.hold_until_s),
            effect.layers.receipt.and_then(|r| r.hold_until_s),
        ];
        until.contains(&Some(t))
    })
}

/// Returns when a channel first changes for the worse within `[from, to)`: its requests or its deliveries fail by a
/// fifth or more.
pub(crate) fn onset(scenario: &Scenario, model: &ChannelModel, from: f64, to: f64) -> Option<f64> {
    changes(scenario, from, to).into_iter().find(|t| {
        let tables = tables(scenario, model, *t);
        tables.request_fails() >= 0.2 || tables.deliver.drop + tables.deliver.hold >= 0.2
    })
}

fn active<'a>(phase: &'a Phase, channel: &str, t: f64) -> Vec<&'a Effect> {
    let on = |e: &&Effect| (e.channel == channel || e.channel == "*") && e.blink.is_on(t, phase.from_s);
    phase.effects.iter().filter(on).collect()
}

fn names(scope: &str, kind: &str, id: &str) -> bool {
    scope.strip_prefix(kind) == Some(id)
}

fn weighted(parts: &[(f64, f64)]) -> f64 {
    let all: f64 = parts.iter().map(|(weight, _)| weight).sum();
    parts.iter().map(|(weight, value)| weight * value).sum::<f64>() / all.max(f64::MIN_POSITIVE)
}

fn weighted_ms(parts: &[(f64, Option<Ms>)]) -> Option<Ms> {
    let of = |at: usize| -> Vec<(f64, f64)> {
        parts.iter().filter_map(|(weight, ms)| Some((*weight, *ms.as_ref()?.get(at)?))).collect()
    };
    (!of(0).is_empty()).then(|| [weighted(&of(0)), weighted(&of(1))])
}

fn merged_deliver(shares: &[(f64, Deliver, Option<Receipt>)]) -> Deliver {
    let of = |value: fn(&Deliver) -> f64| {
        weighted(&shares.iter().map(|(w, d, _)| (*w, value(d))).collect::<Vec<_>>())
    };
    Deliver {
        drop: of(|d| d.drop),
        hold: of(|d| d.hold),
        hold_until_s: shares.iter().filter_map(|(_, d, _)| d.hold_until_s).reduce(f64::max),
        ms: weighted_ms(&shares.iter().map(|(w, d, _)| (*w, d.ms)).collect::<Vec<_>>()),
    }
}

fn merged_receipt(shares: &[(f64, Deliver, Option<Receipt>)]) -> Option<Receipt> {
    let given: Vec<(f64, Receipt)> = shares.iter().filter_map(|(w, _, r)| Some((*w, (*r)?))).collect();
    (!given.is_empty()).then(|| Receipt {
        p: weighted(&given.iter().map(|(w, r)| (*w, r.p)).collect::<Vec<_>>()),
        hold_until_s: given.iter().filter_map(|(_, r)| r.hold_until_s).reduce(f64::max),
        ms: weighted_ms(&given.iter().map(|(w, r)| (*w, r.ms)).collect::<Vec<_>>()),
    })
}

// === impls ===

impl Tables {
    /// Takes the tables that are given in place of its own.
    fn take(&mut self, layers: &Layers) {
        self.dns = layers.dns.unwrap_or(self.dns);
        self.tcp = layers.tcp.unwrap_or(self.tcp);
        self.tls = layers.tls.unwrap_or(self.tls);
        self.http = layers.http.unwrap_or(self.http);
        self.accept = layers.accept.unwrap_or(self.accept);
        self.deliver = layers.deliver.unwrap_or(self.deliver);
        self.receipt = layers.receipt.or(self.receipt);
    }

    /// Returns the share of sends that fail before they are taken.
    fn request_fails(&self) -> f64 {
        let (dns, tcp, tls) = (self.dns, self.tcp, self.tls);
        let fine = (1.0 - (dns.nxdomain + dns.servfail + dns.timeout + dns.hijack))
            * (1.0 - (tcp.refused + tcp.reset + tcp.timeout))
            * (1.0 - (tls.badcert + tls.reset + tls.timeout))
            * (1.0 - (self.accept.reject + self.accept.timeout));
        1.0 - fine
    }

    /// Says whether the road to it (name, connection, handshake) differs from that of `other`.
    pub(crate) fn other_road(&self, other: &Tables) -> bool {
        (self.dns, self.tcp, self.tls) != (other.dns, other.tcp, other.tls)
    }
}

fn delay(ms: Option<Ms>) -> Delay {
    ms.map_or(Delay::None, |[median_ms, shape]| Delay::Spread { median_ms, shape })
}

impl Dns {
    /// Lets this share of all look-ups end in silence beside what goes wrong anyway.
    fn lose(&mut self, loss: f64) {
        let rest = 1.0 - loss;
        self.nxdomain *= rest;
        self.servfail *= rest;
        self.hijack *= rest;
        self.timeout = loss + self.timeout * rest;
    }

    pub(crate) fn mix(&self) -> Mix<DnsFault> {
        // A wrong address on which nobody listens.
        let elsewhere = std::net::IpAddr::from([127, 66, 66, 66]);
        Mix::good()
            .share(self.nxdomain, DnsFault::NxDomain)
            .share(self.servfail, DnsFault::ServFail)
            .share(self.timeout, DnsFault::Timeout)
            .share(self.hijack, DnsFault::Hijack(elsewhere))
            .delayed(delay(self.ms))
    }
}

impl Tcp {
    pub(crate) fn mix(&self) -> Mix<TcpFault> {
        if self.timeout >= CUT_OFF {
            return Mix::always(TcpFault::Hang);
        }
        if self.refused >= CUT_OFF {
            return Mix::always(TcpFault::Refuse);
        }
        Mix::good()
            .share(self.refused + self.reset, TcpFault::Reset)
            .share(self.timeout, TcpFault::Hang)
            .delayed(delay(self.ms))
    }
}

impl Tls {
    pub(crate) fn mix(&self) -> Mix<TlsFault> {
        Mix::good()
            .share(self.badcert, TlsFault::Certificate(Certificate::WrongName))
            .share(self.reset, TlsFault::Reset)
            .share(self.timeout, TlsFault::Hang)
            .delayed(delay(self.ms))
    }
}

impl Http {
    pub(crate) fn mix(&self) -> Mix<AnswerFault> {
        let status = |code| AnswerFault::Status { code, retry_after_s: None };
        Mix::good()
            .share(self.e4xx, status(403))
            .share(self.e5xx, status(503))
            .share(self.timeout, AnswerFault::Hang)
            .delayed(delay(self.ms))
    }
}

impl Accept {
    pub(crate) fn mix<R: Refusal>(&self) -> Mix<AcceptFault<R>> {
        Mix::good()
            .share(self.reject, AcceptFault::Reject(R::ordinary()))
            .share(self.timeout * self.ghost, AcceptFault::Hang { taken: true })
            .share(self.timeout * (1.0 - self.ghost), AcceptFault::Hang { taken: false })
            .delayed(delay(self.ms))
    }
}

impl Deliver {
    /// Returns the mix at `t`: what is held until a moment that has passed is not held.
    pub(crate) fn mix<R: Refusal>(&self, t: f64) -> Mix<DeliverFault<R>> {
        let mix = Mix::good().share(self.drop, DeliverFault::Drop).delayed(delay(self.ms));
        match self.hold_until_s {
            Some(until) if until > t => mix.share(self.hold, DeliverFault::Hold),
            _ => mix,
        }
    }
}

impl Receipt {
    /// Returns the mix at `t`.
    pub(crate) fn mix(&self, t: f64) -> Mix<ReceiptFault> {
        let mix = Mix::good().share(1.0 - self.p, ReceiptFault::Missing).delayed(delay(self.ms));
        match self.hold_until_s {
            Some(until) if until > t => mix.share(self.p, ReceiptFault::Held),
            _ => mix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::Channel;

    fn at(channel: Channel, t: f64) -> Tables {
        let scenario = Scenario::built_in().unwrap();
        tables(&scenario, scenario.model(channel).unwrap(), t)
    }

    #[test]
    fn phases_act_on_the_layers_that_they_name() {
        let healthy = at(Channel::Whatsapp, 100.0);
        assert_eq!((healthy.dns.servfail, healthy.deliver.hold), (0.0005, 0.0));
        let gone = at(Channel::Whatsapp, 6000.0);
        assert_eq!((gone.dns.servfail, gone.deliver.hold_until_s), (0.93, Some(27_300.0)));
        assert_eq!(gone.tls, healthy.tls, "a layer that is not named stays as it is");
        assert_eq!(gone.tcp.mix(), Mix::always(TcpFault::Hang));
        assert_eq!(at(Channel::Whatsapp, 38_000.0), healthy);
    }

    #[test]
    fn regions_of_requests_are_ours_and_those_of_recipients_are_merged() {
        let gone = at(Channel::Telegram, 6000.0);
        assert_eq!(gone.http.e5xx, 0.001, "the Americas are not where we send from");
        // The effect on all comes last in the file and wins.
        assert_eq!(gone.deliver.ms.unwrap()[0], 2400.0);
    }

    #[test]
    fn what_was_held_is_released_and_then_held_no_more() {
        let scenario = Scenario::built_in().unwrap();
        assert!(releases(&scenario, "whatsapp", 27_300.0) && !releases(&scenario, "sms", 27_300.0));
        let deliver = Deliver { hold: 1.0, hold_until_s: Some(10.0), ..Deliver::default() };
        type Refusal = crate::emulator::whatsapp::Refusal;
        assert_eq!(
            deliver.mix::<Refusal>(5.0),
            Mix::good().share(0.0, DeliverFault::Drop).share(1.0, DeliverFault::Hold)
        );
        assert_eq!(deliver.mix::<Refusal>(10.0), Mix::good().share(0.0, DeliverFault::Drop));
    }

    #[test]
    fn the_moments_of_change_are_in_order() {
        let scenario = Scenario::built_in().unwrap();
        let moments = changes(&scenario, 3600.0, 30_600.0);
        assert_eq!(moments, [3600.0, 4140.0, 5280.0, 22_800.0, 23_700.0, 27_300.0, 29_700.0]);
        let whatsapp = scenario.model(Channel::Whatsapp).unwrap();
        assert_eq!(onset(&scenario, whatsapp, 3600.0, 30_600.0), Some(4140.0));
        let sms = scenario.model(Channel::Sms).unwrap();
        assert_eq!(onset(&scenario, sms, 3600.0, 30_600.0), None);
    }

    #[test]
    fn a_line_that_loses_all_looks_so_in_every_look_up() {
        let mut dns = Dns { servfail: 0.5, timeout: 0.5, ..Dns::default() };
        dns.lose(1.0);
        assert_eq!((dns.servfail, dns.timeout), (0.0, 1.0));
    }
}
