//! Reads a file of contacts: every row, and every mistake with its place.

use super::COLUMNS;
use crate::api::address::{in_country, is_number, knows_country, normalise};
use crate::api::contacts::refusals;
use crate::cli::csv::{Cell, Mistake, Rows, plain};
use crate::cli::table::text;
use crate::core::channel::Channel;
use crate::diag::did_you_mean;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Reads a country's code. Cites: ITU-T E.164: one to three digits, the first not 0.
pub(super) fn country_code(given: &str) -> Result<String, String> {
    let digits = given.strip_prefix('+').unwrap_or(given);
    let is_code = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    match is_code && !digits.starts_with('0') {
        true if knows_country(digits) => Ok(digits.to_owned()),
        true => Err(format!(
            "it is not known here how numbers are dialled inside of +{digits}; write them in the file with + and the country's code"
        )),
        false => Err("a country's code has one to three digits, as 970".into()),
    }
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) contacts: Vec<Value>,
    pub(super) mistakes: Vec<Mistake>,
    /// Where an address stands that an earlier row has.
    pub(super) shared: Vec<Mistake>,
}

/// Reads every row, and every mistake.
pub(super) fn check(text: &str, country: Option<&str>) -> Checked {
    let mut rows = Rows::new(text);
    let bad = |mistakes| Checked { mistakes, ..Checked::default() };
    let columns = match rows.next() {
        None => return bad(vec![mistake(1, 1, "the file is empty; its first line names the columns")]),
        Some(Err(mistake)) => return bad(vec![mistake]),
        Some(Ok(head)) => match columns(&head) {
            Ok(columns) => columns,
            Err(mistakes) => return bad(mistakes),
        },
    };
    let (mut checked, mut seen, mut addresses) = (Checked::default(), BTreeMap::new(), BTreeMap::new());
    for row in rows {
        let cells = match row {
            Ok(cells) => cells,
            Err(mistake) => {
                checked.mistakes.push(mistake);
                continue;
            }
        };
        let line = cells.first().map_or(0, |cell| cell.line);
        match contact(&columns, &cells, country) {
            Ok((id, contact)) => match seen.insert(id, line) {
                None => {
                    checked.shared.extend(shared(&columns, &cells, &contact, &mut addresses));
                    checked.contacts.push(contact);
                }
                Some(earlier) => {
                    let why = format!(
                        "this id is on line {earlier} already; give each person one row, and an id of its own"
                    );
                    checked.mistakes.push(mistake(line, 1, why));
                }
            },
            Err(mut found) => checked.mistakes.append(&mut found),
        }
    }
    checked
}

