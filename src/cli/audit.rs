//! `wasl audit verify` and `export`: who did what, and whether the record of it is whole.
//!
//! The record is asked for page by page from the running service, or read from a file that an export wrote. A file is
//! looked at byte by byte, as anybody else would who has SHA-256 and nothing of this program.

use super::client::{At, Client};
use super::status::rows;
use super::table::{self, text};
use super::{Done, Failure};
use crate::core::audit::{Anchor, Hash, Head};
use crate::store::chain::Line;
use crate::store::chain::verify::{Broken, Verifier};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// How many acts one page has: the most that the service gives.
const PAGE_ROWS: usize = 200;
/// The longest line of a file: an act's texts are bounded far below it.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// What stands between what is hashed and the hash.
const BEFORE_HASH: &str = ",\"hash\":\"";

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand, Debug)]
enum Act {
    /// Look whether anything was changed, removed or put elsewhere in the record of who did what
    Verify(Verify),
    /// Print the record, a line of JSON an act, as anybody can verify it with SHA-256 alone
    Export(Export),
}

#[derive(clap::Args, Debug)]
struct Verify {
    /// A file that an export wrote; else the running service is asked
    file: Option<PathBuf>,
    /// Where the record ended when somebody kept its end, as `wasl status --json` and the log tell it
    #[arg(long, value_name = "NUMBER:HASH", value_parser = head)]
    head: Option<Head>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

#[derive(clap::Args, Debug)]
struct Export {
    /// Write it to this file, which must not be there yet, rather than print it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    at: At,
}

fn head(text: &str) -> Result<Head, &'static str> {
    let parts = text.split_once(':');
    let head = parts.and_then(|(number, hash)| {
        Some(Head { number: number.parse().ok()?, hash: hash.parse::<Hash>().ok()? })
    });
    head.ok_or("write it as 17:, and 64 hexadecimal digits")
}

/// Verifies or exports.
pub(super) fn run(args: &Args) -> Done {
    match &args.act {
        Act::Verify(args) => verify(args),
        Act::Export(args) => export(args),
    }
}

/// Why a record is not as it should be.
enum Trouble {
    /// Its chain breaks.
    Broken(Broken),
    /// It could not be looked at.
    Failed(Failure),
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Trouble::Broken(broken)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Failed(failure)
    }
}

/// A record that was looked through.
struct Looked {
    anchor: Anchor,
    verifier: Verifier,
}

fn verify(args: &Verify) -> Done {
    let looked = match &args.file {
        Some(file) => of_file(file, args.head),
        None => args.at.client().map_err(Trouble::Failed).and_then(|client| of_service(&client, args.head)),
    };
    match looked {
        Ok(looked) => {
            tell(args, &looked);
            Ok(())
        }
        Err(Trouble::Failed(failure)) => Err(failure),
        Err(Trouble::Broken(broken)) if args.json => {
            table::json(&json!({"whole": false, "broken": broken.to_string(), "at": broken.place()}));
            Err(Failure::Told)
        }
        Err(Trouble::Broken(broken)) => Err(Failure::No(broken.to_string())),
    }
}

fn tell(args: &Verify, Looked { anchor, verifier }: &Looked) {
    let last = verifier.last();
    let seen = verifier.has_seen_pinned();
    if args.json {
        return table::json(&json!({
            "whole": true, "acts": last.number - anchor.number, "first": anchor.number.saturating_add(1), "adopted": anchor.adopted,
            "head": {"number": last.number, "hash": last.hash.to_string()}, "head_given_was_seen": seen,
        }));
    }
    let acts = table::count(&json!(last.number - anchor.number), "act", "acts");
    let mut said = format!("{acts}, each as it was written and in its place\n");
    if anchor.number > 0 {
        said.push_str(&format!("Acts 1 to {} are no longer kept, as [retention] says\n", anchor.number));
    }
    if anchor.adopted > anchor.number {
        let adopted = anchor.adopted;
        said.push_str(&format!(
            "Acts up to {adopted} are of an older program, which had no chain: what was done to them before cannot be known\n"
        ));
    }
    if args.head.is_some() && !seen {
        said.push_str("The act that you gave is no longer kept, so nothing can be said about it\n");
    }
    said.push_str(&format!("It ends with {}:{}\n", last.number, last.hash));
    if args.head.is_none() {
        said.push_str(
            "Keep that line elsewhere: given by --head next time, it shows that no end was cut off\n",
        );
    }
    table::print(&said);
}

fn of_service(client: &Client, pinned: Option<Head>) -> Result<Looked, Trouble> {
    let mut found: Option<Looked> = None;
    let end = walk(client, |anchor, act| {
        let looked = begun(&mut found, anchor, pinned)?;
        let Some(act) = act else { return Ok(()) };
        let line = line(act).ok_or_else(not_ours)?;
        let hash = hash(&act["hash"]).ok_or_else(not_ours)?;
        Ok(looked.verifier.take(line.number, line.prev, hash, line.hashed().as_bytes())?)
    })?;
    let looked = found.ok_or_else(not_ours)?;
    looked.verifier.end(end)?;
    Ok(looked)
}

fn begun(found: &mut Option<Looked>, anchor: Anchor, pinned: Option<Head>) -> Result<&mut Looked, Broken> {
    match found {
        Some(looked) => Ok(looked),
        None => Ok(found.insert(Looked { anchor, verifier: Verifier::begin(anchor, pinned)? })),
    }
}

