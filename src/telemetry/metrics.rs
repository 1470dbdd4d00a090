//! Metrics in Prometheus' text format: counters fed by the core's events, gauges drawn from its view when asked.
//!
//! Invariant: every label's values come from a closed list or from the configuration. The number of series is
//! bounded by gateways x probes x reasons, never by messages.

use crate::core::channel::GatewayId;
use crate::core::effect::Event;
use crate::core::evidence::{ProbeReport, Verdict};
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, Outcome};
use crate::core::record::{OutageOf, Overlay};
use crate::core::time::{Span, Timestamp};
use crate::core::view::{GatewayView, State, View};
use prometheus::{
    Counter, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    Opts, Registry, TextEncoder,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What stands in the label `reason` where a provider gave none because all went well.
const NO_REASON: &str = "none";
/// What stands in the label `reason` of a failover that no answer caused: a step's wait ran out.
const WAIT_RAN_OUT: &str = "wait_ran_out";

macro_rules! names {
    ($($variant:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        /// Every metric. The contract fixes the names.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Name { $(#[doc = $help] $variant,)* }

        impl Name {
            /// Every metric, in the contract's order.
            pub const ALL: &'static [Name] = &[$(Name::$variant),*];

            /// Returns the name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Name::$variant => $name,)* }
            }

            /// Returns what it says, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Name::$variant => $help,)* }
            }

            /// Returns its labels' names.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Name::$variant => &[$($label),*],)* }
            }
        }
    };
}

names! {
    GatewayState "wasl_gateway_state" ["gateway", "channel", "state"]
        "1 for the state that the gateway is in, 0 for the others.";
    GatewayHealth "wasl_gateway_health_ratio" ["gateway", "channel"]
        "The odds that a message sent through the gateway works, from 0 to 1.";
    GatewayTransitions "wasl_gateway_transitions_total" ["gateway", "to"] "Changes of a gateway's state.";
    ChannelUp "wasl_channel_up" ["channel"] "Whether the channel's best gateway is up.";
    ProbeSuccess "wasl_probe_success" ["gateway", "probe"] "Whether the probe's last result was not a failure.";
    ProbeDuration "wasl_probe_duration_seconds" ["gateway", "probe"] "How long the probe took last.";
    ProbeFailures "wasl_probe_failures_total" ["gateway", "probe", "reason"] "Probes that failed, by reason.";
    OutageActive "wasl_outage_active" ["gateway", "channel", "cause"]
        "1 for each outage that goes on; an outage of a whole channel has no gateway.";
    Outages "wasl_outages_total" [] "Outages declared.";
    OutageSeconds "wasl_outage_seconds_total" [] "Length of the outages that ended, from onset to recovery.";
    OutageDetection "wasl_outage_detection_seconds" [] "From the first bad sign to the declaration of an outage.";
    MessagesAccepted "wasl_messages_accepted_total" ["severity"] "Messages accepted.";
    Deliveries "wasl_deliveries" ["state"] "Deliveries that are not settled, by where they stand.";
    DeliveriesSettled "wasl_deliveries_settled_total" ["result"] "Deliveries that ended, by result.";
    Attempts "wasl_attempts_total" ["gateway", "outcome", "reason"] "Attempts that were answered.";
    Failovers "wasl_failovers_total" ["from", "to", "reason"] "Deliveries that left one gateway for another.";
    DeliverySeconds "wasl_delivery_seconds" ["channel"]
        "From acceptance to the settlement of a delivery that was handed to somebody.";
    OldestUndelivered "wasl_oldest_undelivered_seconds" ["severity"]
        "Age of the oldest delivery that is not settled; 0 where there is none.";
    DeadlineMissed "wasl_deadline_missed_total" [] "Deliveries not confirmed by their deadline.";
    DrillActive "wasl_drill_active" []
        "1 while a gateway is made to look down for a drill, or a delivery of an exercise is not settled.";
    DrillMessagesAccepted "wasl_drill_messages_accepted_total" ["severity"]
        "Exercises and tests accepted: no other figure of messages and deliveries counts them.";
    DrillDeliveriesSettled "wasl_drill_deliveries_settled_total" ["result"]
        "Deliveries of exercises and tests that ended, by result.";
    DrillDeadlineMissed "wasl_drill_deadline_missed_total" []
        "Deliveries of exercises and tests not confirmed by their deadline.";
    Canaries "wasl_canaries_total" ["gateway", "result"]
        "Messages to accounts of our own that came to their end: delivered, missed, refused.";
    ReceiptLag "wasl_receipt_lag_seconds" ["gateway"] "From a provider's answer to its receipt.";
    PolicyReload "wasl_policy_reload_success" [] "Whether the last reload of policies, probes and gateways was taken.";
    PolicyInfo "wasl_policy_info" ["hash"] "1 for the policy in force.";
    PolicyLastRule "wasl_policy_last_rule_total" []
        "Recipients for whom no written rule was, so that the built-in one was used.";
    StoreCommit "wasl_store_commit_seconds" [] "How long it took to make a group of turns durable.";
    StoreSize "wasl_store_size_bytes" ["store"] "Size on disk.";
    Hooks "wasl_hooks_total" ["gateway", "result"] "Calls of providers.";
    Notices "wasl_notices_total" ["result"]
        "Notices to operators: sent, left_out (silenced or too many), failed, nobody (there is no operator to tell).";
    CredentialExpiry "wasl_credential_expiry_timestamp_seconds" ["gateway"]
        "When the first of the certificates that the gateway shows runs out, in seconds since 1970.";
    QuotaRemaining "wasl_quota_remaining_ratio" ["gateway", "quota"] "What is left of a quota, from 0 to 1.";
    PeopleUnreachable "wasl_people_unreachable" [] "People of the address book to whom no gateway leads now.";
    UplinkUp "wasl_uplink_up" ["uplink"] "Whether our own line works.";
    ClockSkew "wasl_clock_skew_seconds" [] "How far the wall clock is ahead of the service's steady clock.";
}

