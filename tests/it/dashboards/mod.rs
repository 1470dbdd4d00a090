//! What stands in `dashboards/` for Prometheus and Grafana, against the program and against a real Prometheus.

mod expr;
mod files;
mod prometheus;
mod scene;

use crate::support::process::WASL;
use crate::support::skip::skip;
use files::{From, Query, alerts, dashboard, list, queries, read, text, variables};
use prometheus::{Prometheus, REMEDY, is_here, promtool};
use scene::Scene;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long every series may take to appear, on a busy machine; on a free one it takes a third.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);

/// What Prometheus itself notes about each scrape, and the labels that it puts on every series.
const OF_PROMETHEUS: &[&str] = &["up", "scrape_duration_seconds"];
const LABELS_OF_PROMETHEUS: &[&str] = &["job", "instance"];

/// Reads the series out of the text format: each name with the labels that it was seen with.
fn exposed(metrics: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut exposed = BTreeMap::<String, BTreeSet<String>>::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        // In a line of the format, a name with labels is what a query may also say.
        let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
        for (name, labels) in expr::names(series).selectors {
            exposed.entry(name).or_default().extend(labels);
        }
    }
    for name in OF_PROMETHEUS {
        exposed.insert((*name).to_owned(), BTreeSet::new());
    }
    for labels in exposed.values_mut() {
        labels.extend(LABELS_OF_PROMETHEUS.iter().map(|label| (*label).to_owned()));
    }
    exposed
}

/// Returns what the queries name and the program does not have.
fn unknown(exposed: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    let asked = variables().into_iter().map(|(name, selector, label)| Query {
        from: From::Panel,
        place: format!("variable {name}"),
        expr: selector,
        shown: vec![label],
    });
    for query in queries().into_iter().chain(asked) {
        let names = expr::names(&query.expr);
        let mut labels = BTreeSet::new();
        for (metric, narrowed) in &names.selectors {
            let Some(known) = exposed.get(metric) else {
                found.push(format!("{}: there is no {metric}", query.place));
                continue;
            };
            labels.extend(known);
            let strange = narrowed.iter().filter(|label| !known.contains(*label));
            found.extend(strange.map(|label| format!("{}: {metric} has no label {label}", query.place)));
        }
        let mentioned = names.grouped.iter().chain(&query.shown).filter(|label| !labels.contains(label));
        found.extend(mentioned.map(|label| format!("{}: nothing there has a label {label}", query.place)));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_is_one_that_a_real_run_has() {
    let scene = Scene::start().await;
    let known = async {
        let began = Instant::now();
        loop {
            let left = unknown(&exposed(&scene.service.text("/metrics").await));
            if left.is_empty() || began.elapsed() > PATIENCE {
                return left;
            }
            sleep(LOOK).await;
        }
    };
    let left = tokio::select! { left = known => left, never = scene.play() => match never {} };
    assert!(left.is_empty(), "{}", left.join("\n"));
    scene.service.stop().await;
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let few = exposed("wasl_uplink_up{uplink=\"line\"} 1\n");
    let found = unknown(&few);
    assert!(found.contains(&"alert WaslChannelDown: there is no wasl_channel_up".to_owned()), "{found:#?}");
    assert!(!found.iter().any(|line| line.contains("wasl_uplink_up")), "{found:#?}");
    let found = unknown(&exposed("wasl_uplink_up{fibre=\"line\"} 1\n"));
    assert!(
        found.contains(&"alert WaslUplinkDown: nothing there has a label uplink".to_owned()),
        "{found:#?}"
    );
}

// === The files by themselves ===

#[test]
fn each_alert_speaks_both_languages_and_has_its_page_of_the_runbook() {
    let runbook = read("alerts/RUNBOOK.md");
    let sections: BTreeMap<&str, &str> =
        runbook.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let arabic = |text: &str| text.chars().any(|c| ('\u{0621}'..='\u{064A}').contains(&c));
    let alerts = alerts();
    for alert in &alerts {
        let (name, of) = (&alert.name, |key: &str| alert.annotations.get(key).map_or("", String::as_str));
        for key in ["summary", "description"] {
            assert!(!of(key).is_empty() && !arabic(of(key)), "{name}: {key}");
            assert!(arabic(of(&format!("{key}_ar"))), "{name}: {key}_ar");
            let opened = of(&format!("{key}_ar")).matches('\u{2068}').count();
            assert_eq!(
                opened,
                of(&format!("{key}_ar")).matches('\u{2069}').count(),
                "{name}: what is isolated ends"
            );
            assert!(
                of(&format!("{key}_ar")).matches("{{").count() <= opened,
                "{name}: a figure within Arabic is isolated"
            );
        }
        assert!(
            ["critical", "warning", "none"].contains(&alert.severity.as_str()),
            "{name}: {}",
            alert.severity
        );
        let anchor = format!("dashboards/alerts/RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(of("runbook_url"), anchor, "{name}");
        let section =
            sections.get(name.as_str()).unwrap_or_else(|| panic!("RUNBOOK.md has no section {name}"));
        for part in [
            "**Means.**",
            "**Wasl has done.**",
            "**You do.**",
            "**المعنى.**",
            "**ما فعله وصل.**",
            "**ما عليك فعله.**",
        ] {
            assert!(section.contains(part), "RUNBOOK.md, {name}: {part} is missing");
        }
    }
    assert_eq!(sections.len(), alerts.len(), "a section an alert, and no other");
}

#[test]
fn every_command_of_the_texts_exists() {
    let helps = std::cell::RefCell::new(BTreeMap::<Vec<String>, String>::new());
    let help = |words: &[&str]| {
        let key: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut helps = helps.borrow_mut();
        let ask = || {
            let out = Command::new(WASL).args(words).arg("--help").output().unwrap();
            assert!(out.status.success(), "there is no `wasl {}`", words.join(" "));
            String::from_utf8(out.stdout).unwrap()
        };
        helps.entry(key).or_insert_with(ask).clone()
    };
    let texts = [read("alerts/RUNBOOK.md"), read("README.md")].concat();
    let in_line = texts.split('`').skip(1).step_by(2).filter(|code| !code.contains('\n'));
    let commands = texts.lines().map(str::trim).chain(in_line).filter(|line| line.starts_with("wasl "));
    let mut count = 0;
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let mut said = help(&words[..1]);
        if said.contains("\nCommands:") {
            said = help(&words[..2]);
        }
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(said.contains(flag), "{command}: there is no {flag}");
        }
        count += 1;
    }
    assert!(count > 30, "the texts have commands: {count}");
}

/// A panel's place on the grid.
fn place(panel: &Value) -> [u64; 4] {
    ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().expect("a place"))
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard();
    let variables: Vec<&str> =
        list(&dashboard["templating"], "list").iter().map(|v| text(v, "name")).collect();
    assert_eq!(variables, ["datasource", "instance", "channel", "gateway", "severity"]);
    let whole = dashboard.to_string();
    let unused =
        |name: &&&str| !whole.contains(&format!("${name}")) && !whole.contains(&format!("${{{name}}}"));
    assert_eq!(variables.iter().filter(unused).count(), 0, "each variable is used");
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39));

    let (panels, mut ids) = (list(&dashboard, "panels"), BTreeSet::new());
    let rows: Vec<&str> = panels.iter().filter(|p| p["type"] == "row").map(|p| text(p, "title")).collect();
    let groups: Vec<&str> = rows.iter().filter_map(|title| title.split(':').next()).collect();
    assert_eq!(groups, ["Now", "Delivery", "Gateways", "Failover", "Service"]);
    for (number, panel) in panels.iter().enumerate() {
        let title = text(panel, "title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: the id is taken");
        let [x, y, w, h] = place(panel);
        assert!(w > 0 && h > 0 && x + w <= 24, "{title}: beyond the grid of 24 columns");
        for other in &panels[..number] {
            let [ox, oy, ow, oh] = place(other);
            let apart = x + w <= ox || ox + ow <= x || y + h <= oy || oy + oh <= y;
            assert!(apart, "{title} lies over {}", text(other, "title"));
        }
        if panel["type"] != "row" {
            panel_is_whole(panel);
        }
    }
    let notes = list(&dashboard["annotations"], "list");
    assert!(
        notes.iter().any(|note| text(note, "expr").contains("wasl_outage_active")),
        "outages are annotations"
    );
}