/// Hands out every act of the service, oldest first, each with the anchor of the first page; where there is none, the anchor
/// alone. Returns where the record ends.
fn walk(
    client: &Client,
    mut each: impl FnMut(Anchor, Option<&Value>) -> Result<(), Trouble>,
) -> Result<Head, Trouble> {
    let (mut after, mut anchor) = (0, None);
    loop {
        let page = client.get(&format!("/v1/audit?after={after}&limit={PAGE_ROWS}"))?;
        let end = head_of(&page["head"]).ok_or_else(not_ours)?;
        let anchor = match anchor {
            Some(anchor) => anchor,
            None => {
                let first = anchor_of(&page["anchor"]).ok_or_else(not_ours)?;
                each(first, None)?;
                *anchor.insert(first)
            }
        };
        let acts = rows(&page["acts"]);
        for act in acts {
            let number = act["number"].as_u64().ok_or_else(not_ours)?;
            // Some may have left between the acts and the anchor of one answer.
            if number > anchor.number {
                each(anchor, Some(act))?;
            }
            after = after.max(number);
        }
        if acts.is_empty() || after >= end.number {
            return Ok(end);
        }
    }
}

fn not_ours() -> Failure {
    Failure::Unreachable("what answers there does not tell acts as Wasl does".into())
}

fn hash(value: &Value) -> Option<Hash> {
    text(value).parse().ok()
}

fn head_of(value: &Value) -> Option<Head> {
    Some(Head { number: value["number"].as_u64()?, hash: hash(&value["hash"])? })
}

fn anchor_of(value: &Value) -> Option<Anchor> {
    let Head { number, hash } = head_of(value)?;
    Some(Anchor { number, hash, adopted: value["adopted"].as_u64()? })
}

fn line(act: &Value) -> Option<Line<'_>> {
    let word = |key: &str| act[key].as_str();
    Some(Line {
        number: act["number"].as_u64()?,
        prev: hash(&act["prev"])?,
        at: word("at")?,
        who: word("who")?,
        act: word("act")?,
        on: word("on")?,
        reason: word("reason")?,
    })
}

fn of_file(path: &Path, pinned: Option<Head>) -> Result<Looked, Trouble> {
    let bad = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| bad(error.to_string()))?;
    let mut lines = BufReader::new(file);
    let mut next = || -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let read = lines
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_line(&mut line)
            .map_err(|error| bad(error.to_string()))?;
        match line.strip_suffix('\n') {
            Some(whole) => Ok(Some(whole.to_owned())),
            None if read == 0 => Ok(None),
            None => Err(Failure::No(format!("{}: it ends within a line: it was cut short", path.display()))),
        }
    };
    let read = |line: &str| serde_json::from_str::<Value>(line).ok();
    let first = next()?.and_then(|line| read(&line)).and_then(|line| anchor_of(&line["anchor"]));
    let anchor = first
        .ok_or_else(|| bad("its first line is no anchor: it is no export of the audit record".into()))?;
    let mut verifier = Verifier::begin(anchor, pinned)?;
    while let Some(line) = next()? {
        let unreadable = || {
            let after = verifier.last().number;
            Failure::No(format!("{}: the line after act {after} is no act: it was changed", path.display()))
        };
        let value = read(&line).ok_or_else(unreadable)?;
        if let Some(end) = head_of(&value["head"]) {
            verifier.end(end)?;
            return match next()? {
                None => Ok(Looked { anchor, verifier }),
                Some(_) => Err(Failure::No(format!("{}: lines follow its end", path.display())).into()),
            };
        }
        let (number, prev, own) = (value["number"].as_u64(), hash(&value["prev"]), hash(&value["hash"]));
        let hashed = line.rsplit_once(BEFORE_HASH).map(|(hashed, _)| hashed.to_owned());
        let (Some(number), Some(prev), Some(own), Some(hashed)) = (number, prev, own, hashed) else {
            return Err(unreadable().into());
        };
        verifier.take(number, prev, own, hashed.as_bytes())?;
    }
    let last = verifier.last().number;
    Err(Failure::No(format!(
        "{}: it ends with act {last} and has no last line: it was cut short",
        path.display()
    ))
    .into())
}

fn export(args: &Export) -> Done {
    let client = args.at.client()?;
    let Some(path) = &args.out else {
        return write(&client, &mut |line| {
            table::print(line);
            Ok(())
        });
    };
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::No(format!(
            "{} is there already, and a record is never written over: give another name by --out; nothing was exported",
            path.display()
        )),
        _ => Failure::No(format!("{}: {error}; nothing was exported", path.display())),
    };
    let mut file = File::options().write(true).create_new(true).open(path).map_err(told)?;
    let written = write(&client, &mut |line| file.write_all(line.as_bytes()).map_err(told));
    written.and_then(|()| file.sync_all().map_err(told)).inspect_err(|_| {
        // What is there is no whole record.
        let _ = std::fs::remove_file(path);
    })
}

/// Writes every act as a line, between the anchor and the end.
fn write(client: &Client, out: &mut dyn FnMut(&str) -> Done) -> Done {
    let end = walk(client, |anchor, act| {
        let line = match act {
            None => {
                let Anchor { number, hash, adopted } = anchor;
                format!("{{\"anchor\":{{\"number\":{number},\"hash\":\"{hash}\",\"adopted\":{adopted}}}}}\n")
            }
            Some(act) => {
                let line = line(act).ok_or_else(not_ours)?;
                format!("{}{BEFORE_HASH}{}\"}}\n", line.hashed(), text(&act["hash"]))
            }
        };
        Ok(out(&line)?)
    });
    match end {
        Ok(Head { number, hash }) => {
            out(&format!("{{\"head\":{{\"number\":{number},\"hash\":\"{hash}\"}}}}\n"))
        }
        Err(Trouble::Failed(failure)) => Err(failure),
        Err(Trouble::Broken(broken)) => Err(Failure::No(broken.to_string())),
    }
}
