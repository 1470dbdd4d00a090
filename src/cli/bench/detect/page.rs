//! What was measured, as a page of Markdown and as a drawing.

use super::poisson::quantile;
use super::{DWELLS, Delays, HEALTHY, Measured, Otherwise, Quiet, TRAFFIC};
use crate::settings::DWELL;
use crate::sim::scenario::stream::{Fault, WATCHED_S, bound};
use std::fmt::Write;

/// Writes seconds; what was not seen while it was watched is longer than that.
fn secs(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.0}"),
        false => format!("> {WATCHED_S:.0}"),
    }
}

fn rate(quiet: &Quiet, events: u32, cells: f64) -> String {
    let (point, lower, upper) = quiet.rate(events, cells);
    format!("{point:.2} ({lower:.2} to {upper:.2})")
}

fn row(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn head(out: &mut String, cells: &[&str]) {
    row(out, &cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    row(out, &cells.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
}

/// Writes the whole page.
pub(super) fn text(measured: &Measured) -> String {
    let wishes = measured.wishes;
    let mut out = format!(
        "# How soon Wasl knows\n\n\
         Made by `wasl bench detect --runs {} --days {} --seed {} --write .`: the same core as in service, in virtual time, on \
         simulated streams of one channel beside another that is well. A fault begins after half an hour of health (ten minutes at \
         a message a second and more), at any phase of the probes (one each 15 s, each 2 s in doubt); it is watched for 15 \
         minutes. Healthy is not flawless: 0.5 % of requests fail, four times a day the way is cut for 5 s on average (7 times \
         in 10 for the controls too), 15 % of receipts never come, and that share wanders. One vantage point, no canaries, and \
         a dwell of {:.0} s.\n\n",
        wishes.runs,
        wishes.days,
        wishes.seed,
        DWELL.secs_f64()
    );
    delays(&mut out, measured);
    quiet(&mut out, measured);
    worlds(&mut out, measured);
    targets(&mut out, measured);
    out
}

fn delays(out: &mut String, measured: &Measured) {
    out.push_str(
        "## From the first bad second to the declared outage\n\nSeconds: median (95 %); runs in which it was not seen count as the \
         longest. Columns: messages a second through that channel.\n\n",
    );
    let traffic: Vec<String> = TRAFFIC.iter().map(f64::to_string).collect();
    let mut columns = vec!["fault"];
    columns.extend(traffic.iter().map(String::as_str));
    columns.extend(["in doubt at 1", "bound at 0 / 0.1 / 1"]);
    head(out, &columns);
    for fault in Fault::ALL {
        let of = |delays: &Delays| {
            format!("{} ({})", secs(quantile(&delays.down, 0.5)), secs(quantile(&delays.down, 0.95)))
        };
        let mut cells = vec![fault.name().to_owned()];
        cells.extend(TRAFFIC.iter().map(|per_s| of(measured.of(fault, *per_s))));
        cells.push(secs(quantile(&measured.of(fault, 1.0).degraded, 0.5)));
        cells.push(HEALTHY.map(|per_s| secs(bound(fault, per_s))).join(" / "));
        row(out, &cells);
    }
    out.push_str(
        "\nThe bound is what no detector stays below on average that raises one false alarm in 30 days at these fixed rates (Lorden \
         1971). In doubt it probes sooner, which is how some figures lie below it; the dwell is why others lie above.\n\n\
         The same streams by three usual rules, median at 0 and at 1 message a second:\n\n",
    );
    head(out, &["fault", "three probes in a row", "five requests in a row", "phi-accrual (8)"]);
    for fault in Fault::ALL {
        let of = |part: fn(&Delays) -> &Vec<f64>| {
            let at = |per_s| secs(quantile(part(measured.of(fault, per_s)), 0.5));
            format!("{} / {}", at(0.0), at(1.0))
        };
        row(
            out,
            &[fault.name().to_owned(), of(|d| &d.three_strikes), of(|d| &d.five_errors), of(|d| &d.accrual)],
        );
    }
}

fn quiet(out: &mut String, measured: &Measured) {
    out.push_str(
        "\n## What was declared though nothing was wrong\n\nFor a channel and 30 days, with exact 95 % limits (two-sided, Garwood \
         1936).\n\n",
    );
    head(
        out,
        &[
            "messages a second",
            "days",
            "Wasl",
            "three probes in a row",
            "five requests in a row",
            "phi-accrual (8)",
        ],
    );
    for quiet in &measured.quiet {
        let alarms = quiet.alarms;
        row(
            out,
            &[
                quiet.per_s.to_string(),
                format!("{:.0}", quiet.days),
                rate(quiet, alarms.down, 1.0),
                rate(quiet, alarms.three_strikes, 0.5),
                rate(quiet, alarms.five_errors, 0.5),
                rate(quiet, alarms.accrual, 0.5),
            ],
        );
    }
    out.push_str("\n## What the dwell costs\n\nAt 1 message a second.\n\n");
    head(out, &["dwell", "days", "false alarms", "dead: down after", "swallows everything: down after"]);
    for (dwell, other) in &measured.dwells {
        other_row(out, format!("{dwell} s"), other);
    }
}

fn other_row(out: &mut String, name: String, other: &Otherwise) {
    let quiet = &other.quiet;
    row(
        out,
        &[
            name,
            format!("{:.0}", quiet.days),
            rate(quiet, quiet.alarms.down, 1.0),
            secs(other.dead),
            secs(other.swallows),
        ],
    );
}

fn worlds(out: &mut String, measured: &Measured) {
    out.push_str(
        "\n## Where the world is not as it is believed\n\nThe same at 1 message a second, in worlds that nobody told it of.\n\n",
    );
    head(out, &["world", "days", "false alarms", "dead: down after", "swallows everything: down after"]);
    for other in &measured.worlds {
        other_row(out, other.name.to_owned(), other);
    }
}

fn targets(out: &mut String, measured: &Measured) {
    out.push_str("\n## Targets, the worst first\n\n");
    head(out, &["what", "target", "reached", ""]);
    for target in measured.targets() {
        let number = |value: f64| match target.unit {
            "s" => format!("{} s", secs(value)),
            _ => format!("{value:.2}"),
        };
        let word = if target.is_met() { "met" } else { "**missed**" };
        let cells = [target.what.clone(), number(target.wanted), number(target.reached), word.to_owned()];
        row(out, &cells);
    }
    out.push_str(
        "\nWhat swallows cannot be seen where nothing is sent: without traffic it takes [canaries](REFERENCE.md), which these streams \
         have none of.\n",
    );
}

// === drawing ===

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 470.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 64.0;
/// The ends of the axes: false alarms, and seconds.
const ALARMS: (f64, f64) = (0.03, 300.0);
const DELAYS: (f64, f64) = (3.0, 1_000.0);

fn x(alarms: f64) -> f64 {
    let share = (alarms.clamp(ALARMS.0, ALARMS.1) / ALARMS.0).ln() / (ALARMS.1 / ALARMS.0).ln();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn y(delay: f64) -> f64 {
    let share = (delay.clamp(DELAYS.0, DELAYS.1) / DELAYS.0).ln() / (DELAYS.1 / DELAYS.0).ln();
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// Where a rate is drawn of which none was seen: at its upper limit, as "at most".
fn place(quiet: &Quiet, events: u32, cells: f64) -> (f64, bool) {
    let (point, _, upper) = quiet.rate(events, cells);
    if events == 0 { (upper, true) } else { (point, false) }
}

fn words(out: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>");
}

/// Draws delay against false alarms at a message a second: the dwell's curve, the usual rules and the bound.
pub(super) fn drawing(measured: &Measured) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <title>Delay against false alarms at one message a second</title>\n\
         <style>text{{fill:#1d2733}}.q{{fill:#5b6875}}.h{{font-size:17px;font-weight:600}}.e{{text-anchor:end}}\
         .m{{text-anchor:middle}}.dead{{fill:#b3261e}}.swallows{{fill:#0b57a4}}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"10\" fill=\"#fbfaf7\"/>\n"
    );
    words(&mut out, LEFT, 30.0, "h", "How soon, and how often for nothing");
    for tick in [0.1, 1.0, 10.0, 100.0] {
        let at = x(tick);
        let _ = writeln!(out, "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#dcd9d0\"/>", HEIGHT - BOTTOM);
        words(&mut out, at, HEIGHT - BOTTOM + 20.0, "q m", &tick.to_string());
    }
    for tick in [10.0, 30.0, 100.0, 300.0] {
        let at = y(tick);
        let _ = writeln!(out, "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#dcd9d0\"/>", WIDTH - RIGHT);
        words(&mut out, LEFT - 10.0, at + 4.0, "q e", &tick.to_string());
    }
    let never = y(DELAYS.1);
    words(&mut out, LEFT - 10.0, never + 4.0, "q e", "never");
    let _ = writeln!(
        out,
        "<path d=\"M{LEFT} {never:.1}H{:.1}\" stroke=\"#b9b4a7\" stroke-dasharray=\"2 4\"/>",
        WIDTH - RIGHT
    );
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    words(&mut out, middle, HEIGHT - 18.0, "q m", "false alarms of a channel in 30 days");
    words(&mut out, 14.0, TOP - 12.0, "q", "seconds to the declared outage, median");
    for (class, colour, of) in [("dead", "#b3261e", Fault::Dead), ("swallows", "#0b57a4", Fault::Swallows)] {
        series(&mut out, measured, class, colour, of);
    }
    let legend = WIDTH - RIGHT + 16.0;
    let lines = [
        ("dead", "red: a dead channel"),
        ("swallows", "blue: one that swallows"),
        ("q", "line: Wasl, by its dwell"),
        ("q", "3: three probes in a row"),
        ("q", "5: five requests in a row"),
        ("q", "φ: phi-accrual, 8"),
        ("q", "dashed: the bound of theory"),
        ("q", "hollow: none seen, at most"),
    ];
    for (nth, (class, text)) in (0_u8..).zip(lines) {
        words(&mut out, legend, TOP + 20.0 + 22.0 * f64::from(nth), class, text);
    }
    out.push_str("</svg>\n");
    out
}

fn series(out: &mut String, measured: &Measured, class: &str, colour: &str, fault: Fault) {
    let delay = |other: &Otherwise| if fault == Fault::Dead { other.dead } else { other.swallows };
    let points: Vec<(f64, f64, bool, i64)> = measured
        .dwells
        .iter()
        .map(|(dwell, other)| {
            let (alarms, none) = place(&other.quiet, other.quiet.alarms.down, 1.0);
            (x(alarms), y(delay(other)), none, *dwell)
        })
        .collect();
    let path: Vec<String> = points.iter().map(|(x, y, ..)| format!("{x:.1} {y:.1}")).collect();
    let _ = writeln!(
        out,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join("L")
    );
    for (at_x, at_y, none, dwell) in points {
        let fill = if none { "#fbfaf7" } else { colour };
        let _ = writeln!(
            out,
            "<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"4.5\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        if dwell == DWELLS[0] || dwell == DWELLS[DWELLS.len() - 1] {
            words(out, at_x + 9.0, at_y - 7.0, class, &format!("{dwell} s"));
        }
    }
    let bound_at = y(bound(fault, 1.0));
    let _ = writeln!(
        out,
        "<path d=\"M{LEFT} {bound_at:.1}H{:.1}\" stroke=\"{colour}\" stroke-dasharray=\"6 5\" opacity=\"0.6\"/>",
        WIDTH - RIGHT
    );
    let Some(quiet) = measured.quiet.iter().find(|quiet| quiet.per_s == 1.0) else { return };
    let delays = measured.of(fault, 1.0);
    for (sign, events, seen) in [
        ("3", quiet.alarms.three_strikes, &delays.three_strikes),
        ("5", quiet.alarms.five_errors, &delays.five_errors),
        ("φ", quiet.alarms.accrual, &delays.accrual),
    ] {
        let (alarms, none) = place(quiet, events, 0.5);
        let (at_x, at_y) = (x(alarms), y(quantile(seen, 0.5)));
        let fill = if none { "#fbfaf7" } else { colour };
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            at_x - 4.5,
            at_y - 4.5
        );
        words(out, at_x + 9.0, at_y - 7.0, class, sign);
    }
}
