//! The world that real outages are replayed in is proved before anything is judged in it: policies of a few lines get the very
//! figures that another program, the format's reference replayer, told beforehand (`tests/scenarios/yardsticks.json`).

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use wasl::sim::scenario::Scenario;
use wasl::sim::scenario::yardstick::{Figures, Reached, Yardstick, replay};

const YARDSTICKS: [(&str, Yardstick<'static>); 5] = [
    ("whatsapp only", Yardstick::Only("whatsapp")),
    ("sms only", Yardstick::Only("sms")),
    ("fixed order, error-driven", Yardstick::FixedOrder),
    ("all channels at once", Yardstick::AllAtOnce),
    ("all at once, no capacity limits (ceiling)", Yardstick::Ceiling),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn text(id: &str) -> String {
    fs::read_to_string(folder().join(format!("{id}.toml"))).expect("it is there")
}

/// Rounds as the reference replayer writes: to so many places, the exact value's nearest.
fn rounded(value: f64, places: usize) -> f64 {
    format!("{value:.places$}").parse().expect("a number")
}

fn written(figures: &Figures) -> Value {
    let class = |reached: &Reached| {
        let share = |count: u64, places| rounded(count as f64 / reached.messages as f64, places);
        json!({
            "messages": reached.messages, "in_time": share(reached.in_time, 4), "ever": share(reached.ever, 4),
            "copies": share(reached.copies, 2), "by": reached.by,
            "median_s": reached.delay(0.5).map(|delay| rounded(delay, 1)),
            "p95_s": reached.delay(0.95).map(|delay| rounded(delay, 1)),
        })
    };
    let classes: serde_json::Map<_, _> =
        figures.classes.iter().map(|(id, reached)| (id.clone(), class(reached))).collect();
    json!({"sends": figures.sends, "cost": rounded(figures.cost, 2), "classes": classes})
}

#[test]
fn every_outage_gives_the_yardsticks_their_very_figures() {
    let told = fs::read_to_string(folder().join("yardsticks.json")).expect("it is there");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let told = told.as_object().expect("by scenario");
    assert_eq!(told.len(), 13);
    for (id, told) in told {
        let scenario = Scenario::read(&text(id)).unwrap_or_else(|error| panic!("{id}: {error}"));
        for (name, yardstick) in YARDSTICKS {
            let ours = written(&replay(&scenario, yardstick));
            assert_eq!(ours, told[name], "{id}, {name}");
        }
    }
}

#[test]
fn a_scenario_that_contradicts_itself_is_refused_with_what_is_wrong() {
    let good = text("2021-10-04-meta");
    for (old, new, word) in [
        ("outage-scenario/1", "outage-scenario/2", "schema"),
        ("share = 0.4\n", "share = 0.5\n", "shares"),
        ("scope = \"region:americas\"", "scope = \"region:mars\"", "`mars`"),
        ("class = \"high\"\nfrom_s", "class = \"hihg\"\nfrom_s", "`hihg`"),
        ("from_s = 5280\nto_s = 22800\nbasis", "from_s = 5281\nto_s = 22800\nbasis", "does not follow on"),
        ("dns = { servfail = 0.93, timeout = 0.06", "dns = { servfail = 0.93, timeout = 0.6", "at most 1"),
        ("recipients = 8000", "recipients = 8000000", "1000000"),
        ("dns = { servfail = 0.0005,", "dns = { servfial = 0.0005,", "servfial"),
        ("can_send = true", "can_send = false", "can send"),
        ("seed = 20211004", "seed = ", "line 6"),
    ] {
        let bad = good.replacen(old, new, 1);
        assert_ne!(bad, good, "{old} is not there");
        let error = Scenario::read(&bad).expect_err(new).to_string();
        assert!(error.contains(word), "{new}: {error}");
    }
}
