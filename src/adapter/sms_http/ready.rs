//! The descriptions that come with Wasl, each as a file would write it: `like = "kannel"` lays a gateway's own keys over
//! one of them.

use crate::diag::{Diagnostic, Diagnostics, Source, Spanned, Table, nearest};

/// Every ready description, by its name.
pub(super) const READY: &[(&str, &str)] = &[
    ("kannel", include_str!("ready/kannel.toml")),
    ("jasmin", include_str!("ready/jasmin.toml")),
    ("infobip", include_str!("ready/infobip.toml")),
    ("vonage", include_str!("ready/vonage.toml")),
    ("sms-gate", include_str!("ready/sms-gate.toml")),
];

/// Says which name was probably meant, and which there are.
fn known(name: &str) -> String {
    let all: Vec<_> = READY.iter().map(|(known, _)| format!("`{known}`")).collect();
    let near = nearest(name, READY.iter().map(|(known, _)| *known));
    let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
    format!("{near}there are {}; for another gateway, describe it without `like`", all.join(", "))
}

/// Returns the description of a name.
pub(super) fn described(name: &Spanned<String>, diags: &mut Diagnostics) -> Option<Table> {
    let Some((known, text)) = READY.iter().find(|(known, _)| *known == name.value) else {
        diags.push(
            Diagnostic::error("unknown-name", format!("there is no ready description `{}`", name.value))
                .at(&name.place, "not one that comes with Wasl")
                .help(known(&name.value)),
        );
        return None;
    };
    let mut table = Table::parse(&Source::new(format!("sms-http/{known}.toml (built in)"), *text), diags)?;
    table.call(format!("the ready description `{known}`"));
    Some(table)
}
