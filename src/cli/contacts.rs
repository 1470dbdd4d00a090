//! `wasl contacts import FILE.csv` and `export`: the address book, through the running service.
//!
//! Every row is checked before anything is sent, by what the service itself checks, so that a file with a mistake changes
//! nothing; each mistake is shown with its line and column.

use super::client::{At, Client};
use super::csv::{Cell, Mistake, Rows, cell, plain};
use super::status::rows;
use super::table::{self, text};
use super::{Done, Failure};
use crate::api::address::normalise;
use crate::api::contacts::{CONTACT_ROWS_MAX, CONTACTS_BYTES_MAX, refusals};
use crate::core::channel::Channel;
use crate::diag::did_you_mean;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How many bytes of rows go in one call: what the service takes, without what stands around them.
const BATCH_BYTES: usize = CONTACTS_BYTES_MAX - 1_024;
/// The largest file: a million rows of the longest kind.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// How many mistakes are printed; the rest are counted.
const MISTAKES_SHOWN: usize = 100;
/// How many rows one page of an export has: the most that the service gives.
const PAGE_ROWS: usize = 200;

/// The columns of an export. Cites: the contract's order.
const COLUMNS: [&str; 14] = [
    "id",
    "name",
    "language",
    "region",
    "sector",
    "audiences",
    "whatsapp",
    "signal",
    "telegram",
    "sms",
    "email",
    "voice",
    "consent",
    "deputy",
];

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand, Debug)]
enum Act {
    /// Put the rows of a file into the address book, replacing those of the same id
    Import(Import),
    /// Print the address book
    Export(Export),
}

#[derive(clap::Args, Debug)]
struct Import {
    /// The file; `-` reads standard input
    file: PathBuf,
    /// Only say what is wrong with it
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(clap::Args, Debug)]
struct Export {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Imports or exports.
pub(super) fn run(args: &Args) -> Done {
    match &args.act {
        Act::Import(import) => self::import(import),
        Act::Export(export) => self::export(export),
    }
}

fn import(args: &Import) -> Done {
    let text = read(&args.file)?;
    let (contacts, mistakes) = check(&text);
    if !mistakes.is_empty() {
        return Err(tell(args, contacts.len(), &mistakes));
    }
    if !args.dry_run {
        put_all(&args.at.client()?, &contacts)?;
    }
    let (done, word) = if args.dry_run {
        ("checked", "checked, all fine; nothing was stored")
    } else {
        ("stored", "stored")
    };
    match args.json {
        true => table::json(&json!({done: contacts.len(), "mistakes": []})),
        false => {
            let contacts = table::count(&json!(contacts.len()), "contact", "contacts");
            table::print(&format!("{contacts} {word}\n"));
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    let bad = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text),
        _ => std::fs::File::open(file).and_then(|f| f.take(FILE_BYTES_MAX).read_to_string(&mut text)),
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(bad("it is not UTF-8; save it as `CSV UTF-8`".into()))
        }
        Err(error) => Err(bad(error.to_string())),
    }
}

/// Shows every mistake, and gives the failure that ends the command.
fn tell(args: &Import, good: usize, mistakes: &[Mistake]) -> Failure {
    if args.json {
        let listed: Vec<_> =
            mistakes.iter().map(|m| json!({"line": m.line, "column": m.column, "why": m.why})).collect();
        table::json(&json!({"stored": 0, "mistakes": listed}));
        return Failure::Told;
    }
    for mistake in mistakes.iter().take(MISTAKES_SHOWN) {
        eprintln!("{}:{mistake}", args.file.display());
    }
    let more = mistakes.len().saturating_sub(MISTAKES_SHOWN);
    if more > 0 {
        eprintln!("and {more} more");
    }
    Failure::No(format!("{} mistakes, {good} rows are fine; nothing was stored", mistakes.len()))
}