fn panel_is_whole(panel: &Value) {
    let title = text(panel, "title");
    assert!(
        !title.is_empty() && text(panel, "description").ends_with('.'),
        "{title}: says what it shows, in sentences"
    );
    let defaults = &panel["fieldConfig"]["defaults"];
    assert!(!text(defaults, "unit").is_empty(), "{title}: has a unit");
    let from_variable = |of: &Value| of["datasource"]["uid"] == "${datasource}";
    assert!(from_variable(panel), "{title}: its data source is the variable");
    let mut refs = BTreeSet::new();
    for target in list(panel, "targets") {
        assert!(
            from_variable(target) && refs.insert(text(target, "refId")),
            "{title}: {}",
            text(target, "refId")
        );
        assert!(!text(target, "legendFormat").is_empty(), "{title}: each figure has a name");
    }
    assert!(!refs.is_empty(), "{title}: asks something");
    // A colour alone says nothing to who cannot see it.
    let coloured = panel["fieldConfig"].to_string().matches("\"color\":\"#").count() > 1;
    let in_words = panel["fieldConfig"].to_string().contains("\"text\":\"");
    assert!(!coloured || in_words, "{title}: its thresholds are words too");
}

// === With Debian's Prometheus ===

#[test]
fn each_alert_fires_and_stays_silent_as_promtool_plays_it() {
    if !is_here("promtool") {
        return skip("dashboards::each_alert_fires_and_stays_silent_as_promtool_plays_it", REMEDY);
    }
    let folder = files::path("alerts");
    promtool(&folder, &["check", "rules", "wasl.rules.yml"]);
    promtool(&folder, &["test", "rules", "wasl.rules.test.yml"]);
    let tests = read("alerts/wasl.rules.test.yml");
    for alert in alerts() {
        let times = tests.matches(&alert.name).count();
        assert!(times > 1, "{} has a case in wasl.rules.test.yml", alert.name);
    }
}

