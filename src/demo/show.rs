//! Progress on a terminal, redrawn in place; plain lines where there is none, or where `NO_COLOR` asks for them.
//!
//! A state is a word and a shape, so that it is told without colour too.

use crate::core::view::{State, View};
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// How often the picture is redrawn.
const REDRAW: Duration = Duration::from_millis(300);
/// How often a plain line comes while nothing changes.
const PLAIN: Duration = Duration::from_secs(5);
/// Gateways in one row: each row stays below 80 columns.
const ROW: usize = 3;

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Redrawn in place, in colour.
    Live,
    /// Line by line.
    Plain,
    /// Not at all.
    Silent,
}

/// Where progress is shown.
pub struct Screen {
    style: Style,
    out: Box<dyn Write + Send>,
    /// Lines on the screen that the next picture replaces.
    drawn: usize,
    last: Option<(Instant, String)>,
}

/// One moment.
pub(crate) struct Moment<'a> {
    /// The time of day in history.
    pub(crate) clock: String,
    pub(crate) phase: &'a str,
    pub(crate) since_start: f64,
    pub(crate) lasts_s: f64,
    pub(crate) view: &'a View,
}

impl Screen {
    /// Shows progress so, there.
    pub fn new(style: Style, out: Box<dyn Write + Send>) -> Screen {
        Screen { style, out, drawn: 0, last: None }
    }

    /// Says something that stays.
    pub(crate) fn say(&mut self, line: &str) {
        if self.style != Style::Silent {
            self.wipe();
            self.put(&format!("{line}\n"));
        }
    }

    /// Shows a moment, unless it is too soon for another picture.
    pub(crate) fn show(&mut self, moment: &Moment<'_>) {
        let pause = match self.style {
            Style::Live => REDRAW,
            Style::Plain => PLAIN,
            Style::Silent => return,
        };
        let now = Instant::now();
        let same_phase = |(at, phase): &(Instant, String)| now < *at + pause && phase == moment.phase;
        if self.last.as_ref().is_some_and(same_phase) {
            return;
        }
        self.last = Some((now, moment.phase.to_owned()));
        if self.style == Style::Plain {
            let states = states(moment.view, false).join("  ");
            return self.put(&format!(
                "{} {:<20}  {states}  {}\n",
                moment.clock,
                moment.phase,
                counts(moment.view)
            ));
        }
        let head = format!(
            "{}  {}  ({:.0} s of {:.0})",
            moment.clock, moment.phase, moment.since_start, moment.lasts_s
        );
        let mut lines = vec![head];
        lines.extend(states(moment.view, true).chunks(ROW).map(|row| format!("  {}", row.join("  "))));
        lines.push(format!("  {}", counts(moment.view)));
        self.wipe();
        self.drawn = lines.len();
        self.put(&(lines.join("\n") + "\n"));
    }

    /// Takes the picture away.
    fn wipe(&mut self) {
        if self.drawn > 0 {
            // Up to its first line, and everything below cleared. Cites: ECMA-48, CUU and ED.
            let up = format!("\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
            self.put(&up);
        }
    }

    fn put(&mut self, text: &str) {
        // Whoever closed the pipe did not want to see it; the demonstration goes on.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

fn states(view: &View, coloured: bool) -> Vec<String> {
    let one = |gateway: &crate::core::view::GatewayView| {
        let (shape, colour) = look(gateway.state);
        let word = format!("{shape} {}", gateway.state);
        match coloured {
            true => format!("{:>8} \x1b[{colour}m{word:<12}\x1b[0m", gateway.name),
            false => format!("{} {word}", gateway.name),
        }
    };
    view.gateways.iter().map(one).collect()
}

/// A state's shape, and its colour. Cites: ECMA-48, SGR.
const fn look(state: State) -> (char, u8) {
    match state {
        State::Up => ('●', 32),
        State::Degraded => ('▲', 33),
        State::Down => ('✖', 31),
        State::Recovering => ('◐', 36),
        State::Unknown => ('○', 90),
    }
}

fn counts(view: &View) -> String {
    use crate::core::outcome::DeliveryResult::{Acknowledged, Delivered, HandedOver};
    let counts = &view.deliveries;
    let settled = |result| counts.settled.get(result as usize).copied().unwrap_or_default();
    let delivered = settled(Delivered) + settled(Acknowledged) + settled(HandedOver);
    let open = view.outages.iter().filter(|outage| outage.recovered.is_none()).count();
    format!(
        "waiting {}, in flight {}, unconfirmed {}, delivered {delivered}, late {}, outages {open}",
        counts.waiting + counts.backing_off + counts.materialising,
        counts.in_flight,
        counts.unconfirmed,
        counts.late
    )
}
