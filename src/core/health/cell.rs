//! A path cell: one gateway as seen from here. Is it dead, refusing, flaky?
//!
//! Fed by probes, sends and the adapter's own link. Routing uses the needles at once; only the declared outage
//! waits for the dwell.

use super::needle::{CEILING, DECLARE, DOUBT, FAILED, FINE, FLAKY_FAILED, FLAKY_FINE, Needle};
use super::worth::{Worth, worth};
use crate::core::evidence::{Layer, ProbeReport, Verdict};
use crate::core::hearsay::Hearsay;
use crate::core::outcome::{Outcome, Reason};
use crate::core::record::{Needles, Sign};
use crate::core::time::{Span, Timestamp};
use crate::core::view::{ProbeView, State};

/// How many states a cell remembers for the strip on the page.
const HISTORY_MAX: usize = 60;
/// How many probes of one gateway are remembered by name.
const PROBES_MAX: usize = 16;
/// After so many good observations a recovering gateway is up. Cites: detection design, return after 5.
const RETURN_AFTER: u8 = 5;
/// Evidence is valid for so many of its intervals, but never shorter than [`VALID_MIN`].
const VALID_INTERVALS: i64 = 3;
const VALID_MIN: Span = Span::from_secs(10);
/// As far as "limited" alone can move *flaky*: in doubt for as long as it is said, and never declared for it.
const LIMITED_MOST: i32 = DECLARE - 1;
/// How long the evidence of a send is valid.
const SEND_VALID: Span = Span::from_mins(5);

/// How much one more send moves the share of those that are taken.
const TAKEN_STEP: f32 = 0.1;
/// See [`Cell::penalise`].
const PENALTY_HALVES: Span = Span::from_mins(15);
const SUPPRESS_ABOVE: f32 = 2.0;
const REUSE_BELOW: f32 = 0.75;
const DAMPED_MAX: Span = Span::from_hours(1);
/// What is believed of it when it goes down: five failures more, and it is left alone.
const TAKEN_FALLEN: f32 = 0.5;

/// One gateway's health.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    dead: Needle,
    refused: Needle,
    flaky: Needle,
    /// What missing receipts say, over all regions.
    swallowing: Needle,
    /// Outcomes of one second are one observation: what that second has added so far.
    second: Second,
    state: State,
    since: Timestamp,
    /// Whether it went down and has not come back up.
    fallen: bool,
    good_probes: u8,
    good_sends: u8,
    valid_until: Timestamp,
    /// The first bad sign of the present trouble.
    onset: Option<Timestamp>,
    reason: Option<Reason>,
    layer: Option<Layer>,
    probes: Vec<(ProbeView, Span)>,
    history: Vec<(Timestamp, State)>,
    /// Attempts that failed since the onset, and why the last did.
    attempts_failed: u32,
    attempts_why: Option<Reason>,
    /// Probes that failed since the onset, and where and why the last did.
    probes_failed: u32,
    probes_why: Option<(Option<Layer>, Reason)>,
    /// A cause that needs no statistics: set down at once.
    certain: Option<Refuser>,
    /// What its provider says of itself.
    hearsay: Hearsay,
    /// The share of sends that it takes, the last ones counting most.
    taken: f32,
    /// How often it went down lately, and when that was counted last.
    penalty: (f32, Timestamp),
    /// Until when it is not taken for up again, because it went down too often.
    damped_until: Option<Timestamp>,
}

/// Who was told that our credentials are refused.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Refuser {
    /// A probe, by name: it is also the one that can refute it.
    Probe(String),
    /// An attempt, or the standing connection.
    Traffic,
}

/// The sends of one second.
#[derive(Clone, Debug, Default)]
struct Second {
    number: i64,
    dead_failed: i32,
    refused_failed: i32,
    fine: i32,
    answered: i32,
    neutral: i32,
    /// What these sends have moved the needles by so far: dead, refused, flaky.
    moved: [i32; 3],
}

/// A change of state, with what it was and what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Changed {
    pub(crate) from: State,
    pub(crate) to: State,
}

impl Cell {
    /// Starts without evidence.
    pub(crate) fn new(now: Timestamp) -> Cell {
        Cell {
            dead: Needle::default(),
            refused: Needle::default(),
            flaky: Needle::default(),
            swallowing: Needle::default(),
            second: Second::default(),
            state: State::Unknown,
            since: now,
            fallen: false,
            good_probes: 0,
            good_sends: 0,
            valid_until: now,
            onset: None,
            reason: None,
            layer: None,
            probes: Vec::new(),
            history: vec![(now, State::Unknown)],
            attempts_failed: 0,
            attempts_why: None,
            probes_failed: 0,
            probes_why: None,
            certain: None,
            hearsay: Hearsay::default(),
            taken: 1.0,
            penalty: (0.0, now),
            damped_until: None,
        }
    }