/// Returns the configuration that README.md shows, for this service and in a hurry.
fn config(address: &str) -> String {
    let readme = read("README.md");
    let block = readme.split("```yaml\n").find(|block| block.starts_with("global:")).expect("it is shown");
    let shown = block.split("```").next().expect("it ends");
    shown.replace("15s", "1s").replace("127.0.0.1:8080", address)
}

/// Puts what Grafana puts for its variables, with everything chosen.
fn substituted(expr: &str, instance: &str) -> String {
    let values = [
        ("$instance", instance),
        ("$channel", "sms|whatsapp"),
        ("$gateway", "sms|wa"),
        ("$severity", "extreme|severe|moderate|minor|unknown"),
        ("$__rate_interval", "1m"),
        ("$__range", "1h"),
    ];
    let expr = values.iter().fold(expr.to_owned(), |expr, (name, value)| expr.replace(name, value));
    assert!(!expr.contains('$'), "a variable that nobody knows: {expr}");
    expr
}

/// Says what is missing of an answer, if anything is.
fn missing(query: &Query, rows: &[Value]) -> Option<String> {
    let number = |row: &Value| row["value"][1].as_str().is_some_and(|value| value != "NaN");
    if !rows.iter().any(number) {
        return Some(format!("{}: no data: {rows:?}", query.place));
    }
    let strange = |label: &&String| rows.iter().all(|row| row["metric"][label.as_str()].is_null());
    query.shown.iter().find(strange).map(|label| format!("{}: no row has the label {label}", query.place))
}

/// Asks every query until each has brought data; errors end it at once.
async fn all_bring_data(prometheus: &Prometheus, instance: &str) {
    let began = Instant::now();
    let mut left = queries();
    loop {
        let mut still = Vec::new();
        let mut said = Vec::new();
        for query in left {
            // As it is written it may be empty where all is well, but it must be understood.
            let ask = async |expr: &str| prometheus.query(&substituted(expr, instance)).await;
            let written = ask(&query.expr).await.unwrap_or_else(|error| panic!("{}: {error}", query.place));
            let must_bring = query.must_bring();
            let rows = if must_bring == query.expr { written } else { ask(&must_bring).await.unwrap() };
            if let Some(what) = missing(&query, &rows) {
                said.push(what);
                still.push(query);
            }
        }
        if still.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{}", said.join("\n"));
        left = still;
        sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_brings_data_from_a_real_prometheus() {
    if !is_here("prometheus") || !is_here("promtool") {
        return skip("dashboards::every_query_brings_data_from_a_real_prometheus", REMEDY);
    }
    let scene = Scene::start().await;
    let instance = scene.service.base().strip_prefix("http://").unwrap().to_owned();
    let rules = read("alerts/wasl.rules.yml");
    let files = [("wasl.rules.yml", rules.as_str()), ("wasl-token", scene.service.token())];
    let prometheus = Prometheus::start(&config(&instance), &files).await;
    let began = Instant::now();
    // What counts from nothing must have been seen at nothing.
    while prometheus.query("wasl_outages_total").await.unwrap().is_empty() {
        assert!(began.elapsed() < PATIENCE, "nothing is scraped: {}", scene.service.said());
        sleep(LOOK).await;
    }
    tokio::select! {
        () = all_bring_data(&prometheus, &instance) => {}
        never = scene.play() => match never {},
    }
    for (name, selector, label) in variables() {
        let choice = format!("count by ({label}) ({})", substituted(&selector, &instance));
        assert!(!prometheus.query(&choice).await.unwrap().is_empty(), "variable {name}: nothing to choose");
    }
    prometheus_reads_the_rules_as_we_do(&prometheus).await;
    scene.service.stop().await;
}

async fn prometheus_reads_the_rules_as_we_do(prometheus: &Prometheus) {
    let groups = prometheus.ask("/api/v1/rules", &[]).await.unwrap();
    let rules = list(&groups["groups"][0], "rules");
    let theirs: Vec<&str> = rules.iter().map(|rule| text(rule, "name")).collect();
    let alerts = alerts();
    assert_eq!(theirs, alerts.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>());
    for (rule, alert) in rules.iter().zip(&alerts) {
        assert_eq!(rule["health"], "ok", "{}: {}", alert.name, rule["lastError"]);
        assert_eq!(rule["labels"]["severity"], alert.severity.as_str(), "{}", alert.name);
        let theirs: BTreeMap<String, String> = serde_json::from_value(rule["annotations"].clone()).unwrap();
        assert_eq!(theirs, alert.annotations, "{}", alert.name);
    }
    let firing = prometheus.query(r#"ALERTS{alertname="WaslWatchdog", alertstate="firing"}"#).await.unwrap();
    assert_eq!(firing.len(), 1, "the dead man's switch is held");
}
