//! An explanation for people.

use super::{Described, Explanation, GatewayVerdict, RuleVerdict, StepVerdict};
use crate::core::policy::SendMode;
use crate::core::time::Span;
use crate::core::view::State;
use std::fmt::{self, Display, Formatter, Write};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", described(&self.described))?;
        writeln!(f, "policy {}", self.policy)?;
        writeln!(f, "\nRules")?;
        self.rules.iter().try_for_each(|rule| writeln!(f, "{}", rule_line(rule)))?;
        writeln!(f, "\nRule `{}`: {}", self.rule(), self.terms())?;
        let widths = self.widths();
        for step in &self.steps {
            writeln!(f, "\n{}", step_line(step))?;
            if step.gateways.is_empty() {
                writeln!(f, "    no gateway is configured for it")?;
            }
            step.gateways.iter().try_for_each(|gateway| writeln!(f, "{}", gateway_line(gateway, widths)))?;
        }
        if !self.outside.is_empty() {
            writeln!(f, "\nNot in this ladder")?;
            self.outside.iter().try_for_each(|gateway| writeln!(f, "{}", gateway_line(gateway, widths)))?;
        }
        writeln!(f, "\n{}", self.summary())?;
        if !self.live {
            writeln!(f, "No running service was asked: every gateway counts as `unknown`.")?;
        }
        Ok(())
    }
}

impl Explanation {
    fn terms(&self) -> String {
        let mut terms = format!("settled once {}", self.confirm.name());
        match self.strict {
            true => terms.push_str(" (strict: a road without receipts never settles it)"),
            false => {
                let _ = write!(terms, " (a road without receipts: after {})", self.assume_after);
            }
        }
        let _ = write!(terms, "; after an unknown outcome: {}", self.on_unknown.name());
        if let Some(deadline) = self.deadline {
            let _ = write!(terms, "; late after {deadline}");
        }
        let _ = write!(terms, "; expires after {}", self.expiry);
        terms
    }

    fn summary(&self) -> String {
        let taken = self.taken();
        let names: Vec<_> = taken.iter().map(|gateway| format!("`{}`", gateway.gateway)).collect();
        match names.as_slice() {
            [] => "Right now nothing can be sent: no gateway is permitted and free to use.".into(),
            names => format!("Right now it would go through {}.", names.join(" and ")),
        }
    }

    fn widths(&self) -> (usize, usize) {
        let all = || self.steps.iter().flat_map(|step| &step.gateways).chain(&self.outside);
        let width = |of: fn(&GatewayVerdict) -> usize| all().map(of).max().unwrap_or(0);
        (width(|gateway| gateway.gateway.len()), width(|gateway| gateway.channel.name().len()))
    }
}

fn described(described: &Described) -> String {
    let Described { severity, urgency, status, .. } = described;
    let mut text = format!("A message: severity {severity}, urgency {urgency}, status {status}");
    let mut add = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, ", {key} {value}");
        }
    };
    add("incident", &described.incident);
    for (tag, value) in &described.tags {
        add(&format!("tag {tag}"), &Some(value.clone()));
    }
    text.push_str("\nfor somebody");
    let mut parts = Vec::new();
    for (key, value) in
        [("language", &described.language), ("region", &described.region), ("sector", &described.sector)]
    {
        parts.extend(value.as_ref().map(|value| format!("{key} {value}")));
    }
    if !described.audiences.is_empty() {
        parts.push(format!("in {}", described.audiences.join(", ")));
    }
    let channels: Vec<_> = described.channels.iter().map(|channel| channel.name()).collect();
    parts.push(format!("with addresses on {}", channels.join(", ")));
    format!("{text}: {}", parts.join(", "))
}

fn rule_line(rule: &RuleVerdict) -> String {
    let words: Vec<_> = match rule.used {
        true => rule.criteria.iter().map(|criterion| criterion.asks.clone()).collect(),
        false => rule
            .criteria
            .iter()
            .filter(|criterion| !criterion.met)
            .map(|criterion| format!("asks that {}, and {}", criterion.asks, criterion.found))
            .collect(),
    };
    match (rule.used, words.is_empty()) {
        (true, true) => format!("  > {}: used: it asks for nothing", rule.rule),
        (true, false) => format!("  > {}: used: {}", rule.rule, words.join("; ")),
        (false, _) => format!("  - {}: not used: {}", rule.rule, words.join("; ")),
    }
}

fn step_line(step: &StepVerdict) -> String {
    let channels: Vec<_> = step.channels.iter().map(|channel| channel.name()).collect();
    let mode = match step.send {
        SendMode::Best => "the best of",
        SendMode::All => "at once:",
        SendMode::Each => "one after the other:",
    };
    let start = match step.starts_after {
        Span::ZERO => "at once".to_owned(),
        later => format!("after {later}, or as soon as nothing before it can be used"),
    };
    let wait = match step.learned {
        true => format!("as long as receipts take there, {} at most", step.wait),
        false => step.wait.to_string(),
    };
    format!("Step {}, {start}: {mode} {}; waits {wait}", step.number, channels.join(", "))
}

fn gateway_line(gateway: &GatewayVerdict, (name, channel): (usize, usize)) -> String {
    let mark = if gateway.taken { '>' } else { ' ' };
    // Without evidence a share would be a claim.
    let odds = match gateway.now.state {
        State::Unknown => "    -".to_owned(),
        _ => format!("{:>3.0} %", gateway.now.health * 100.0),
    };
    format!(
        "  {mark} {:name$}  {:channel$}  {:10}  {odds}  {}{}",
        gateway.gateway,
        gateway.channel,
        gateway.now.state,
        if gateway.taken { "taken: " } else { "" },
        gateway.why,
    )
}
