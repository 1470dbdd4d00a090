//! Our own line, judged first: is it us?
//!
//! Down if at least two of three controls fail and at least 80 % of the channels that need the line fail as well, in
//! two rounds; back after eight clean rounds. Controls that fail alone are the controls' problem.
//!
//! Until a round has spoken, most channels failing together is an open question, and nobody is accused meanwhile.

use crate::core::evidence::UplinkRound;
use crate::core::time::{Span, Timestamp};

/// Bad rounds in a row that take the line down.
const BAD_ROUNDS: u8 = 2;
/// Clean rounds in a row that bring it back.
const CLEAN_ROUNDS: u8 = 8;
/// What fails with most of the channels is not declared before the controls were heard, for this long at most: rounds
/// are asked for at once then, and two that hang in every layer, one after another, take less.
pub(crate) const HEARD_WITHIN: Span = Span::from_secs(30);
/// After the line is back, no outage of a gateway is declared for this long.
pub(crate) const VERDICT_PAUSE: Span = Span::from_mins(10);

/// One uplink.
#[derive(Clone, Debug)]
pub(crate) struct Uplink {
    pub(crate) name: String,
    pub(crate) up: bool,
    pub(crate) since: Timestamp,
    pub(crate) failed: (u8, u8),
    /// When the controls began to fail.
    pub(crate) onset: Option<Timestamp>,
    /// When the last round began that spoke for the line.
    spoke_for_it: Option<Timestamp>,
    /// When it last came back.
    pub(crate) back_at: Option<Timestamp>,
    bad: u8,
    clean: u8,
}

impl Uplink {
    pub(crate) fn new(name: String, now: Timestamp) -> Uplink {
        Uplink {
            name,
            up: true,
            since: now,
            failed: (0, 0),
            onset: None,
            spoke_for_it: None,
            back_at: None,
            bad: 0,
            clean: 0,
        }
    }

    /// Takes a round. `channels_fail`: at least 80 % of the channels that need the line fail. Returns whether the
    /// verdict changed.
    pub(crate) fn round(&mut self, round: &UplinkRound, channels_fail: bool, now: Timestamp) -> bool {
        self.failed = (round.failed, round.controls);
        let quorum = round.controls > 0 && u16::from(round.failed) * 3 >= u16::from(round.controls) * 2;
        if quorum {
            self.onset.get_or_insert(now);
            self.clean = 0;
        } else {
            self.clean = self.clean.saturating_add(1);
            self.bad = 0;
            self.spoke_for_it = Some(now - round.took);
            if self.up {
                self.onset = None;
            }
        }
        if quorum && channels_fail {
            self.bad = self.bad.saturating_add(1);
        }
        match self.up {
            true if self.bad >= BAD_ROUNDS => {
                self.up = false;
                self.since = now;
                true
            }
            false if self.clean >= CLEAN_ROUNDS => {
                self.up = true;
                self.since = now;
                self.back_at = Some(now);
                self.onset = None;
                true
            }
            _ => false,
        }
    }

    /// Says whether its controls were asked after this moment and answered.
    pub(crate) fn cleared_since(&self, moment: Timestamp) -> bool {
        self.spoke_for_it.is_some_and(|at| at > moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(failed: u8) -> UplinkRound {
        UplinkRound { uplink: "fibre".into(), controls: 3, failed, took: Span::ZERO }
    }

    #[test]
    fn it_takes_controls_and_channels_twice_and_eight_clean_rounds_to_come_back() {
        let mut uplink = Uplink::new("fibre".into(), Timestamp::default());
        let now = Timestamp::from_ms(1);
        assert!(!uplink.round(&round(3), false, now), "controls alone accuse nobody");
        assert!(!uplink.round(&round(2), true, now));
        assert!(uplink.round(&round(3), true, now));
        assert!(!uplink.up);
        assert!((0..7).all(|_| !uplink.round(&round(0), false, now)));
        assert!(uplink.round(&round(1), false, now), "one control may stay dead");
        assert!(uplink.up);
    }
}
