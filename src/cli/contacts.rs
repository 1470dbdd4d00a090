//! `wasl contacts import FILE.csv` and `export`: the address book, through the running service.
//!
//! Every row is checked before anything is sent, by what the service itself checks, so that a file with a mistake changes
//! nothing; each mistake is shown with its line and column. A dry run says as well what the import would change, where the service
//! can be asked, and which addresses several rows share: a household does, and so does somebody who is in the file twice.

mod file;

use super::client::{At, Client};
use super::csv::{Mistake, cell};
use super::status::rows;
use super::table::{self, text};
use super::{Done, Failure};
use crate::api::contacts::{CONTACT_ROWS_MAX, CONTACTS_BYTES_MAX, Change};
use crate::core::channel::Channel;
use file::Checked;
use serde_json::{Value, json};
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
/// How many of them are told to programs.
const MISTAKES_TOLD: usize = 10_000;
/// How many rows with a shared address are told.
const SHARED_SHOWN: usize = 20;
/// How many of those who were left out are named.
const LEFT_OUT_SHOWN: usize = 20;
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
    /// Erase a person: contact, addresses and replies, here and in what was sent; what is open to them ends
    Erase(Erase),
}

#[derive(clap::Args, Debug)]
struct Import {
    /// The file; `-` reads standard input
    file: PathBuf,
    /// Only say what is wrong with it, and what it would change
    #[arg(long)]
    dry_run: bool,
    /// Put this country's code before numbers that are written with a 0 and without their country, as `970`
    #[arg(long, value_name = "CODE", value_parser = file::country_code)]
    country: Option<String>,
    /// Take people in again who were erased; without it their rows are left out
    #[arg(long)]
    again: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(clap::Args, Debug)]
struct Erase {
    /// The contact's id
    id: String,
    /// Why, for the record; no name or number belongs here
    #[arg(long)]
    reason: String,
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
        Act::Erase(erase) => self::erase(erase),
    }
}

fn import(args: &Import) -> Done {
    let text = read(&args.file)?;
    let Checked { contacts, mistakes, shared } = file::check(&text, args.country.as_deref());
    if args.dry_run {
        return report(args, &contacts, &mistakes, &shared);
    }
    if !mistakes.is_empty() {
        return Err(tell(args, contacts.len(), &mistakes));
    }
    let left_out = put_all(&args.at.client()?, &contacts, args.again)?;
    let stored = contacts.len() - left_out.len();
    match args.json {
        true => table::json(&json!({"stored": stored, "mistakes": [], "left_out": left_out})),
        false => {
            show_left_out(&left_out);
            table::print(&format!("{} stored\n", table::count(&json!(stored), "contact", "contacts")));
            table::print(&unreachable(&contacts));
        }
    }
    Ok(())
}

/// Imports the text of a file without mistakes, as the command does, and returns how many rows were stored.
pub(super) fn import_text(at: &At, text: &str) -> Result<usize, Failure> {
    let Checked { contacts, mistakes, .. } = file::check(text, None);
    if let Some(mistake) = mistakes.first() {
        return Err(Failure::No(mistake.to_string()));
    }
    let left_out = put_all(&at.client()?, &contacts, false)?;
    Ok(contacts.len() - left_out.len())
}

/// Says how many rows have no address at all, where any has none.
fn unreachable(contacts: &[Value]) -> String {
    match without_address(contacts) {
        0 => String::new(),
        1 => "1 of them has no address: no message reaches this person\n".into(),
        many => format!("{many} of them have no address: no message reaches these people\n"),
    }
}

fn without_address(contacts: &[Value]) -> usize {
    let has_one = |contact: &&Value| Channel::ALL.iter().any(|channel| !contact[channel.name()].is_null());
    contacts.iter().filter(|contact| !has_one(contact)).count()
}

/// Says what people would lose, for a row replaces all that is known of its person.
fn loses(compared: &Compared) -> String {
    if compared.losing == 0 {
        return String::new();
    }
    let keys: Vec<_> = compared.lost.iter().map(|(key, count)| format!("{key} ({count})")).collect();
    let people = table::count(&json!(compared.losing), "person", "people");
    format!(
        "{people} would lose what the file leaves out: {}; a row replaces all that is known of its person: \
         give these columns too, as `wasl contacts export` writes them\n",
        keys.join(", ")
    )
}

/// What the service says that an import would do.
#[derive(Default)]
struct Compared {
    /// How many are what, in the order of [`Change::ALL`].
    counts: [u64; 3],
    /// How many people would lose something.
    losing: u64,
    /// What, and how many people.
    lost: BTreeMap<String, u64>,
    left_out: Vec<Value>,
}

/// Names those whose rows were left out.
fn show_left_out(ids: &[Value]) {
    for id in ids.iter().take(LEFT_OUT_SHOWN) {
        eprintln!("left out: {} was erased; `--again` takes such people in", text(id));
    }
    if let more @ 1.. = ids.len().saturating_sub(LEFT_OUT_SHOWN) {
        eprintln!("and {more} more");
    }
}

/// Erases a person, and says what stays.
fn erase(args: &Erase) -> Done {
    let done =
        args.at.client()?.post("/v1/contacts/erase", &json!({"contact": args.id, "reason": args.reason}))?;
    if args.json {
        table::json(&done);
        return Ok(());
    }
    let deliveries = table::count(&done["deliveries"], "delivery", "deliveries");
    let replies = table::count(&done["replies"], "reply", "replies");
    if done["calls_for_help"].as_u64().is_some_and(|calls| calls > 0) {
        let calls = table::count(&done["calls_for_help"], "call", "calls");
        table::print(&format!(
            "This person has called for help of late ({calls}): Wasl shows it no more. See to it yourself if it was not over.\n"
        ));
    }
    table::print(&format!(
        "Erased, with what {deliveries} and {replies} held; on record as {}.\n\
         The store's files are written anew at its next start: until then bytes may lie in pages that are free.\n\
         Backups and exports made before still hold this person: delete them when their time is over.\n\
         An address that opted out stays known by a digest, so that it is left in peace if it comes back.\n",
        text(&done["erased"])
    ));
    Ok(())
}