    /// Takes what was remembered over a restart; an outage is not forgotten.
    pub(crate) fn remember(&mut self, needles: &Needles, now: Timestamp) {
        self.dead.set(needles.dead as i32, now);
        self.refused.set(needles.refused as i32, now);
        self.flaky.set(needles.flaky as i32, now);
        self.penalty = (needles.penalty as f32 / 100.0, needles.at);
        self.damped_until = needles.damped_until;
        if let Some(since) = needles.down_since {
            self.fallen = true;
            self.onset = Some(since);
            self.enter(State::Down, since);
        }
    }

    /// Returns what is to be remembered of its health.
    pub(crate) fn needles(&self, now: Timestamp) -> Needles {
        Needles {
            dead: self.dead.value() as u32,
            refused: self.refused.value() as u32,
            flaky: self.flaky.value() as u32,
            at: now,
            down_since: self.fallen.then_some(self.onset.unwrap_or(self.since)),
            penalty: (self.penalty_at(now) * 100.0) as u32,
            damped_until: self.damped_until,
            ..Needles::default()
        }
    }

    /// Takes a probe's result. `void`: our own line is down, so that it says nothing about the gateway.
    pub(crate) fn probe(&mut self, report: &ProbeReport, void: bool, now: Timestamp) {
        self.keep_probe(report, now);
        let valid = Span::from_ms(report.interval.ms() * VALID_INTERVALS).max(VALID_MIN);
        if let Verdict::Says(told) = &report.verdict {
            // A page is read over the very line that is judged: where it was read, its word counts.
            self.hearsay.hear(&report.probe, told.word(), now + valid);
        }
        if void || matches!(report.verdict, Verdict::Noted(_)) || report.verdict.is_hearsay() {
            return;
        }
        self.valid_until = self.valid_until.max(now + valid);
        match &report.verdict {
            Verdict::Failed(reason) => {
                self.bad_sign(*reason, report.failed_at(), now);
                self.probes_failed = self.probes_failed.saturating_add(1);
                self.probes_why = Some((report.failed_at(), *reason));
                if *reason == Reason::Credentials {
                    self.make_certain(Refuser::Probe(report.probe.clone()), now);
                }
                self.dead.add(FAILED, now);
                self.flaky.add(FLAKY_FAILED, now);
            }
            Verdict::Limited(reason) => {
                // It works for some: doubt on its own account, never enough to declare.
                self.reason = Some(*reason);
                self.dead.add(FINE, now);
                let most = LIMITED_MOST.max(self.flaky.value());
                self.flaky.set((self.flaky.value() + FLAKY_FAILED).min(most), now);
            }
            Verdict::Noted(_) | Verdict::Says(_) | Verdict::Silent(_) => {}
            Verdict::Fine => {
                match &self.certain {
                    // The very check that was refused is let in: that is refuted, whatever made it so.
                    Some(Refuser::Probe(name)) if *name == report.probe => self.let_in(now),
                    // Another may not have shown any credentials at all.
                    Some(Refuser::Traffic) if report.aims_at == Layer::Api => self.certain = None,
                    _ => {}
                }
                self.dead.add(FINE, now);
                self.flaky.add(FLAKY_FINE, now);
                self.good_probes = self.good_probes.saturating_add(1);
                self.come_back(now);
            }
        }
    }

    /// Takes a gateway's answer to an attempt.
    pub(crate) fn outcome(&mut self, outcome: &Outcome, void: bool, now: Timestamp) {
        if void {
            return;
        }
        self.valid_until = self.valid_until.max(now + SEND_VALID);
        let worth = worth(outcome);
        let took = if matches!(worth, Worth::Dead(_) | Worth::Refused(_)) { 0.0 } else { 1.0 };
        self.taken += (took - self.taken) * TAKEN_STEP;
        match worth {
            Worth::Fine => {
                self.certain = None;
                self.in_second(now).fine += 1;
                self.good_sends = self.good_sends.saturating_add(1);
            }
            Worth::Answered => self.in_second(now).answered += 1,
            Worth::Neutral => self.in_second(now).neutral += 1,
            Worth::Dead(reason) => {
                self.attempt_failed(reason, None, now);
                self.in_second(now).dead_failed += 1;
            }
            Worth::Refused(reason) => {
                self.attempt_failed(reason, Some(Layer::Api), now);
                if reason == Reason::Credentials {
                    self.make_certain(Refuser::Traffic, now);
                }
                self.in_second(now).refused_failed += 1;
            }
        }
        self.weigh_second(now);
        self.come_back(now);
    }

