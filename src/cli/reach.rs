//! `wasl reach`: who can be reached right now, by which channels; who by one road only; who by none.

use super::call_tree;
use super::client::At;
use super::roads::{self, Stands};
use super::status::rows;
use super::table::{self, Cell, Tone, lay_out, text};
use super::{Done, Failure};
use crate::web::locale::Locale;
use serde_json::{Value, json};

/// How many contacts one call lists: the most that the service gives.
const PAGE_ROWS: usize = 200;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// List the contacts that nobody can reach now
    #[arg(long, conflicts_with = "one")]
    none: bool,
    /// List the contacts that one road alone leads to
    #[arg(long)]
    one: bool,
    /// Print a sheet to telephone people from: those whom nothing reaches now; it needs an admin's token, and goes on record
    #[arg(long, conflicts_with_all = ["none", "one"])]
    call_tree: bool,
    /// Of this audience alone
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// On the sheet: those as well whom something reaches
    #[arg(long, requires = "call_tree")]
    everybody: bool,
    /// On the sheet: people of this audience before the others; may be repeated
    #[arg(long, value_name = "AUDIENCE", requires = "call_tree")]
    first: Vec<String>,
    /// Why the sheet is made, for the record
    #[arg(long, requires = "call_tree")]
    reason: Option<String>,
    /// The sheet's language: `en`, `ar`, or `ar-u-nu-arab` with its own digits
    #[arg(long, value_name = "LANGUAGE", requires = "call_tree", default_value = "en")]
    lang: String,
    /// Print the sheet for a spreadsheet
    #[arg(long, requires = "call_tree", conflicts_with = "json")]
    csv: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Prints it.
pub(super) fn run(args: &Args) -> Done {
    if args.call_tree {
        return sheet(args);
    }
    let who = match (args.none, args.one) {
        (true, _) => "none",
        (_, true) => "one",
        _ if args.audience.is_some() => {
            return Err(Failure::Usage("--audience goes with --none, --one or --call-tree".into()));
        }
        _ => {
            let client = args.at.client()?;
            let reach = client.get("/v1/reach")?;
            match args.json {
                true => table::json(&reach),
                false => {
                    table::print(&draw(&reach, table::coloured()));
                    table::print(&closed(&client.get("/v1/status")?, &reach));
                }
            }
            return Ok(());
        }
    };
    let contacts = list(args, who)?;
    match args.json {
        true => table::json(&json!({"contacts": contacts})),
        false => table::print(&draw_list(&contacts, table::coloured())),
    }
    Ok(())
}

/// Prints the sheet to telephone from.
fn sheet(args: &Args) -> Done {
    let locale = Locale::from_tag(&args.lang).ok_or_else(|| {
        Failure::Usage("--lang: the sheet is written in `en`, `ar` or `ar-u-nu-arab`".into())
    })?;
    let mut body = json!({"everybody": args.everybody, "first": args.first});
    body.as_object_mut().into_iter().for_each(|body| {
        let given = [("audience", &args.audience), ("reason", &args.reason)];
        body.extend(
            given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?.into()))),
        );
    });
    let sheet = args.at.client()?.post("/v1/reach/call-tree", &body)?;
    match (args.json, args.csv) {
        (true, _) => table::json(&sheet),
        (_, true) => table::print(&call_tree::csv(&sheet)),
        _ => table::print(&call_tree::draw(&sheet, locale)),
    }
    Ok(())
}

fn list(args: &Args, who: &str) -> Result<Vec<Value>, Failure> {
    let (client, mut contacts) = (args.at.client()?, Vec::new());
    let of = args.audience.as_ref().map_or(String::new(), |name| format!("&audience={}", encoded(name)));
    let mut after = String::new();
    loop {
        let page = client.get(&format!("/v1/reach?who={who}{of}&limit={PAGE_ROWS}{after}"))?;
        contacts.extend_from_slice(rows(&page["contacts"]));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", encoded(next)),
            None => return Ok(contacts),
        }
    }
}

/// Writes a text as a query has it.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn plain(value: &Value) -> Cell {
    Cell(value.as_str().map_or_else(|| value.to_string(), str::to_owned), Tone::Plain)
}

/// A number that should be 0.
fn bad(value: &Value, tone: Tone) -> Cell {
    let tone = if value.as_u64() == Some(0) { Tone::Plain } else { tone };
    Cell(value.to_string(), tone)
}