/// What becomes of a notice.
pub const NOTICE_RESULTS: [&str; 4] = ["sent", "left_out", "failed", "nobody"];

/// Every collector.
pub struct Metrics {
    registry: Registry,
    gateway_state: GaugeVec,
    gateway_health: GaugeVec,
    gateway_transitions: IntCounterVec,
    channel_up: GaugeVec,
    probe_success: GaugeVec,
    probe_duration: GaugeVec,
    probe_failures: IntCounterVec,
    outage_active: GaugeVec,
    outages: IntCounter,
    outage_seconds: Counter,
    outage_detection: Histogram,
    messages_accepted: IntCounterVec,
    deliveries: GaugeVec,
    deliveries_settled: IntCounterVec,
    attempts: IntCounterVec,
    failovers: IntCounterVec,
    delivery_seconds: HistogramVec,
    oldest_undelivered: GaugeVec,
    deadline_missed: IntCounter,
    drill_active: Gauge,
    drill_messages_accepted: IntCounterVec,
    drill_deliveries_settled: IntCounterVec,
    drill_deadline_missed: IntCounter,
    canaries: IntCounterVec,
    receipt_lag: HistogramVec,
    policy_reload: Gauge,
    policy_info: GaugeVec,
    policy_last_rule: IntCounter,
    store_commit: Histogram,
    store_size: GaugeVec,
    hooks: IntCounterVec,
    notices: IntCounterVec,
    credential_expiry: GaugeVec,
    /// Until when each probe of a gateway saw its certificate valid.
    certificates: Mutex<BTreeMap<String, BTreeMap<String, Timestamp>>>,
    quota_remaining: GaugeVec,
    uplink_up: GaugeVec,
    people_unreachable: Gauge,
    clock_skew: Gauge,
}

/// What a scrape needs beside the view.
#[derive(Clone, Copy, Debug)]
pub struct Scrape {
    /// The service's time.
    pub now: Timestamp,
    /// How far the wall clock is ahead of it.
    pub skew: Span,
    /// How many people no gateway leads to.
    pub people_unreachable: u64,
    /// Bytes of the outbox on disk.
    pub outbox_bytes: u64,
    /// Bytes of reachability on disk.
    pub reachability_bytes: u64,
}