/// Names the cells of a row whose address an earlier row has.
fn shared(
    columns: &[&'static str],
    cells: &[Cell<'_>],
    contact: &Value,
    seen: &mut BTreeMap<(&'static str, String), usize>,
) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (column, cell) in columns.iter().zip(cells).filter(|(column, _)| column.parse::<Channel>().is_ok()) {
        let Some(address) = contact[*column].as_str() else { continue };
        let earlier = *seen.entry((column, address.to_owned())).or_insert(cell.line);
        if earlier != cell.line {
            let why = format!("{column}: line {earlier} has the same address; is it the same person?");
            found.push(mistake(cell.line, cell.column, why));
        }
    }
    found
}

fn mistake(line: usize, column: usize, why: impl Into<String>) -> Mistake {
    Mistake { line, column, why: why.into() }
}

/// Reads the first line: which column is what.
fn columns(head: &[Cell<'_>]) -> Result<Vec<&'static str>, Vec<Mistake>> {
    let known: Vec<&'static str> = COLUMNS
        .into_iter()
        .chain(Channel::ALL.into_iter().map(Channel::name).filter(|name| !COLUMNS.contains(name)))
        .collect();
    let (mut columns, mut mistakes) = (Vec::new(), Vec::new());
    for cell in head {
        let name = cell.value.trim();
        match known.iter().find(|k| k.eq_ignore_ascii_case(name)) {
            Some(known) if columns.contains(known) => {
                mistakes.push(mistake(cell.line, cell.column, format!("the column `{name}` is there twice")));
            }
            Some(known) => columns.push(*known),
            None => {
                let near = did_you_mean(name, known.iter().copied());
                // It is not repeated: without a first line of names, it is somebody's name or number.
                mistakes.push(mistake(cell.line, cell.column, format!("there is no such column; {near}")));
            }
        }
    }
    if mistakes.is_empty() && !columns.contains(&"id") {
        mistakes.push(mistake(1, 1, "the column `id` is missing: it is how messages name a contact"));
    }
    if mistakes.is_empty() { Ok(columns) } else { Err(mistakes) }
}

/// Reads one row: its id, and the contact as the service takes it.
fn contact(
    columns: &[&'static str],
    cells: &[Cell<'_>],
    country: Option<&str>,
) -> Result<(String, Value), Vec<Mistake>> {
    let (line, last) = (cells.first().map_or(0, |c| c.line), cells.last().map_or(1, |c| c.column));
    if cells.len() != columns.len() {
        let why = format!("this row has {} cells and the first line names {}", cells.len(), columns.len());
        return Err(vec![mistake(line, last, why)]);
    }
    let (mut contact, mut mistakes) = (Map::new(), Vec::new());
    for (column, cell) in columns.iter().zip(cells) {
        match value(column, plain(&cell.value), country) {
            Ok(Some(value)) => drop(contact.insert((*column).into(), value)),
            Ok(None) => {}
            Err(why) => mistakes.push(mistake(cell.line, cell.column, format!("{column}: {why}"))),
        }
    }
    let id = contact.get("id").map_or("", text).to_string();
    if !id.is_empty() {
        mistakes.extend(refusals(&contact).into_iter().map(|(key, why)| {
            let at = columns.iter().zip(cells).find(|(column, _)| **column == key);
            mistake(at.map_or(line, |(_, cell)| cell.line), at.map_or(1, |(_, cell)| cell.column), why)
        }));
    } else if mistakes.is_empty() {
        mistakes.push(mistake(line, 1, "id: every contact needs one"));
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok((id, contact.into())) } else { Err(mistakes) }
}

/// Reads one cell; nothing where it is empty.
fn value(column: &str, cell: &str, country: Option<&str>) -> Result<Option<Value>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    if cell.chars().any(char::is_control) {
        return Err("it holds a line break or another control character".into());
    }
    if column == "audiences" {
        let names: Vec<_> = cell.split(';').map(str::trim).filter(|name| !name.is_empty()).collect();
        return Ok(Some(names.into()));
    }
    match column.parse::<Channel>() {
        Ok(channel) if is_number(channel) && is_rounded(cell) => {
            Err("a spreadsheet has rounded this number; format the column as text, and write it again".into())
        }
        Ok(channel) => {
            let abroad = country.filter(|_| is_number(channel)).and_then(|code| in_country(cell, code));
            let address = normalise(channel, abroad.as_deref().unwrap_or(cell));
            address.map(|address| Some(address.into())).map_err(|why| why.to_string())
        }
        Err(_) => Ok(Some(cell.into())),
    }
}

/// Says whether a number stands as spreadsheets show long ones: `9.70599E+11`.
fn is_rounded(cell: &str) -> bool {
    let (digits, power) = cell.split_once(['E', 'e']).unwrap_or_default();
    let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '+'));
    !digits.is_empty() && !power.is_empty() && is_digits(digits) && is_digits(power)
}

#[cfg(test)]
mod tests {
    use super::super::csv;
    use super::*;
    use serde_json::json;
    use std::fmt::Write as _;

    #[test]
    fn rows_become_contacts_and_come_back() {
        let file = "id,name,audiences,sms,matrix\nc-1,أمل,east; north,00970 599 000 001,@amal:example.org\n\
                    c-2,\"Said, A.\",,,\n";
        let Checked { contacts, mistakes, .. } = check(file, None);
        assert_eq!(mistakes, []);
        let amal = json!({"id": "c-1", "name": "أمل", "audiences": ["east", "north"],
            "sms": "+970599000001", "matrix": "@amal:example.org"});
        assert_eq!(contacts, [amal, json!({"id": "c-2", "name": "Said, A."})]);
        let again = check(&csv(&contacts), None);
        assert_eq!((again.contacts, again.mistakes), (contacts, vec![]));
    }

    #[test]
    fn every_mistake_is_told_where_it_is() {
        let file = "id,sms,email\nc-1,0599,x\n,,\nc-2,+970599000001,\nc-2,,\nc-3,\"\n";
        let Checked { contacts, mistakes, .. } = check(file, None);
        let places: Vec<_> = mistakes.iter().map(|m| (m.line, m.column)).collect();
        assert_eq!(places, [(2, 5), (2, 10), (3, 1), (5, 1), (6, 5)], "{mistakes:?}");
        assert_eq!(contacts.len(), 1);
        assert!(mistakes[0].why.contains("country") && mistakes[3].why.contains("line 4"), "{mistakes:?}");
    }

    #[test]
    fn what_the_service_refuses_is_a_mistake_before_anything_is_sent() {
        let long = "x".repeat(201);
        let many = (0..51).map(|n| format!("a-{n}")).collect::<Vec<_>>().join(";");
        let file = format!(
            "id,language,region,audiences,sms\nc-1,arabic,{long},,0599\nc-2,ar,,{many},\nc-3,ar-PS,east,a;b,\n"
        );
        let Checked { contacts, mistakes, .. } = check(&file, None);
        let places: Vec<_> = mistakes.iter().map(|m| (m.line, m.column)).collect();
        assert_eq!(places, [(2, 5), (2, 12), (2, 215), (3, 9)], "{mistakes:?}");
        assert!(mistakes[0].why.contains("`language`: a language is a tag"), "{mistakes:?}");
        assert_eq!(contacts.len(), 1);
    }

    #[test]
    fn the_first_line_is_read_strictly() {
        let check_head = |head: &str, word: &str| {
            let mistakes = check(head, None).mistakes;
            assert!(mistakes.len() == 1 && mistakes[0].why.contains(word), "{mistakes:?}");
        };
        check_head("", "empty");
        check_head("id,whatsap\n", "`whatsapp`");
        check_head("id;nam\n", "`name`");
        check_head("id,id\n", "twice");
        check_head("name\n", "`id` is missing");
    }

    #[test]
    fn a_file_as_spreadsheets_and_people_write_it_is_read() {
        let file = "\u{feff}ID;Name;Audiences;SMS;voice\r\nc-1;أمل;\"شرق;staff\";٠٥٩٩ ٠٠٠ ٠٠١;\r\nc-2;Said;;00970 599000002;0599-000-001\r\n\
                    c-3;Rounded;;9.70599E+11;\r\nc-4;Bare;;599000001;\r\nc-5;Amal;;+970599000001;\r\n";
        let checked = check(file, Some("970"));
        let amal = json!({"id": "c-1", "name": "أمل", "audiences": ["شرق", "staff"], "sms": "+970599000001"});
        let said = json!({"id": "c-2", "name": "Said", "sms": "+970599000002", "voice": "+970599000001"});
        assert_eq!(checked.contacts[..2], [amal, said]);
        let places = |found: &[Mistake]| found.iter().map(|m| (m.line, m.column)).collect::<Vec<_>>();
        assert_eq!(places(&checked.mistakes), [(4, 14), (5, 11)], "{:?}", checked.mistakes);
        assert!(checked.mistakes[0].why.contains("as text"), "{:?}", checked.mistakes);
        // The same number twice in one column; in another it is no news.
        assert_eq!(places(&checked.shared), [(6, 11)], "{:?}", checked.shared);
        assert!(checked.shared[0].why.contains("line 2"), "{:?}", checked.shared);
    }

    #[test]
    fn a_country_is_its_code() {
        assert_eq!((country_code("970"), country_code("+970")), (Ok("970".into()), Ok("970".into())));
        assert!(["", "0", "0970", "ps", "9700", "36", "7"].iter().all(|wrong| country_code(wrong).is_err()));
    }

    #[test]
    fn a_hundred_thousand_rows_are_read_quickly() {
        let mut file = String::from("id,name,audiences,sms\n");
        (0..100_000).for_each(|n| writeln!(file, "c-{n},Name {n},east;north,'+97059{n:07}").unwrap());
        let began = std::time::Instant::now();
        let Checked { contacts, mistakes, .. } = check(&file, None);
        assert_eq!((contacts.len(), mistakes.len()), (100_000, 0));
        // Ten times what a debug build on a slow machine takes.
        assert!(began.elapsed() < std::time::Duration::from_secs(30));
    }
}
