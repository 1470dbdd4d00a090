//! Which audiences there are. A name that nobody has is refused: an empty list would read as "everybody is reached".

use super::App;
use super::address::may_be_address;
use super::call::bad_value;
use super::problem::Problem;
use super::service::Service;
use crate::core::query::{Answer as Found, Query, ROWS_MAX};
use crate::core::reach::AUDIENCES_MAX;
use crate::diag::nearest;
use std::collections::BTreeSet;

/// How many audiences an error names: they fit on a few lines of a terminal.
const NAMED_MAX: usize = 12;

/// Refuses a name that no audience of the address book has; `asked` pairs each with the key that it was given by.
pub(super) async fn expect_known(app: &App, asked: &[(&str, &str)]) -> Result<(), Problem> {
    let reach = app.service.reach();
    let mut unknown = asked.to_vec();
    unknown.retain(|(_, name)| !reach.audiences.contains_key(*name));
    if unknown.is_empty() {
        return Ok(());
    }
    // The count may be older than the address book, which is what decides.
    let (mut known, mut after) = (BTreeSet::new(), None);
    loop {
        let page = match app.service.read(Query::Contacts { after, limit: ROWS_MAX }).await? {
            Found::Contacts(page) => page,
            _ => Vec::new(),
        };
        for audience in page.iter().flat_map(|contact| &contact.person.audiences) {
            unknown.retain(|(_, name)| name != audience);
            if known.len() < AUDIENCES_MAX && !known.contains(audience) {
                known.insert(audience.clone());
            }
        }
        let Some((key, name)) = unknown.first() else { return Ok(()) };
        if page.len() < ROWS_MAX {
            return Err(none(key, name, known.iter().map(String::as_str)));
        }
        after = page.last().map(|contact| contact.id.clone());
    }
}

/// Says that an audience has nobody, as counted last.
pub(super) fn nobody(service: &dyn Service, key: &str, name: &str) -> Problem {
    none(key, name, service.reach().audiences.keys().map(String::as_str))
}

/// Says that there is no such audience, and which there are; but not what could be somebody's address, put in the wrong place.
fn none<'a>(key: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    if may_be_address(name) {
        let why =
            "no contact belongs to the audience that is named here; an address goes by its channel, as `sms`";
        return bad_value(key, why);
    }
    let near = nearest(name, known.clone()).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    let shown: Vec<_> = known.clone().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
    let are = match (shown.len(), known.count() - shown.len()) {
        (0, _) => "the address book has no audience yet: import contacts that have one".to_owned(),
        (_, 0) => format!("the audiences are {}", shown.join(", ")),
        (_, more) => format!("the audiences are {} and {more} more", shown.join(", ")),
    };
    let between = if near.is_empty() { "; " } else { " " };
    bad_value(key, format!("no contact belongs to the audience `{name}`{near}{between}{are}"))
        .with("name", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_audience_is_refused_with_those_that_there_are() {
        let check = |name: &str, known: &[&str], expected: &str| {
            assert_eq!(
                none("audience", name, known.iter().copied()).detail(),
                format!("`audience`: {expected}")
            );
        };
        let both = ["residents", "staff"];
        check(
            "nix",
            &both,
            "no contact belongs to the audience `nix`; the audiences are `residents`, `staff`",
        );
        check(
            "resident",
            &both,
            "no contact belongs to the audience `resident`; did you mean `residents`? the audiences are `residents`, `staff`",
        );
        check(
            "nix",
            &[],
            "no contact belongs to the audience `nix`; the address book has no audience yet: import contacts that have one",
        );
        let many: Vec<_> = (10..99).map(|n| format!("area-{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(none("first", "nix", many.iter().copied()).detail().ends_with("`area-21` and 77 more"));
        assert!(!none("to", "+970599000001", both.iter().copied()).detail().contains("970"));
    }
}