/// From a quick answer on loopback to a night without a network. The same for deliveries and receipts.
const DELIVERY_BUCKETS: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0];
/// A commit takes a fraction of a millisecond on a good disk and a second on a bad one.
const COMMIT_BUCKETS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// The dwell alone takes 20 s by default.
const DETECTION_BUCKETS: &[f64] = &[1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0];

impl Metrics {
    /// Builds every collector, with the series that are known from the start at zero.
    pub fn new() -> Metrics {
        let registry = Registry::new();
        let r = &registry;
        let metrics = Metrics {
            gateway_state: gauges(r, Name::GatewayState),
            gateway_health: gauges(r, Name::GatewayHealth),
            gateway_transitions: counters(r, Name::GatewayTransitions),
            channel_up: gauges(r, Name::ChannelUp),
            probe_success: gauges(r, Name::ProbeSuccess),
            probe_duration: gauges(r, Name::ProbeDuration),
            probe_failures: counters(r, Name::ProbeFailures),
            outage_active: gauges(r, Name::OutageActive),
            outages: counter(r, Name::Outages),
            outage_seconds: register(r, Counter::with_opts(opts(Name::OutageSeconds))),
            outage_detection: histogram(r, Name::OutageDetection, DETECTION_BUCKETS),
            messages_accepted: counters(r, Name::MessagesAccepted),
            deliveries: gauges(r, Name::Deliveries),
            deliveries_settled: counters(r, Name::DeliveriesSettled),
            attempts: counters(r, Name::Attempts),
            failovers: counters(r, Name::Failovers),
            delivery_seconds: histograms(r, Name::DeliverySeconds, DELIVERY_BUCKETS),
            oldest_undelivered: gauges(r, Name::OldestUndelivered),
            deadline_missed: counter(r, Name::DeadlineMissed),
            drill_active: gauge(r, Name::DrillActive),
            drill_messages_accepted: counters(r, Name::DrillMessagesAccepted),
            drill_deliveries_settled: counters(r, Name::DrillDeliveriesSettled),
            drill_deadline_missed: counter(r, Name::DrillDeadlineMissed),
            canaries: counters(r, Name::Canaries),
            receipt_lag: histograms(r, Name::ReceiptLag, DELIVERY_BUCKETS),
            policy_reload: gauge(r, Name::PolicyReload),
            policy_info: gauges(r, Name::PolicyInfo),
            policy_last_rule: counter(r, Name::PolicyLastRule),
            store_commit: histogram(r, Name::StoreCommit, COMMIT_BUCKETS),
            store_size: gauges(r, Name::StoreSize),
            hooks: counters(r, Name::Hooks),
            notices: counters(r, Name::Notices),
            credential_expiry: gauges(r, Name::CredentialExpiry),
            certificates: Mutex::default(),
            quota_remaining: gauges(r, Name::QuotaRemaining),
            uplink_up: gauges(r, Name::UplinkUp),
            people_unreachable: gauge(r, Name::PeopleUnreachable),
            clock_skew: gauge(r, Name::ClockSkew),
            registry,
        };
        for severity in Severity::ALL {
            metrics.messages_accepted.with_label_values(&[severity.name()]);
            metrics.drill_messages_accepted.with_label_values(&[severity.name()]);
        }
        for result in DeliveryResult::ALL {
            metrics.deliveries_settled.with_label_values(&[result.name()]);
            metrics.drill_deliveries_settled.with_label_values(&[result.name()]);
        }
        for result in NOTICE_RESULTS {
            metrics.notices.with_label_values(&[result]);
        }
        metrics.policy_reload.set(1.0);
        metrics
    }