    /// Takes the state of the adapter's standing connection.
    pub(crate) fn link(&mut self, down: Option<Reason>, void: bool, now: Timestamp) {
        if void {
            return;
        }
        match down {
            // Our own doing: it says nothing of the gateway, neither good nor bad.
            Some(Reason::Busy | Reason::Restart) => {}
            Some(reason) => {
                self.bad_sign(reason, Some(Layer::Api), now);
                if reason == Reason::Credentials {
                    self.make_certain(Refuser::Traffic, now);
                }
                self.dead.add(FAILED, now);
            }
            None => {
                self.valid_until = self.valid_until.max(now + SEND_VALID);
                // The connection was let in with the credentials that were refused before, also where a probe that shows
                // none has been fine meanwhile.
                if self.certain.is_some() || self.reason == Some(Reason::Credentials) {
                    self.let_in(now);
                }
                self.dead.add(FINE, now);
            }
        }
    }

    /// Takes what missing receipts say against it.
    pub(crate) fn silence(&mut self, needle: i32, now: Timestamp) {
        if needle >= DOUBT && self.swallowing.value() < DOUBT {
            self.bad_sign(Reason::ReceiptsMissing, None, now);
        }
        self.swallowing.set(needle, now);
    }

    /// Forgets what was seen while our own line was falling. Returns how many attempts had failed: the line's, as it
    /// turns out.
    pub(crate) fn void_recent(&mut self, now: Timestamp) -> u32 {
        if self.fallen {
            return 0;
        }
        for needle in [&mut self.dead, &mut self.refused, &mut self.flaky, &mut self.swallowing] {
            needle.set(0, now);
        }
        self.onset = None;
        self.reason = None;
        self.layer = None;
        self.valid_until = now;
        self.certain = None;
        self.second = Second::default();
        std::mem::take(&mut self.attempts_failed)
    }

    /// Judges the state anew. `may_declare`: no verdict is opened while the line is down or just back.
    pub(crate) fn judge(&mut self, dwell: Span, may_declare: bool, now: Timestamp) -> Option<Changed> {
        let from = self.state;
        self.hearsay.forget(now);
        let doubt = self.suspicion() >= DOUBT;
        let dwelt = self.leaning().iter().any(|(needle, lean)| needle.declares(*lean, dwell, now));
        let declared = may_declare && (self.certain.is_some() || dwelt);
        let to = match (self.fallen, doubt, declared) {
            (true, true, _) => State::Down,
            (true, false, _)
                if from == State::Recovering && self.good() >= RETURN_AFTER && !self.is_damped(now) =>
            {
                State::Up
            }
            (true, false, _) => State::Recovering,
            (false, _, true) => State::Down,
            (false, true, false) => State::Degraded,
            (false, false, false) if now > self.valid_until => State::Unknown,
            (false, false, false) => State::Up,
        };
        if to == from {
            return None;
        }
        match to {
            State::Down => {
                self.fallen = true;
                // What it took before says little of now.
                self.taken = self.taken.min(TAKEN_FALLEN);
                if from != State::Recovering {
                    self.penalise(now);
                }
            }
            State::Recovering => (self.good_probes, self.good_sends) = (0, 0),
            State::Up => {
                self.fallen = false;
                self.onset = None;
                self.reason = None;
                self.layer = None;
                (self.attempts_failed, self.probes_failed) = (0, 0);
            }
            _ => {}
        }
        self.enter(to, now);
        Some(Changed { from, to })
    }

    /// Returns when [`Cell::judge`] may come to another verdict without new evidence.
    pub(crate) fn next_judgement(&self, dwell: Span) -> Option<Timestamp> {
        let declare = match self.fallen {
            true => None,
            false => self.leaning().iter().filter_map(|(n, lean)| n.declares_at(*lean, dwell)).min(),
        };
        let lapse = (self.state == State::Up).then_some(self.valid_until + Span::from_ms(1));
        let damped = self.damped_until.filter(|_| self.state == State::Recovering);
        declare.into_iter().chain(lapse).chain(damped).chain(self.hearsay.lapses_at()).min()
    }