fn put_all(client: &Client, contacts: &[Value]) -> Done {
    let mut stored = 0;
    for batch in batches(contacts) {
        client.post("/v1/contacts", &json!({"contacts": batch})).map_err(|failure| {
            let text = format!(
                "{failure}; {stored} of {} contacts are stored; the import may be repeated",
                contacts.len()
            );
            match failure {
                Failure::Unreachable(_) => Failure::Unreachable(text),
                _ => Failure::No(text),
            }
        })?;
        stored += batch.len();
    }
    Ok(())
}

/// Splits contacts into calls that the service takes.
fn batches(mut contacts: &[Value]) -> impl Iterator<Item = &[Value]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |contact: &&Value| {
            bytes += contact.to_string().len() + 1;
            bytes <= BATCH_BYTES
        };
        // One alone always fits: its longest cells are a hundredth of it.
        let rows = contacts.iter().take(CONTACT_ROWS_MAX).take_while(fits).count().max(1);
        let (batch, rest) = contacts.split_at_checked(rows)?;
        contacts = rest;
        Some(batch)
    })
}

/// Reads every row, and every mistake.
fn check(text: &str) -> (Vec<Value>, Vec<Mistake>) {
    let mut rows = Rows::new(text);
    let columns = match rows.next() {
        None => return (vec![], vec![mistake(1, 1, "the file is empty; its first line names the columns")]),
        Some(Err(mistake)) => return (vec![], vec![mistake]),
        Some(Ok(head)) => match columns(&head) {
            Ok(columns) => columns,
            Err(mistakes) => return (vec![], mistakes),
        },
    };
    let (mut contacts, mut mistakes, mut seen) = (Vec::new(), Vec::new(), BTreeMap::new());
    for row in rows {
        let cells = match row {
            Ok(cells) => cells,
            Err(mistake) => {
                mistakes.push(mistake);
                continue;
            }
        };
        let line = cells.first().map_or(0, |cell| cell.line);
        match contact(&columns, &cells) {
            Ok((id, contact)) => match seen.insert(id, line) {
                None => contacts.push(contact),
                Some(earlier) => {
                    mistakes.push(mistake(line, 1, format!("this id is on line {earlier} already")))
                }
            },
            Err(mut found) => mistakes.append(&mut found),
        }
    }
    (contacts, mistakes)
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
        match known.iter().find(|k| **k == name) {
            Some(known) if columns.contains(known) => {
                mistakes.push(mistake(cell.line, cell.column, format!("the column `{name}` is there twice")));
            }
            Some(known) => columns.push(*known),
            None if name.contains(';') && head.len() == 1 => {
                mistakes.push(mistake(
                    cell.line,
                    cell.column,
                    "the columns are separated by `;`; save it with commas",
                ));
            }
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
fn contact(columns: &[&'static str], cells: &[Cell<'_>]) -> Result<(String, Value), Vec<Mistake>> {
    let (line, last) = (cells.first().map_or(0, |c| c.line), cells.last().map_or(1, |c| c.column));
    if cells.len() != columns.len() {
        let why = format!("this row has {} cells and the first line names {}", cells.len(), columns.len());
        return Err(vec![mistake(line, last, why)]);
    }
    let (mut contact, mut mistakes) = (Map::new(), Vec::new());
    for (column, cell) in columns.iter().zip(cells) {
        match value(column, plain(&cell.value)) {
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
fn value(column: &str, cell: &str) -> Result<Option<Value>, String> {
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
        Ok(channel) => {
            normalise(channel, cell).map(|address| Some(address.into())).map_err(|why| why.to_string())
        }
        Err(_) => Ok(Some(cell.into())),
    }
}

fn export(args: &Export) -> Done {
    let client = args.at.client()?;
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/contacts?limit={PAGE_ROWS}{after}"))?;
        all.extend_from_slice(rows(&page["contacts"]));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", escaped(next)),
            None => break,
        }
    }
    match args.json {
        true => table::json(&json!({"contacts": all})),
        false => table::print(&csv(&all)),
    }
    Ok(())
}

/// Writes contacts as an import reads them. Channels that the contract's columns lack follow, where somebody has one.
fn csv(contacts: &[Value]) -> String {
    let used = |name: &str| contacts.iter().any(|contact| !contact[name].is_null());
    let others =
        Channel::ALL.into_iter().map(Channel::name).filter(|name| !COLUMNS.contains(name) && used(name));
    let columns: Vec<_> = COLUMNS.into_iter().chain(others).collect();
    let mut out = format!("{}\n", columns.join(","));
    for contact in contacts {
        let cells: Vec<_> = columns
            .iter()
            .map(|column| match &contact[*column] {
                Value::Array(names) => cell(&names.iter().map(text).collect::<Vec<_>>().join(";")),
                value => cell(text(value)),
            })
            .collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// Writes a text as a part of a query. Cites: RFC 3986 section 2.3.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_contacts_and_come_back() {
        let file = "id,name,audiences,sms,matrix\nc-1,أمل,east; north,00970 599 000 001,@amal:example.org\n\
                    c-2,\"Said, A.\",,,\n";
        let (contacts, mistakes) = check(file);
        assert_eq!(mistakes, []);
        let amal = json!({"id": "c-1", "name": "أمل", "audiences": ["east", "north"],
            "sms": "+970599000001", "matrix": "@amal:example.org"});
        assert_eq!(contacts, [amal, json!({"id": "c-2", "name": "Said, A."})]);
        let (again, mistakes) = check(&csv(&contacts));
        assert_eq!((again, mistakes), (contacts, vec![]));
    }

    #[test]
    fn every_mistake_is_told_where_it_is() {
        let file = "id,sms,email\nc-1,0599,x\n,,\nc-2,+970599000001,\nc-2,,\nc-3,\"\n";
        let (contacts, mistakes) = check(file);
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
        let (contacts, mistakes) = check(&file);
        let places: Vec<_> = mistakes.iter().map(|m| (m.line, m.column)).collect();
        assert_eq!(places, [(2, 5), (2, 12), (2, 215), (3, 9)], "{mistakes:?}");
        assert!(mistakes[0].why.contains("`language`: a language is a tag"), "{mistakes:?}");
        assert_eq!(contacts.len(), 1);
    }

    #[test]
    fn a_call_is_no_larger_than_the_service_takes() {
        let wide = json!({"id": "c", "region": "x".repeat(200), "sector": "x".repeat(9_000)});
        let contacts = vec![wide; 1_500];
        let sizes: Vec<_> =
            batches(&contacts).map(|batch| (batch.len(), json!({"contacts": batch}))).collect();
        assert!(sizes.iter().all(|(_, body)| body.to_string().len() <= CONTACTS_BYTES_MAX));
        assert_eq!(sizes.iter().map(|(rows, _)| rows).sum::<usize>(), 1_500);
        let small = vec![json!({"id": "c"}); 2_001];
        assert_eq!(batches(&small).map(<[Value]>::len).collect::<Vec<_>>(), [1_000, 1_000, 1]);
        assert_eq!(batches(&[]).count(), 0);
    }

    #[test]
    fn the_first_line_is_read_strictly() {
        let check_head = |head: &str, word: &str| {
            let (_, mistakes) = check(head);
            assert!(mistakes.len() == 1 && mistakes[0].why.contains(word), "{mistakes:?}");
        };
        check_head("", "empty");
        check_head("id,whatsap\n", "`whatsapp`");
        check_head("id;name\n", "commas");
        check_head("id,id\n", "twice");
        check_head("name\n", "`id` is missing");
    }

    #[test]
    fn a_hundred_thousand_rows_are_read_quickly() {
        let mut file = String::from("id,name,audiences,sms\n");
        (0..100_000).for_each(|n| writeln!(file, "c-{n},Name {n},east;north,'+97059{n:07}").unwrap());
        let began = std::time::Instant::now();
        let (contacts, mistakes) = check(&file);
        assert_eq!((contacts.len(), mistakes.len()), (100_000, 0));
        // Ten times what a debug build on a slow machine takes.
        assert!(began.elapsed() < std::time::Duration::from_secs(30));
    }
}
