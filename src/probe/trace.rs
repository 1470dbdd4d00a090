//! What a probe leaves behind as it goes deeper: how long each layer took, and how far it came.
//!
//! Invariant: after a failure the last phase is the layer that failed, and `reached` is a layer before it that held.

use super::alarm::Alarm;
use crate::core::evidence::{Layer, Phase};
use crate::core::outcome::Reason;
use crate::core::time::{Span, Timestamp};
use std::time::{Duration, Instant};

/// How long each layer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Finding the name's addresses.
    pub dns: Span,
    /// Opening the connection.
    pub connect: Span,
    /// The TLS handshake.
    pub tls: Span,
    /// Everything after it: the answer, the bind, the dialogue.
    pub answer: Span,
}

/// The phases of one run.
#[derive(Debug)]
pub struct Trace {
    began: Instant,
    phases: Vec<Phase>,
    reached: Option<Layer>,
    certificate_until: Option<Timestamp>,
    alarm: Alarm,
}

/// What is left of a run once its probe has judged it.
pub(crate) struct Traced {
    pub(crate) phases: Vec<Phase>,
    pub(crate) reached: Option<Layer>,
    pub(crate) took: Span,
    pub(crate) certificate_until: Option<Timestamp>,
}

// === impls ===

impl Default for Limits {
    /// Three seconds for each step of a connection, five for an answer: a healthy provider needs a tenth of it, and
    /// the four together stay below the shortest usual interval of 15 s.
    fn default() -> Limits {
        Limits {
            dns: Span::from_secs(3),
            connect: Span::from_secs(3),
            tls: Span::from_secs(3),
            answer: Span::from_secs(5),
        }
    }
}

impl Limits {
    /// Returns the longest that a run may take in all.
    pub fn whole(&self) -> Span {
        self.dns + self.connect + self.tls + self.answer
    }
}

impl Default for Trace {
    fn default() -> Trace {
        Trace {
            began: Instant::now(),
            phases: Vec::new(),
            reached: None,
            certificate_until: None,
            alarm: Alarm::default(),
        }
    }
}

impl Trace {
    /// Times `work` as the phase of `layer`, which is reached if it succeeds; `late` is the reason if it takes too long.
    pub(crate) async fn phase<T>(
        &mut self,
        layer: Layer,
        limit: Span,
        late: Reason,
        work: impl Future<Output = Result<T, Reason>>,
    ) -> Result<T, Reason> {
        self.phase_after(layer, Duration::ZERO, limit, late, work).await
    }

    /// Like [`Trace::phase`] for a layer that has been at work before, for as long as `earlier`.
    pub(crate) async fn phase_after<T>(
        &mut self,
        layer: Layer,
        earlier: Duration,
        limit: Span,
        late: Reason,
        work: impl Future<Output = Result<T, Reason>>,
    ) -> Result<T, Reason> {
        let began = Instant::now();
        let left = limit.to_std().saturating_sub(earlier);
        let answer = self.alarm.within(left, work).await.unwrap_or(Err(late));
        self.note(layer, began.elapsed() + earlier);
        if answer.is_ok() {
            self.reached = Some(layer);
        }
        answer
    }

    /// Times the first part of a layer's work, which goes on after another layer (SMTP's greeting before STARTTLS).
    /// Leaves a phase only where it fails; else returns how long it took, for [`Trace::phase_after`].
    pub(crate) async fn prelude<T>(
        &mut self,
        layer: Layer,
        limit: Span,
        late: Reason,
        work: impl Future<Output = Result<T, Reason>>,
    ) -> Result<(T, Duration), Reason> {
        let began = Instant::now();
        let answer = self.alarm.within(limit.to_std(), work).await.unwrap_or(Err(late));
        let took = began.elapsed();
        answer.map(|value| (value, took)).inspect_err(|_| self.note(layer, took))
    }

    /// Says that a layer stands already: the probe goes on where an earlier run opened it.
    pub(crate) fn stands(&mut self, layer: Layer) {
        self.reached = Some(layer);
    }

    /// Notes until when the server's certificate is valid.
    pub(crate) fn certificate(&mut self, until: Timestamp) {
        self.certificate_until = Some(until);
    }

    /// Forgets what was seen so far: the run starts again from the first layer.
    pub(crate) fn restart(&mut self) {
        self.phases.clear();
        self.reached = None;
    }

    fn note(&mut self, layer: Layer, took: Duration) {
        self.phases.push(Phase { layer, micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX) });
    }

    /// Ends the run.
    pub(crate) fn end(self) -> Traced {
        let ms = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Traced {
            phases: self.phases,
            reached: self.reached,
            took: Span::from_ms(ms),
            certificate_until: self.certificate_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_phase_is_the_last_and_is_not_reached() {
        let mut trace = Trace::default();
        let second = Span::from_secs(1);
        let up: Result<u8, Reason> =
            trace.phase(Layer::Tcp, second, Reason::TcpTimeout, async { Ok(1) }).await;
        assert_eq!(up, Ok(1));
        let hangs = std::future::pending::<Result<u8, Reason>>();
        let late = trace.phase(Layer::Tls, Span::from_ms(1), Reason::TlsTimeout, hangs).await;
        assert_eq!(late, Err(Reason::TlsTimeout));
        let traced = trace.end();
        assert_eq!(traced.reached, Some(Layer::Tcp));
        assert_eq!(traced.phases.iter().map(|p| p.layer).collect::<Vec<_>>(), [Layer::Tcp, Layer::Tls]);
    }

    #[tokio::test]
    async fn a_prelude_counts_into_its_layer_later() {
        let mut trace = Trace::default();
        let second = Span::from_secs(1);
        let (word, earlier) =
            trace.prelude(Layer::Api, second, Reason::Timeout, async { Ok("220") }).await.unwrap();
        assert_eq!(word, "220");
        let rest = trace.phase_after(
            Layer::Api,
            earlier + Duration::from_millis(5),
            second,
            Reason::Timeout,
            async { Ok(()) },
        );
        assert_eq!(rest.await, Ok(()));
        let traced = trace.end();
        assert_eq!(traced.phases.len(), 1);
        assert!(traced.phases[0].micros >= 5_000);
    }
}
