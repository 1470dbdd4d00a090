//! A scenario file: an outage as it happened, layer by layer. The format is told in `scenarios/README.md`.
//!
//! Read here: what the emulators can act out. Left out: devices that are offline (`[[phase.recipients]]`) and what is
//! for scoring alone.

use crate::core::channel::Channel;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::Path;

/// The scenario that is built in.
const BUILT_IN: &str = include_str!("scenarios/2021-10-04-meta.toml");
/// The largest file: the longest that exists is a hundredth of it.
const BYTES_MAX: u64 = 1 << 20;
/// The format that is understood.
const SCHEMA: &str = "outage-scenario/1";

/// Why a scenario cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum BadScenario {
    /// It cannot be read.
    #[error("the scenario {path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// It does not follow the format.
    #[error("the scenario {path} is not of the format {SCHEMA}: {why}")]
    Wrong {
        /// The file.
        path: String,
        /// What is wrong, where, and what would be right.
        why: String,
    },
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    schema: String,
    /// Its name.
    pub id: String,
    /// What happened, in a line.
    pub title: String,
    /// The seed that its author chose.
    pub seed: u64,
    /// When its clock starts.
    pub t0: toml::value::Datetime,
    /// How long it is, in seconds.
    pub duration_s: f64,
    #[serde(rename = "region")]
    pub(crate) regions: Vec<Region>,
    #[serde(rename = "vantage")]
    pub(crate) vantages: Vec<Vantage>,
    #[serde(rename = "control", default)]
    pub(crate) controls: Vec<Control>,
    #[serde(rename = "channel")]
    pub(crate) channels: Vec<ChannelModel>,
    #[serde(rename = "class")]
    pub(crate) classes: Vec<Class>,
    #[serde(rename = "load")]
    pub(crate) loads: Vec<Load>,
    #[serde(rename = "phase")]
    pub(crate) phases: Vec<Phase>,
    // For people and for scoring.
    #[serde(rename = "public", default)]
    _public: Option<IgnoredAny>,
    #[serde(rename = "tags", default)]
    _tags: Option<IgnoredAny>,
    #[serde(rename = "tests", default)]
    _tests: Option<IgnoredAny>,
    #[serde(rename = "summary", default)]
    _summary: Option<IgnoredAny>,
    #[serde(rename = "source", default)]
    _sources: Option<IgnoredAny>,
    #[serde(rename = "fact", default)]
    _facts: Option<IgnoredAny>,
    #[serde(rename = "population", default)]
    _population: Option<IgnoredAny>,
    #[serde(rename = "truth", default)]
    _truths: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Region {
    pub(crate) id: String,
    pub(crate) share: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Vantage {
    pub(crate) id: String,
    pub(crate) region: String,
    #[serde(default)]
    pub(crate) can_send: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Control {
    pub(crate) id: String,
    pub(crate) kind: ControlKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ControlKind {
    Dns,
    Http,
}

/// A channel as it normally is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChannelModel {
    pub(crate) id: String,
    pub(crate) admit_per_s: f64,
    pub(crate) admit_burst: f64,
    pub(crate) serve_per_s: f64,
    pub(crate) registered: std::collections::BTreeMap<String, f64>,
    pub(crate) base: Layers,
}

/// Layers' tables; those that are not given stay as they are.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Layers {
    pub(crate) dns: Option<Dns>,
    pub(crate) tcp: Option<Tcp>,
    pub(crate) tls: Option<Tls>,
    pub(crate) http: Option<Http>,
    pub(crate) accept: Option<Accept>,
    pub(crate) deliver: Option<Deliver>,
    pub(crate) receipt: Option<Receipt>,
}

/// A latency: the median in milliseconds, and a shape.
pub(crate) type Ms = [f64; 2];

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            $(pub(crate) $field: f64,)*
            pub(crate) ms: Option<Ms>,
        }

        impl $name {
            /// Returns the shares that exclude each other.
            fn shares(&self) -> f64 {
                0.0 $(+ if stringify!($field) == "ghost" { 0.0 } else { self.$field })*
            }
        }
    };
}

table!(/** Looking a name up. */ Dns { nxdomain, servfail, timeout, hijack });
table!(/** Connecting. */ Tcp { refused, reset, timeout });
table!(/** The handshake. */ Tls { badcert, reset, timeout });
table!(/** Answering a check. */ Http { e4xx, e5xx, timeout });
table!(/** Taking a message; of the time-outs the share `ghost` is taken all the same. */ Accept { reject, timeout, ghost });