    /// Counts an event. `name_of` gives a gateway's configured name.
    pub fn event(&self, event: &Event, name_of: &dyn Fn(GatewayId) -> String) {
        match event {
            // Figures of drills are kept apart.
            Event::Accepted { severity, drill: true, .. } => {
                self.drill_messages_accepted.with_label_values(&[severity.name()]).inc();
            }
            Event::Settled { result, drill: true, .. } => {
                self.drill_deliveries_settled.with_label_values(&[result.name()]).inc();
            }
            Event::DeadlineMissed { deliveries, drill: true, .. } => {
                self.drill_deadline_missed.inc_by(u64::from(*deliveries));
            }
            Event::Failover { drill: true, .. } => {}
            Event::Accepted { severity, by_last_rule, .. } => {
                self.messages_accepted.with_label_values(&[severity.name()]).inc();
                self.policy_last_rule.inc_by(u64::from(*by_last_rule));
            }
            Event::Answered { gateway, outcome, .. } => self.answered(&name_of(*gateway), outcome),
            Event::Failover { from, to, reason, .. } => {
                let reason = reason.map_or(WAIT_RAN_OUT, |r| r.name());
                self.failovers.with_label_values(&[name_of(*from).as_str(), &name_of(*to), reason]).inc();
            }
            Event::Canary { gateway, result, .. } => {
                self.canaries.with_label_values(&[name_of(*gateway).as_str(), result.name()]).inc();
            }
            Event::Receipt { gateway, lag, .. } => {
                self.receipt_lag.with_label_values(&[name_of(*gateway)]).observe(lag.secs_f64());
            }
            Event::Settled { result, channel, took, .. } => {
                self.deliveries_settled.with_label_values(&[result.name()]).inc();
                if let Some(channel) = channel {
                    self.delivery_seconds.with_label_values(&[channel.name()]).observe(took.secs_f64());
                }
            }
            Event::DeadlineMissed { deliveries, .. } => self.deadline_missed.inc_by(u64::from(*deliveries)),
            Event::State { gateway, to, .. } => {
                self.gateway_transitions.with_label_values(&[name_of(*gateway).as_str(), to.name()]).inc();
            }
            Event::OutageOpened { detection, .. } => {
                self.outages.inc();
                self.outage_detection.observe(detection.secs_f64());
            }
            Event::OutageClosed { lasted, .. } => self.outage_seconds.inc_by(lasted.secs_f64()),
            Event::PolicyInForce { hash } => self.policy_in_force(hash),
            Event::StrayReceipt { .. }
            | Event::OutageTurned { .. }
            | Event::Replied { .. }
            | Event::NeedHelp { .. }
            | Event::HelpErased { .. }
            | Event::Uplink { .. }
            | Event::Overlay { .. }
            | Event::ClockJumped { .. } => {}
        }
    }

    /// Counts a probe's result.
    pub fn probe(&self, report: &ProbeReport, certificate_until: Option<Timestamp>, gateway: &str) {
        if let Verdict::Failed(reason) = report.verdict {
            self.probe_failures.with_label_values(&[gateway, &report.probe, reason.name()]).inc();
        }
        // One that came to no certificate this time says nothing of the one that it saw.
        if let Some(until) = certificate_until {
            self.certificates().entry(gateway.to_owned()).or_default().insert(report.probe.clone(), until);
        }
    }

