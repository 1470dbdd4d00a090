//! The files under test, read.

use super::expr;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Returns the path of a file of `dashboards/`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name)
}

/// Returns the text of a file of `dashboards/`.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("dashboards/{name}: {error}"))
}

/// A rule.
#[derive(Default, Debug)]
pub struct Alert {
    pub name: String,
    pub expr: String,
    pub severity: String,
    pub annotations: BTreeMap<String, String>,
}

/// Reads the rules. No YAML is in the dependencies: this reads the few forms that the file has and refuses every other.
/// That nothing is overlooked is checked against Prometheus' own reading.
pub fn alerts() -> Vec<Alert> {
    let (text, mut alerts) = (read("alerts/wasl.rules.yml"), Vec::<Alert>::new());
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty()
            || line.starts_with('#')
            || ["groups:", "  - name: wasl", "    rules:"].contains(&line)
        {
            continue;
        }
        if let Some(name) = line.strip_prefix("      - alert: ") {
            alerts.push(Alert { name: name.to_owned(), ..Alert::default() });
            continue;
        }
        let place = format!("wasl.rules.yml:{}: {line}", number + 1);
        let alert = alerts.last_mut().unwrap_or_else(|| panic!("a rule begins with its name: {place}"));
        let deep = line.strip_prefix("          ");
        match (section, deep) {
            ("expr", Some(more)) => alert.expr = format!("{} {}", alert.expr, more.trim()).trim().to_owned(),
            ("labels", Some(pair)) => {
                alert.severity = pair.strip_prefix("severity: ").expect(&place).to_owned()
            }
            ("annotations", Some(pair)) => {
                let (key, value) = pair.split_once(": ").expect(&place);
                let value =
                    value.trim_matches('"').replace("\\u2068", "\u{2068}").replace("\\u2069", "\u{2069}");
                assert!(alert.annotations.insert(key.to_owned(), value).is_none(), "twice: {place}");
            }
            (_, None) => {
                let (key, value) = line.trim().split_once(':').expect(&place);
                section =
                    ["expr", "for", "labels", "annotations"].into_iter().find(|k| *k == key).expect(&place);
                let folded = value.trim() == ">-";
                if section == "expr" && !folded {
                    alert.expr = value.trim().to_owned();
                }
            }
            _ => panic!("not understood: {place}"),
        }
    }
    alerts
}

/// Returns the dashboard.
pub fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/wasl.json")).expect("the dashboard is JSON")
}

/// Returns a list of a JSON object.
pub fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns a text of a JSON object.
pub fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// Where a query comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Panel,
    /// Compares, and is empty where all is well.
    Annotation,
    Alert,
}

/// A query of either file.
#[derive(Debug)]
pub struct Query {
    pub from: From,
    pub place: String,
    pub expr: String,
    /// The labels that its legend or its words name.
    pub shown: Vec<String>,
}

impl Query {
    /// Returns what of it must bring data from a scene with everything in it, though no alert need fire there.
    pub fn must_bring(&self) -> String {
        match self.from {
            From::Panel => expr::without_stand_in(&self.expr).to_owned(),
            From::Annotation | From::Alert => expr::bare(&self.expr),
        }
    }
}

/// Returns every query of both files, with Grafana's variables as written.
pub fn queries() -> Vec<Query> {
    let (dashboard, mut queries) = (dashboard(), Vec::new());
    let shown = |text: &str, prefix: &str| expr::placeholders(text, prefix).into_iter().collect();
    for panel in list(&dashboard, "panels") {
        for target in list(panel, "targets") {
            let place = format!("panel {:?} {}", text(panel, "title"), text(target, "refId"));
            let (expr, shown) = (text(target, "expr").to_owned(), shown(text(target, "legendFormat"), ""));
            queries.push(Query { from: From::Panel, place, expr, shown });
        }
    }
    for note in list(&dashboard["annotations"], "list").iter().filter(|note| note["expr"].is_string()) {
        let words = format!("{} {}", text(note, "titleFormat"), text(note, "textFormat"));
        let (place, expr) = (format!("annotation {:?}", text(note, "name")), text(note, "expr").to_owned());
        queries.push(Query { from: From::Annotation, place, expr, shown: shown(&words, "") });
    }
    for alert in alerts() {
        let words = alert.annotations.values().cloned().collect::<String>();
        let (place, expr) = (format!("alert {}", alert.name), alert.expr);
        queries.push(Query { from: From::Alert, place, expr, shown: shown(&words, "$labels.") });
    }
    queries
}

/// Returns the variables that are asked for: their name, the selector, the label.
pub fn variables() -> Vec<(String, String, String)> {
    let dashboard = dashboard();
    let asked = list(&dashboard["templating"], "list").iter().filter(|variable| variable["type"] == "query");
    asked
        .map(|variable| {
            let query = text(&variable["query"], "query");
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) =
                inner.and_then(|inner| inner.rsplit_once(", ")).expect("label_values(SELECTOR, LABEL)");
            (text(variable, "name").to_owned(), selector.to_owned(), label.to_owned())
        })
        .collect()
}