    /// Counts a fall. Cites: RFC 2439's penalties, rescaled by the design: half-life 15 min, suppressed above 2 until
    /// below 0.75, an hour at most.
    fn penalise(&mut self, now: Timestamp) {
        let penalty = self.penalty_at(now) + 1.0;
        self.penalty = (penalty, now);
        if penalty > SUPPRESS_ABOVE {
            let secs = PENALTY_HALVES.secs_f64() * f64::from((penalty / REUSE_BELOW).log2());
            self.damped_until = Some(now + Span::from_ms((secs * 1000.0) as i64).min(DAMPED_MAX));
        }
    }

    fn penalty_at(&self, now: Timestamp) -> f32 {
        let (penalty, at) = self.penalty;
        let halves = now.since(at).secs_f64() / PENALTY_HALVES.secs_f64();
        penalty * 0.5_f32.powf(halves as f32)
    }

    /// Says whether it came and went too often lately to be taken for up. It is still used as one that is in doubt is:
    /// where nothing better is left, and now and then to see.
    fn is_damped(&self, now: Timestamp) -> bool {
        self.damped_until.is_some_and(|until| until > now)
    }

    /// Returns the share of sends that it takes.
    pub(crate) fn taken(&self) -> f32 {
        self.taken
    }

    /// Returns the worst needle, in hundredths of a deciban.
    pub(crate) fn worst(&self) -> i32 {
        self.all().iter().map(|n| n.value()).max().unwrap_or(0)
    }

    /// Returns the worst needle with what its provider says against it. One that has fallen comes back by what we see alone:
    /// pages are slow to turn green.
    pub(crate) fn suspicion(&self) -> i32 {
        self.worst() + if self.fallen { 0 } else { self.hearsay.lean() }
    }

    /// Returns each needle with what leans on it when an outage is declared. Nothing leans on *flaky*: what "limited" may
    /// not bring about alone, the same provider's page is not to bring about with it.
    fn leaning(&self) -> [(&Needle, i32); 4] {
        let lean = self.hearsay.lean();
        [(&self.dead, lean), (&self.refused, lean), (&self.flaky, 0), (&self.swallowing, 0)]
    }

    /// Returns what speaks against it since the onset, by probes, attempts and its provider.
    pub(crate) fn signs(&self) -> Vec<Sign> {
        let probes = self.probes_why.filter(|_| self.probes_failed > 0);
        let attempts = self.attempts_why.filter(|_| self.attempts_failed > 0);
        let probes = probes.map(|(layer, reason)| Sign::Probes { failed: self.probes_failed, layer, reason });
        let attempts = attempts.map(|reason| Sign::Attempts { failed: self.attempts_failed, reason });
        let told = (self.hearsay.lean() > 0).then_some(Sign::Provider);
        probes.into_iter().chain(attempts).chain(told).collect()
    }

    /// Says whether probes or sends speak against it, whatever receipts say.
    pub(crate) fn path_in_doubt(&self) -> bool {
        [&self.dead, &self.refused, &self.flaky].iter().any(|needle| needle.value() >= DOUBT)
    }

    /// Returns the three needles: dead, refused, flaky.
    pub(crate) fn values(&self) -> [u32; 3] {
        [&self.dead, &self.refused, &self.flaky].map(|n| n.value() as u32)
    }

    /// Says whether probes speak well of it, whatever sends say.
    pub(crate) fn answers(&self) -> bool {
        self.dead.value() < DOUBT
    }

    /// Returns the odds that a send works now, as a share: 0.99 with calm needles, one half at the edge of doubt.
    pub(crate) fn health(&self) -> f64 {
        let decibans = f64::from(self.suspicion() - DOUBT) / 100.0;
        1.0 / (1.0 + 10f64.powf(decibans / 10.0))
    }

    /// Says whether its latest probe or its needle speaks of a failure.
    pub(crate) fn failing(&self) -> bool {
        self.dead.value() >= DOUBT || self.probes.iter().any(|(p, _)| p.verdict.failed())
    }

    /// Says whether its trouble has a cause that needs no statistics.
    pub(crate) fn certain(&self) -> bool {
        self.certain.is_some()
    }