    fn certificates(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Timestamp>>> {
        // Nothing that could panic runs under the lock half-way through a change.
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a provider's call. The result is one of the closed list of `HookAnswer::result`.
    pub fn hook(&self, gateway: &str, result: &'static str) {
        self.hooks.with_label_values(&[gateway, result]).inc();
    }

    /// Counts a notice to operators, by one of [`NOTICE_RESULTS`].
    pub fn notice(&self, result: &'static str) {
        self.notices.with_label_values(&[result]).inc();
    }

    /// Counts a commit.
    pub fn committed(&self, took: Duration) {
        self.store_commit.observe(took.as_secs_f64());
    }

    /// Says whether the last reload was taken. The probes may be others then: they tell of the certificates anew.
    pub fn reloaded(&self, taken: bool) {
        if taken {
            self.certificates().clear();
        }
        self.policy_reload.set(if taken { 1.0 } else { 0.0 });
    }

    /// Names the policy in force.
    pub fn policy_in_force(&self, hash: &str) {
        self.policy_info.reset();
        self.policy_info.with_label_values(&[hash]).set(1.0);
    }

    /// Draws the view's gauges and returns everything in Prometheus' text format.
    pub fn render(&self, view: &View, scrape: Scrape) -> String {
        self.draw(view, scrape);
        let mut text = Vec::new();
        // Writing to memory cannot fail, and every family was checked when it was registered.
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics could not be written");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn answered(&self, gateway: &str, outcome: &Outcome) {
        let reason = outcome.reason().map_or(NO_REASON, |r| r.name());
        self.attempts.with_label_values(&[gateway, outcome.name(), reason]).inc();
    }

    fn draw(&self, view: &View, scrape: Scrape) {
        for gauges in [
            &self.gateway_state,
            &self.gateway_health,
            &self.channel_up,
            &self.probe_success,
            &self.probe_duration,
            &self.outage_active,
            &self.credential_expiry,
            &self.quota_remaining,
            &self.uplink_up,
        ] {
            gauges.reset();
        }
        view.gateways.iter().filter(|g| g.configured).for_each(|g| self.draw_gateway(g));
        for channel in &view.channels {
            let up = channel.state == State::Up;
            self.channel_up.with_label_values(&[channel.channel.name()]).set(f64::from(u8::from(up)));
        }
        for outage in view.outages.iter().filter(|o| o.recovered.is_none()) {
            let gateway = match &outage.of {
                OutageOf::Gateway(name) | OutageOf::Slice { gateway: name, .. } => name.as_str(),
                OutageOf::Channel(_) | OutageOf::Region(_) | OutageOf::Domain(_) => "",
                // Our own line has its own metric.
                OutageOf::Uplink(_) => continue,
            };
            let channel = if outage.is_of_channel() { outage.channel.name() } else { "" };
            let labels = [gateway, channel, outage.cause.name()];
            self.outage_active.with_label_values(&labels).set(1.0);
        }
        for uplink in &view.uplinks {
            let up = f64::from(u8::from(uplink.up));
            self.uplink_up.with_label_values(&[uplink.name.as_str()]).set(up);
        }
        self.draw_outbox(view, scrape.now);
        self.store_size.with_label_values(&["outbox"]).set(scrape.outbox_bytes as f64);
        self.store_size.with_label_values(&["reachability"]).set(scrape.reachability_bytes as f64);
        self.people_unreachable.set(scrape.people_unreachable as f64);
        self.clock_skew.set(scrape.skew.secs_f64());
    }

    fn draw_gateway(&self, gateway: &GatewayView) {
        let (name, channel) = (gateway.name.as_str(), gateway.channel.name());
        for state in State::ALL {
            let is = f64::from(u8::from(gateway.state == state));
            self.gateway_state.with_label_values(&[name, channel, state.name()]).set(is);
        }
        self.gateway_health.with_label_values(&[name, channel]).set(gateway.health);
        // What a provider says of itself is no success of a probe and no failure: a green page must not look like one.
        for probe in gateway.probes.iter().filter(|probe| !probe.verdict.is_hearsay()) {
            let labels = [name, probe.name.as_str()];
            let fine = f64::from(u8::from(!probe.verdict.failed()));
            self.probe_success.with_label_values(&labels).set(fine);
            self.probe_duration.with_label_values(&labels).set(probe.took.secs_f64());
        }
        if let Some(until) = self.certificates().get(name).and_then(|seen| seen.values().min().copied()) {
            self.credential_expiry.with_label_values(&[name]).set(until.ms() as f64 / 1_000.0);
        }
        for (quota, left) in &gateway.quotas {
            self.quota_remaining.with_label_values(&[name, quota.as_str()]).set(*left);
        }
    }

    fn draw_outbox(&self, view: &View, now: Timestamp) {
        let counts = &view.deliveries;
        for (state, count) in [
            ("waiting", counts.waiting),
            ("backing_off", counts.backing_off),
            ("in_flight", counts.in_flight),
            ("unconfirmed", counts.unconfirmed),
            ("late", counts.late),
            ("materialising", counts.materialising),
        ] {
            self.deliveries.with_label_values(&[state]).set(count as f64);
        }
        let drilled =
            view.gateways.iter().filter_map(|gateway| gateway.overlay.as_ref()).any(Overlay::is_drill);
        self.drill_active.set(f64::from(u8::from(drilled || view.drill_deliveries.open() > 0)));
        for (severity, since) in Severity::ALL.iter().zip(view.oldest) {
            let age = since.map_or(0.0, |since| now.since(since).secs_f64());
            self.oldest_undelivered.with_label_values(&[severity.name()]).set(age);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

fn opts(name: Name) -> Opts {
    Opts::new(name.name(), name.help())
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("every name and label in the list is valid; a test builds them all");
    registry.register(Box::new(collector.clone())).expect("every name in the list is there once");
    collector
}

fn counter(registry: &Registry, name: Name) -> IntCounter {
    register(registry, IntCounter::with_opts(opts(name)))
}

fn counters(registry: &Registry, name: Name) -> IntCounterVec {
    register(registry, IntCounterVec::new(opts(name), name.labels()))
}

fn gauge(registry: &Registry, name: Name) -> Gauge {
    register(registry, Gauge::with_opts(opts(name)))
}

fn gauges(registry: &Registry, name: Name) -> GaugeVec {
    register(registry, GaugeVec::new(opts(name), name.labels()))
}

fn histogram(registry: &Registry, name: Name, buckets: &[f64]) -> Histogram {
    register(registry, Histogram::with_opts(HistogramOpts::from(opts(name)).buckets(buckets.to_vec())))
}

fn histograms(registry: &Registry, name: Name, buckets: &[f64]) -> HistogramVec {
    let opts = HistogramOpts::from(opts(name)).buckets(buckets.to_vec());
    register(registry, HistogramVec::new(opts, name.labels()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::outcome::Reason;
    use crate::core::{Core, CoreConfig, policy::Policy};
    use std::sync::Arc;

    fn view() -> View {
        let config = CoreConfig { shard: 0, seed: 1, dwell: Span::from_secs(20), uplinks: vec![] };
        let now = Timestamp::from_ms(1_000_000);
        Core::new(config, vec![], Arc::new(Policy::built_in()), now).view(now)
    }

    fn scrape() -> Scrape {
        let now = Timestamp::from_ms(1_000_000);
        Scrape {
            now,
            skew: Span::from_ms(250),
            people_unreachable: 3,
            outbox_bytes: 7,
            reachability_bytes: 9,
        }
    }

    #[test]
    fn every_name_follows_the_conventions() {
        for name in Name::ALL {
            let text = name.name();
            assert!(
                text.starts_with("wasl_") && text.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{text}"
            );
            assert!(name.help().ends_with('.'), "{text} says what it is in a sentence");
        }
    }

    #[test]
    fn events_are_counted_by_configured_names() {
        let metrics = Metrics::new();
        let name_of = |_: GatewayId| "wa".to_string();
        let outcome = Outcome::Rejected { reason: Reason::Throttled };
        let attempt = "01HX0000000000000000000000-0-1".parse().unwrap();
        metrics
            .event(&Event::Answered { attempt, gateway: GatewayId(0), outcome, took: Span::ZERO }, &name_of);
        metrics.event(&Event::PolicyInForce { hash: "aa".into() }, &name_of);
        metrics.event(&Event::PolicyInForce { hash: "bb".into() }, &name_of);
        let text = metrics.render(&view(), scrape());
        assert!(
            text.contains(r#"wasl_attempts_total{gateway="wa",outcome="rejected",reason="throttled"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"wasl_policy_info{hash="bb"} 1"#) && !text.contains("\"aa\""));
        assert!(text.contains("wasl_clock_skew_seconds 0.25"));
        assert!(text.contains(r#"wasl_store_size_bytes{store="outbox"} 7"#));
    }
}