fn draw(reach: &Value, coloured: bool) -> String {
    let of = |name: Cell, of: &Value| {
        vec![
            name,
            plain(&of["people"]),
            bad(&of["none"], Tone::Bad),
            bad(&of["one"], Tone::Doubt),
            plain(&of["several"]),
        ]
    };
    if reach["counted_at"].is_null() {
        return "The address book is being counted; ask again in a moment.\n".into();
    }
    let all = Cell("everybody".into(), Tone::Plain);
    let mut drawn = vec![of(all, &reach["all"])];
    drawn.extend(rows(&reach["audiences"]).iter().map(|audience| of(plain(&audience["audience"]), audience)));
    let mut out = lay_out(&["AUDIENCE", "PEOPLE", "BY NONE", "BY ONE ROAD", "BY SEVERAL"], &drawn, coloured);
    if let Some(left_out @ 1..) = reach["audiences_left_out"].as_u64() {
        out.push_str(&format!("{left_out} more entries of audiences are not shown\n"));
    }
    let channels = rows(&reach["channels"]).iter().map(|channel| {
        let usable = &channel["usable_gateways"];
        let tone = if usable.as_u64() == Some(0) { Tone::Bad } else { Tone::Good };
        vec![plain(&channel["channel"]), plain(&channel["people"]), Cell(usable.to_string(), tone)]
    });
    out.push('\n');
    out.push_str(&lay_out(
        &["CHANNEL", "PEOPLE", "USABLE GATEWAYS"],
        &channels.collect::<Vec<_>>(),
        coloured,
    ));
    let age = table::ago(&reach["counted_at"], &reach["at"]);
    out.push_str(&format!("\nThe address book was counted {age} ago; the gateways are as they are now\n"));
    out
}

/// Says of each channel without a usable gateway why it has none.
fn closed(status: &Value, reach: &Value) -> String {
    if let Some(said) = roads::all_held(status) {
        return format!("{said}\n");
    }
    let channels = rows(&reach["channels"]).iter().map(|channel| text(&channel["channel"]));
    let why = |channel: &str| match roads::stands(status, channel) {
        Stands::Good => None,
        Stands::Doubtful => Some(format!("{channel} is degraded: what goes by it may be late or lost\n")),
        Stands::Shut(why) if why.is_empty() => {
            Some(format!("{channel} has no gateway: add one to wasl.toml\n"))
        }
        Stands::Shut(why) => Some(format!("{channel} cannot be used now: {}\n", why.join(", "))),
    };
    channels.filter_map(why).collect()
}

fn draw_list(contacts: &[Value], coloured: bool) -> String {
    let words = |list: &Value| rows(list).iter().map(text).collect::<Vec<_>>().join(", ");
    let drawn: Vec<_> = contacts
        .iter()
        .map(|contact| {
            vec![
                plain(&contact["contact"]),
                Cell(text(&contact["name"]).to_owned(), Tone::Plain),
                Cell(words(&contact["channels"]), Tone::Plain),
                Cell(words(&contact["shut"]), Tone::Bad),
            ]
        })
        .collect();
    lay_out(&["CONTACT", "NAME", "OPEN", "SHUT NOW"], &drawn, coloured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_without_a_usable_gateway_says_why_and_until_when() {
        let status = json!({
            "at": "2026-11-22T18:00:00.000Z", "gateways": [
                {"name": "modem", "channel": "sms", "configured": true, "state": "up", "deferred_until": "2026-11-22T18:00:04.000Z"},
                {"name": "signal-a", "channel": "signal", "configured": true, "state": "degraded"},
            ],
        });
        let reach = json!({"channels": [{"channel": "sms"}, {"channel": "signal"}, {"channel": "email"}]});
        assert_eq!(
            closed(&status, &reach),
            "sms cannot be used now: modem throttled until 18:00:04 UTC\n\
             signal is degraded: what goes by it may be late or lost\n\
             email has no gateway: add one to wasl.toml\n"
        );
    }

    #[test]
    fn the_picture_names_who_cannot_be_reached() {
        let reached = |people: u64, none: u64, one: u64| json!({"people": people, "none": none, "one": one, "several": people - none - one});
        let mut east = reached(3, 0, 1);
        east["audience"] = "east".into();
        let shown = draw(
            &json!({
                "at": "2026-11-22T18:00:07Z", "counted_at": "2026-11-22T18:00:00Z", "all": reached(5, 2, 1), "audiences": [east],
                "audiences_left_out": 0, "channels": [{"channel": "sms", "people": 3, "usable_gateways": 1}],
            }),
            false,
        );
        assert_eq!(
            shown,
            "AUDIENCE   PEOPLE  BY NONE  BY ONE ROAD  BY SEVERAL\n\
             everybody  5       2        1            2\n\
             east       3       0        1            2\n\n\
             CHANNEL  PEOPLE  USABLE GATEWAYS\n\
             sms      3       1\n\n\
             The address book was counted 7 s ago; the gateways are as they are now\n"
        );
        assert!(draw(&json!({"counted_at": null}), false).contains("being counted"));
        assert_eq!(encoded("شرق a&b"), "%D8%B4%D8%B1%D9%82%20a%26b");
    }
}