    /// Says whether anything is known of it.
    pub(crate) fn seen(&self) -> bool {
        self.probes.iter().any(|(probe, _)| !probe.verdict.is_hearsay()) || self.worst() > 0
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    pub(crate) fn onset(&self) -> Option<Timestamp> {
        self.onset
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason
    }

    pub(crate) fn layer(&self) -> Option<Layer> {
        self.layer
    }

    /// Returns how many attempts failed since the onset.
    pub(crate) fn attempts_failed(&self) -> u32 {
        self.attempts_failed
    }

    pub(crate) fn history(&self) -> &[(Timestamp, State)] {
        &self.history
    }

    /// Returns its probes, each with whether its evidence is still valid.
    pub(crate) fn probes(&self, now: Timestamp) -> Vec<ProbeView> {
        self.probes
            .iter()
            .map(|(view, valid_for)| ProbeView { valid: now <= view.at + *valid_for, ..view.clone() })
            .collect()
    }

    fn all(&self) -> [&Needle; 4] {
        [&self.dead, &self.refused, &self.flaky, &self.swallowing]
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
        if self.history.len() == HISTORY_MAX {
            self.history.remove(0);
        }
        self.history.push((now, state));
    }

    fn attempt_failed(&mut self, reason: Reason, layer: Option<Layer>, now: Timestamp) {
        self.bad_sign(reason, layer, now);
        self.attempts_failed = self.attempts_failed.saturating_add(1);
        self.attempts_why = Some(reason);
    }

    fn bad_sign(&mut self, reason: Reason, layer: Option<Layer>, now: Timestamp) {
        (self.good_probes, self.good_sends) = (0, 0);
        if self.onset.is_none() || (!self.fallen && self.worst() < FAILED / 4) {
            self.onset = Some(now);
            (self.attempts_failed, self.probes_failed) = (0, 0);
        }
        self.reason = Some(reason);
        self.layer = layer.or(self.layer);
    }

    fn good(&self) -> u8 {
        self.good_probes.saturating_add(self.good_sends)
    }

    /// Lets a fallen gateway come back: the estimate of a cell that is down does not heal by time, but five good
    /// observations in a row end it. What no probe lowers (*refused*) asks for five sends.
    fn come_back(&mut self, now: Timestamp) {
        if !self.fallen && self.state != State::Degraded || self.dead.value() >= DOUBT {
            return;
        }
        if self.good_sends >= RETURN_AFTER {
            self.refused.set(0, now);
        }
        if self.fallen && self.good() >= RETURN_AFTER {
            self.flaky.set(0, now);
        }
    }

    fn make_certain(&mut self, by: Refuser, now: Timestamp) {
        self.certain = Some(by);
        self.refused.set(CEILING, now);
    }

    /// The credentials that were refused are taken.
    fn let_in(&mut self, now: Timestamp) {
        self.certain = None;
        self.refused.set(0, now);
    }

    /// Opens the second of `now`, if it is another than the last.
    fn in_second(&mut self, now: Timestamp) -> &mut Second {
        let number = now.ms().div_euclid(1000);
        if self.second.number != number {
            self.second = Second { number, ..Second::default() };
        }
        &mut self.second
    }

    /// Weighs the second's sends as one observation, their mean, in place of what they weighed before. So the first
    /// failure counts at once, and a thousand in one second count as one.
    fn weigh_second(&mut self, now: Timestamp) {
        let Second { dead_failed, refused_failed, fine, answered, neutral, moved, .. } = self.second;
        let all = (dead_failed + refused_failed + fine + answered + neutral).max(1);
        let worth = [
            dead_failed * FAILED + (fine + answered + neutral + refused_failed) * FINE,
            // Who says that somebody is no user of his has taken the request and looked: he does not refuse.
            refused_failed * FAILED + (fine + answered) * FINE,
            (dead_failed + refused_failed) * FLAKY_FAILED + (fine + answered) * FLAKY_FINE,
        ];
        let needles = [&mut self.dead, &mut self.refused, &mut self.flaky];
        for (place, needle) in needles.into_iter().enumerate() {
            let before = needle.value() - moved[place];
            needle.set(before + worth[place] / all, now);
            self.second.moved[place] = needle.value() - before;
        }
        if self.certain.is_some() {
            self.refused.set(CEILING, now);
        }
    }

    fn keep_probe(&mut self, report: &ProbeReport, now: Timestamp) {
        let view = ProbeView {
            name: report.probe.clone(),
            layer: report.aims_at,
            reached: report.reached,
            verdict: report.verdict.clone(),
            at: now,
            took: report.took,
            phases: report.phases.clone(),
            valid: true,
        };
        let valid_for = Span::from_ms(report.interval.ms() * VALID_INTERVALS).max(VALID_MIN);
        match self.probes.iter().position(|(p, _)| p.name == report.probe) {
            Some(place) => self.probes[place] = (view, valid_for),
            None if self.probes.len() < PROBES_MAX => self.probes.push((view, valid_for)),
            None => self.probes[0] = (view, valid_for),
        }
    }
}

#[cfg(test)]
mod tests;
