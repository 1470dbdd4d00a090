//! What a probe is for: one gateway with its settings, and texts with placeholders that are filled from them.
//!
//! Invariant: a filled text may hold a secret, so it has no `Debug`, and no error repeats it.

use crate::core::channel::{Channel, GatewayId};
use crate::diag::{Said, Secret};
use crate::settings::GatewaySettings;
use std::collections::{BTreeMap, BTreeSet};

/// A gateway as probes know it: its name and its settings from `wasl.toml`, as text.
#[derive(Clone, Debug)]
pub struct Target {
    /// The gateway's id.
    pub gateway: GatewayId,
    /// Its name.
    pub name: String,
    /// Its channel.
    pub channel: Channel,
    /// Its adapter's name: `whatsapp-cloud`.
    pub adapter: String,
    settings: BTreeMap<String, Said>,
    /// The secrets that are configured and could not be fetched: that is an error of its own.
    unread: BTreeSet<String>,
}

/// A text with placeholders such as `{base_url}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Said(String),
    Place(String),
}

/// How a filled-in value is written, so that it stays one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Escape {
    /// As it is.
    None,
    /// Percent-encoded, but for a value that stands first: that is the base.
    Url,
    /// As the inside of a JSON string.
    Json,
}

/// A placeholder has no value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{{{0}}}` has no value")]
pub struct Unset(pub String);

// === impl Target ===

impl Target {
    /// Starts a gateway without settings.
    pub fn new(
        gateway: GatewayId,
        name: impl Into<String>,
        channel: Channel,
        adapter: impl Into<String>,
    ) -> Target {
        let (settings, unread) = (BTreeMap::new(), BTreeSet::new());
        Target { gateway, name: name.into(), channel, adapter: adapter.into(), settings, unread }
    }

    /// Takes a gateway's settings. Call before its adapter is built, which takes its own keys away.
    pub fn of(gateway: GatewayId, settings: &GatewaySettings) -> Target {
        let config = &settings.config;
        let mut target =
            Target::new(gateway, config.name.as_str(), config.channel, settings.adapter.as_str());
        target.settings = settings.rest.said();
        target.unread = settings.rest.unsaid();
        let ca_file = settings.ca_file.as_ref().map(|path| path.display().to_string());
        for (key, value) in [("base_url", settings.base_url.clone()), ("ca_file", ca_file)] {
            if let Some(value) = value {
                target = target.plain(key, value);
            }
        }
        target
    }

    /// Adds a setting, or replaces it.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: Said) -> Target {
        self.settings.insert(key.into(), value);
        self
    }

    /// Adds a setting that may be shown.
    #[must_use]
    pub fn plain(self, key: impl Into<String>, value: impl Into<String>) -> Target {
        self.with(key, Said::Plain(value.into()))
    }

    /// Adds a setting that must never be seen.
    #[must_use]
    pub fn hidden(self, key: impl Into<String>, value: Secret) -> Target {
        self.with(key, Said::Hidden(value))
    }

    /// Returns this gateway with `defaults` for what it does not set.
    pub(crate) fn or(&self, defaults: &BTreeMap<String, String>) -> Target {
        let mut filled = self.clone();
        for (key, value) in defaults {
            filled.settings.entry(key.clone()).or_insert_with(|| Said::Plain(value.clone()));
        }
        filled
    }

    /// Returns a setting's value, secret or not: hand it to the provider, never to a log or an error.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        match self.settings.get(key)? {
            Said::Plain(value) => Some(value),
            Said::Hidden(secret) => Some(secret.expose()),
        }
    }

    /// Says whether a setting is there whose secret could not be fetched.
    pub(crate) fn cannot_read(&self, key: &str) -> bool {
        self.unread.contains(key)
    }

    /// Returns a setting's value, or which one is not set.
    pub(crate) fn required(&self, key: &str) -> Result<&str, Unset> {
        self.value(key).ok_or_else(|| Unset(key.to_owned()))
    }
}

// === impl Text ===

impl Text {
    /// Splits a text at its placeholders: `{`, a word of `a-z`, `0-9` and `_`, `}`. Other braces are text, so JSON can
    /// be written as it is.
    pub(crate) fn parse(text: &str) -> Text {
        let mut pieces = Vec::new();
        let mut said = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            said.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            let word =
                inside.find(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_')).unwrap_or(inside.len());
            if word > 0 && inside[word..].starts_with('}') {
                if !said.is_empty() {
                    pieces.push(Piece::Said(std::mem::take(&mut said)));
                }
                pieces.push(Piece::Place(inside[..word].to_owned()));
                rest = &inside[word + 1..];
            } else {
                said.push('{');
                rest = inside;
            }
        }
        said.push_str(rest);
        if !said.is_empty() {
            pieces.push(Piece::Said(said));
        }
        Text(pieces)
    }

    /// Fills the placeholders from a gateway's settings.
    pub(crate) fn fill(&self, target: &Target, escape: Escape) -> Result<String, Unset> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Said(said) => filled.push_str(said),
                Piece::Place(key) => {
                    let value = target.required(key)?;
                    match escape {
                        Escape::None => filled.push_str(value),
                        // A base that ends in a slash must not double the one that follows.
                        Escape::Url if filled.is_empty() => filled.push_str(value.trim_end_matches('/')),
                        Escape::Url => percent_encode(value, &mut filled),
                        Escape::Json => json_escape(value, &mut filled),
                    }
                }
            }
        }
        Ok(filled)
    }
}

/// Writes what a path segment may hold and percent-encodes the rest.
///
/// Cites: RFC 3986 section 3.3 (`pchar`, without the sub-delimiters that have a meaning in a query). The colon stays,
/// since Telegram's token stands in the path and has one.
fn percent_encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn json_escape(value: &str, out: &mut String) {
    let quoted = serde_json::Value::from(value).to_string();
    out.push_str(&quoted[1..quoted.len() - 1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::new(GatewayId(0), "t", Channel::Telegram, "telegram-bot")
            .plain("base_url", "https://api.telegram.org/")
            .plain("account", "+1555\"1")
            .hidden("bot_token", Secret::new("12:A/B"))
    }

    #[test]
    fn placeholders_are_filled_and_escaped() {
        let check = |text, escape, expected: Result<&str, &str>| {
            let filled = Text::parse(text).fill(&target(), escape);
            assert_eq!(filled, expected.map(str::to_owned).map_err(|key| Unset(key.into())), "{text}");
        };
        check(
            "{base_url}/bot{bot_token}/getMe",
            Escape::Url,
            Ok("https://api.telegram.org/bot12:A%2FB/getMe"),
        );
        check("https://x/{account}", Escape::Url, Ok("https://x/%2B1555%221"));
        check(r#"{"a":"{account}","b":{}}"#, Escape::Json, Ok(r#"{"a":"+1555\"1","b":{}}"#));
        check("{Account} {a-b} {", Escape::None, Ok("{Account} {a-b} {"));
        check("", Escape::None, Ok(""));
        check("Bearer {access_token}", Escape::None, Err("access_token"));
    }

    #[test]
    fn a_secret_is_not_shown_and_a_default_gives_way() {
        let shown = format!("{:?}", target());
        assert!(!shown.contains("12:A/B") && shown.contains("***"), "{shown}");
        let defaults = BTreeMap::from([
            ("base_url".to_owned(), "https://else".to_owned()),
            ("api_version".to_owned(), "v23.0".to_owned()),
        ]);
        let filled = target().or(&defaults);
        assert_eq!(filled.value("base_url"), Some("https://api.telegram.org/"));
        assert_eq!(filled.value("api_version"), Some("v23.0"));
    }
}