/// Says what an import would do.
fn report(args: &Import, contacts: &[Value], mistakes: &[Mistake], shared: &[Mistake]) -> Done {
    // The file is judged without the service as well; what it would change is not known then.
    let changes = args.at.client().and_then(|client| compare(&client, contacts, args.again));
    if args.json {
        let mut told = json!({
            "checked": contacts.len(), "mistakes": listed(mistakes), "mistakes_in_all": mistakes.len(), "shared": listed(shared),
            "without_address": without_address(contacts),
        });
        if let Ok(changes) = &changes {
            Change::ALL
                .iter()
                .zip(changes.counts)
                .for_each(|(change, count)| told[change.name()] = count.into());
            told["left_out"] = changes.left_out.clone().into();
            told["losing"] = changes.losing.into();
            told["lost"] = json!(changes.lost);
        }
        table::json(&told);
    } else {
        show(args, mistakes, MISTAKES_SHOWN);
        show(args, shared, SHARED_SHOWN);
        let rows = table::count(&json!(contacts.len()), "row is", "rows are");
        let would = match &changes {
            Ok(Compared { counts: [new, changed, unchanged], left_out, .. }) => {
                show_left_out(left_out);
                let erased = left_out.len();
                format!("{new} new, {changed} changed, {unchanged} unchanged, {erased} left out as erased")
            }
            Err(failure) => format!("what they would change is not known: {failure}"),
        };
        table::print(&format!("{rows} fine: {would}; nothing was stored\n"));
        table::print(&unreachable(contacts));
        table::print(&changes.as_ref().map_or(String::new(), loses));
    }
    match (mistakes.is_empty(), args.json) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Told),
        (false, false) => {
            let mistakes = table::count(&json!(mistakes.len()), "mistake", "mistakes");
            Err(Failure::No(format!("{mistakes}; an import would store nothing")))
        }
    }
}

/// Asks the service how many of the contacts it does not have, has otherwise, and has, whom it would leave out, and what would be lost.
fn compare(client: &Client, contacts: &[Value], again: bool) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    for batch in batches(contacts) {
        let path = format!("/v1/contacts?dry_run=true&again={again}");
        let answer = client.post(&path, &json!({"contacts": batch}))?;
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        compared
            .counts
            .iter_mut()
            .zip(Change::ALL)
            .for_each(|(n, change)| *n += count(&answer[change.name()]));
        compared.losing += count(&answer["losing"]);
        for (key, lost) in answer["lost"].as_object().into_iter().flatten() {
            *compared.lost.entry(key.clone()).or_default() += count(lost);
        }
        compared.left_out.extend_from_slice(rows(&answer["left_out"]));
    }
    Ok(compared)
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
        table::json(&json!({"stored": 0, "mistakes": listed(mistakes), "mistakes_in_all": mistakes.len()}));
        return Failure::Told;
    }
    show(args, mistakes, MISTAKES_SHOWN);
    let mistakes = table::count(&json!(mistakes.len()), "mistake", "mistakes");
    let good = table::count(&json!(good), "row is", "rows are");
    Failure::No(format!("{mistakes}, {good} fine; nothing was stored"))
}

fn listed(found: &[Mistake]) -> Vec<Value> {
    let told = found.iter().take(MISTAKES_TOLD);
    told.map(|m| json!({"line": m.line, "column": m.column, "why": m.why})).collect()
}

fn show(args: &Import, found: &[Mistake], most: usize) {
    for one in found.iter().take(most) {
        eprintln!("{}:{one}", args.file.display());
    }
    if let more @ 1.. = found.len().saturating_sub(most) {
        eprintln!("and {more} more");
    }
}

/// Puts all contacts, and returns the ids of those that were left out.
fn put_all(client: &Client, contacts: &[Value], again: bool) -> Result<Vec<Value>, Failure> {
    let (mut done, mut left_out) = (0, Vec::new());
    for batch in batches(contacts) {
        let path = format!("/v1/contacts?again={again}");
        let answer = client.post(&path, &json!({"contacts": batch})).map_err(|failure| {
            let text = format!(
                "{failure}; {done} of {} contacts are stored; the import may be repeated",
                contacts.len()
            );
            match failure {
                Failure::Unreachable(_) => Failure::Unreachable(text),
                _ => Failure::No(text),
            }
        })?;
        left_out.extend_from_slice(rows(&answer["left_out"]));
        done += batch.len();
    }
    Ok(left_out)
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
    fn a_dry_run_says_what_would_be_lost_and_who_cannot_be_reached() {
        let compared = Compared {
            losing: 3,
            lost: [("region".into(), 3), ("sms".into(), 1)].into(),
            ..Compared::default()
        };
        let told = loses(&compared);
        assert!(
            told.starts_with("3 people would lose what the file leaves out: region (3), sms (1);"),
            "{told}"
        );
        assert_eq!(loses(&Compared::default()), "");
        let rows =
            [json!({"id": "a", "name": "A", "sms": "+970599000001"}), json!({"id": "b", "region": "x"})];
        assert_eq!(unreachable(&rows), "1 of them has no address: no message reaches this person\n");
        assert_eq!(unreachable(&rows[..1]), "");
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
}
