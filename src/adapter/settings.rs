//! What adapters' readers of their own keys share.

use super::http::{Client, Origin};
use super::net::{Net, Tls};
use crate::diag::{Diagnostic, Diagnostics, Secret, Spanned, Table};
use crate::settings::GatewaySettings;
use hyper::header::HeaderValue;

/// Says whether a text is digits alone, at least one.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Builds the client for a gateway's `base_url` and `ca_file`.
pub(super) fn client(
    settings: &mut GatewaySettings,
    net: &Net,
    default_url: Option<&str>,
    diags: &mut Diagnostics,
) -> Option<Client> {
    let Some(url) = settings.base_url.as_deref().or(default_url) else {
        settings.rest.missing("base_url", diags);
        return None;
    };
    match url.parse::<Origin>() {
        Ok(origin) => client_of(settings, origin, net, diags),
        Err(why) => {
            let message = format!("`base_url` of {} cannot be used: {why}", settings.rest.called());
            diags.push(
                Diagnostic::error("bad-url", message)
                    .at(&settings.place, "in this gateway")
                    .help("write it as `https://host:port/prefix`"),
            );
            None
        }
    }
}

/// Builds the client of an origin, with the trust in the gateway's `ca_file`.
pub(super) fn client_of(
    settings: &GatewaySettings,
    origin: Origin,
    net: &Net,
    diags: &mut Diagnostics,
) -> Option<Client> {
    let tls = if origin.is_tls() { Some(tls(settings, diags)?) } else { None };
    Client::new(net.clone(), origin, tls).ok()
}

/// Builds the trust in a gateway's `ca_file`, beside the system's roots.
pub(super) fn tls(settings: &GatewaySettings, diags: &mut Diagnostics) -> Option<Tls> {
    match Tls::new(settings.ca_file.as_deref()) {
        Ok(tls) => Some(tls),
        Err(error) => {
            let message = format!("TLS of {} cannot be set up: {error}", settings.rest.called());
            diags.push(
                Diagnostic::error("bad-ca-file", message)
                    .at(&settings.place, "in this gateway")
                    .help("let `ca_file` name a file of PEM certificates"),
            );
            None
        }
    }
}

/// Reads a string that must look a certain way, where it is there.
pub(super) fn matching(
    table: &mut Table,
    key: &'static str,
    wanted: &str,
    test: fn(&str) -> bool,
    diags: &mut Diagnostics,
) -> Option<String> {
    let text = table.string(key, diags)?;
    checked(table, key, text, wanted, test, diags)
}

/// Reads a string that must be there and look a certain way.
pub(super) fn required(
    table: &mut Table,
    key: &'static str,
    wanted: &str,
    test: fn(&str) -> bool,
    diags: &mut Diagnostics,
) -> Option<String> {
    let text = table.required_string(key, diags)?;
    checked(table, key, text, wanted, test, diags)
}

fn checked(
    table: &Table,
    key: &str,
    text: Spanned<String>,
    wanted: &str,
    test: fn(&str) -> bool,
    diags: &mut Diagnostics,
) -> Option<String> {
    if test(&text.value) {
        return Some(text.value);
    }
    diags.push(
        Diagnostic::error("bad-value", format!("`{key}` of {} does not look right", table.called()))
            .at(&text.place, format!("this is not {wanted}"))
            .help(format!("write {wanted}")),
    );
    None
}

/// Builds the header that carries a token.
pub(super) fn bearer(
    key: &str,
    token: &Secret,
    table: &Table,
    diags: &mut Diagnostics,
) -> Option<HeaderValue> {
    match HeaderValue::try_from(format!("Bearer {}", token.expose())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            bad_secret(key, COPIED_BADLY, table, diags);
            None
        }
    }
}

/// What to do about a secret that is the provider's, and is not as the provider gives them.
pub(super) const COPIED_BADLY: &str = "it is not one that the provider gives: look for blanks, line ends and characters \
                                       that got lost in copying";

/// Reports that a secret holds what it cannot hold, without showing it.
pub(super) fn bad_secret(key: &str, help: &str, table: &Table, diags: &mut Diagnostics) {
    let message = format!("`{key}` of {} is not one that can be used", table.called());
    diags.push(Diagnostic::error("bad-secret", message).at(table.place(), "in this gateway").help(help));
}