/// Bringing a message.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Deliver {
    pub(crate) drop: f64,
    pub(crate) hold: f64,
    pub(crate) hold_until_s: Option<f64>,
    pub(crate) ms: Option<Ms>,
}

/// Saying that it was brought.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Receipt {
    pub(crate) p: f64,
    pub(crate) hold_until_s: Option<f64>,
    pub(crate) ms: Option<Ms>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Class {
    pub(crate) id: String,
    pub(crate) weight: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Load {
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) per_min: Option<f64>,
    pub(crate) at_s: Option<f64>,
    pub(crate) count: Option<u32>,
}

/// A time in which things stay as they are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    #[serde(rename = "effect", default)]
    pub(crate) effects: Vec<Effect>,
    #[serde(rename = "vantage", default)]
    pub(crate) vantages: Vec<Loss>,
    #[serde(rename = "control", default)]
    pub(crate) controls: Vec<ControlFails>,
    /// Devices that are offline, which emulated providers cannot act out.
    #[serde(rename = "recipients", default)]
    pub(crate) devices: Vec<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Effect {
    pub(crate) channel: String,
    pub(crate) scope: String,
    pub(crate) admit_per_s: Option<f64>,
    pub(crate) serve_per_s: Option<f64>,
    #[serde(flatten)]
    pub(crate) layers: Layers,
    #[serde(flatten)]
    pub(crate) blink: Blink,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Loss {
    pub(crate) id: String,
    pub(crate) loss: f64,
    #[serde(flatten)]
    pub(crate) blink: Blink,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ControlFails {
    pub(crate) id: String,
    pub(crate) fail: f64,
    pub(crate) vantage: Option<String>,
    #[serde(flatten)]
    pub(crate) blink: Blink,
}

/// On and off within a phase.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Blink {
    pub(crate) period_s: Option<f64>,
    pub(crate) on_s: Option<f64>,
    pub(crate) offset_s: Option<f64>,
}

// === impls ===

impl Blink {
    /// Says whether it is on at `t`, in a phase that began at `from_s`.
    pub(crate) fn is_on(self, t: f64, from_s: f64) -> bool {
        let (Some(period), Some(on)) = (self.period_s, self.on_s) else { return true };
        (t - from_s - self.offset_s.unwrap_or(0.0)).rem_euclid(period) < on
    }
}

impl Scenario {
    /// Returns 4 October 2021.
    pub fn built_in() -> Result<Scenario, BadScenario> {
        Scenario::parse("2021-10-04-meta.toml", BUILT_IN)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Scenario, BadScenario> {
        let shown = path.display().to_string();
        let unreadable = |why: String| BadScenario::Unreadable { path: shown.clone(), why };
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > BYTES_MAX {
            return Err(unreadable(format!("it has {size} bytes; {BYTES_MAX} are the most")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Scenario::parse(&shown, &text)
    }

    /// Reads a text; `path` is what errors call it.
    pub fn parse(path: &str, text: &str) -> Result<Scenario, BadScenario> {
        let wrong = |why: String| BadScenario::Wrong { path: path.to_owned(), why };
        let scenario: Scenario = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        scenario.check().map_err(wrong)?;
        Ok(scenario)
    }

    /// Says whether devices are offline in some phase.
    pub(crate) fn takes_devices_offline(&self) -> bool {
        self.phases.iter().any(|phase| !phase.devices.is_empty())
    }

    /// Returns the vantage point that sends: the service's own.
    pub(crate) fn here(&self) -> Option<&Vantage> {
        self.vantages.iter().find(|v| v.can_send)
    }

    /// Returns a channel's model.
    pub(crate) fn model(&self, channel: Channel) -> Option<&ChannelModel> {
        self.channels.iter().find(|c| c.id == channel.name())
    }

    /// Returns the phase at `t` and its place.
    pub(crate) fn phase_at(&self, t: f64) -> Option<(usize, &Phase)> {
        let at = self.phases.iter().rposition(|phase| phase.from_s <= t)?;
        Some((at, self.phases.get(at)?))
    }

    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("`schema` is {:?}", self.schema));
        }
        if !(self.duration_s > 0.0 && self.duration_s <= 31.0 * 86_400.0) {
            return Err("`duration_s` must be from 1 s to a month".into());
        }
        if self.here().is_none() {
            return Err("no `[[vantage]]` has `can_send = true`, so nobody could send".into());
        }
        if self.regions.is_empty() || self.regions.iter().any(|r| !(0.0..=1.0).contains(&r.share)) {
            return Err("each `[[region]]` needs a `share` from 0 to 1".into());
        }
        for channel in &self.channels {
            if !super::CHANNELS.iter().any(|known| known.name() == channel.id) {
                let known = super::CHANNELS.map(Channel::name).join(", ");
                return Err(format!("nothing emulates the channel `{}`; there are {known}", channel.id));
            }
            if !(channel.admit_per_s > 0.0 && channel.serve_per_s > 0.0 && channel.admit_burst >= 1.0) {
                return Err(format!("the rates of `{}` must be above 0", channel.id));
            }
            check_layers(&channel.base).map_err(|why| format!("base of `{}`: {why}", channel.id))?;
        }
        for load in &self.loads {
            if !self.classes.iter().any(|class| class.id == load.class) {
                return Err(format!(
                    "the load `{}` has the class `{}`, which there is not",
                    load.id, load.class
                ));
            }
        }
        self.check_phases()
    }

    fn check_phases(&self) -> Result<(), String> {
        let mut end = 0.0;
        for phase in &self.phases {
            if phase.from_s != end || phase.to_s <= phase.from_s {
                return Err(format!(
                    "the phase `{}` is from {} to {} s; the one before ends at {end} s, and phases follow without gap",
                    phase.name, phase.from_s, phase.to_s
                ));
            }
            end = phase.to_s;
            for effect in &phase.effects {
                if effect.channel != "*" && !self.channels.iter().any(|c| c.id == effect.channel) {
                    let name = &effect.channel;
                    return Err(format!(
                        "the phase `{}` acts on `{name}`, which is no channel here",
                        phase.name
                    ));
                }
                check_layers(&effect.layers).map_err(|why| format!("the phase `{}`: {why}", phase.name))?;
                if effect.blink.period_s.is_some_and(|period| period < 1.0) {
                    return Err(format!("the phase `{}` blinks faster than a second", phase.name));
                }
            }
        }
        if end != self.duration_s {
            return Err(format!("the phases end at {end} s, `duration_s` is {}", self.duration_s));
        }
        Ok(())
    }
}

fn check_layers(layers: &Layers) -> Result<(), String> {
    let sums = [
        ("dns", layers.dns.map(|t| t.shares())),
        ("tcp", layers.tcp.map(|t| t.shares())),
        ("tls", layers.tls.map(|t| t.shares())),
        ("http", layers.http.map(|t| t.shares())),
        ("accept", layers.accept.map(|t| t.shares())),
        ("deliver", layers.deliver.map(|t| t.drop + t.hold)),
        ("receipt", layers.receipt.map(|t| t.p)),
    ];
    for (name, sum) in sums {
        if let Some(sum) = sum.filter(|sum| !(0.0..=1.000_001).contains(sum)) {
            return Err(format!("the shares of `{name}` add up to {sum}; 1 is the most"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_scenario_is_sound() {
        let scenario = Scenario::built_in().unwrap();
        assert_eq!(scenario.id, "2021-10-04-meta");
        assert_eq!(scenario.phase_at(6000.0).unwrap().1.name, "gone");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = BUILT_IN.replacen(from, to, 1);
            assert_ne!(text, BUILT_IN, "{from}");
            let shown = Scenario::parse("x.toml", &text).unwrap_err().to_string();
            assert!(shown.contains("x.toml") && shown.contains(expected), "{shown}");
        };
        check("outage-scenario/1", "outage-scenario/9", "`schema` is");
        check("duration_s = 39600", "duration_s = \"long\"", "invalid type");
        check("servfail = 0.93", "servfail = 1.93", "the shares of `dns` add up");
        check("servfail = 0.93", "servfial = 0.93", "servfial");
        check("from_s = 5280\nto_s = 22800", "from_s = 5290\nto_s = 22800", "without gap");
        check("id = \"telegram\"", "id = \"pigeon\"", "nothing emulates the channel `pigeon`");
        check("class = \"high\"", "class = \"lofty\"", "the class `lofty`");
    }
}
