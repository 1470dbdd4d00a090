//! `wasl reach --call-tree`: a sheet to telephone people from, when all else fails.
//!
//! It goes to standard output alone: it holds names and numbers. On paper it is plain text of at most 80 columns and
//! [`LINES`] lines a page. An Arabic sheet reads from the right: each line says so by its first character, and what has a direction
//! of its own (names, numbers, ids) stands in isolates, in either language. Numbers to dial are in Latin digits, as on telephones.
//!
//! Cites: UAX #9 (isolates).

use super::csv::cell;
use super::status::rows;
use super::table::text;
use crate::web::locale::{Arg, Locale};
use serde_json::Value;

/// How many lines a page has: what A4 and Letter both take at six an inch, with a margin.
const LINES: usize = 58;
/// The widest that a name is shown; an id or a region less.
const NAME_COLUMNS: usize = 34;
const WORD_COLUMNS: usize = 20;
/// Ends a page.
const FEED: char = '\u{c}';
/// Says that a line runs from the right.
const FROM_RIGHT: char = '\u{200f}';

/// What one who is called takes of a page: lines that stay together.
struct Block {
    /// The heading that it stands under.
    group: String,
    lines: Vec<String>,
}

/// Draws the sheet.
pub(super) fn draw(sheet: &Value, locale: Locale) -> String {
    let blocks: Vec<_> = rows(&sheet["people"]).iter().map(|person| block(person, locale)).collect();
    let head = head(sheet, blocks.len() as u64, locale);
    let pages = paginate(&blocks, head.len(), locale);
    let count = pages.len() as u64;
    let mut out = String::new();
    for (page, number) in pages.into_iter().zip(1..) {
        let of = [("n", Arg::Count(number)), ("of", Arg::Count(count))];
        let title = format!("{}   {}", locale.word("sheet-title"), locale.say("sheet-page", &of));
        for line in std::iter::once(&title).chain(&head).chain(&page) {
            if locale.dir() == "rtl" && !line.is_empty() {
                out.push(FROM_RIGHT);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        if number < count {
            out.push(FEED);
        }
    }
    out
}

/// What every page says above its people.
fn head(sheet: &Value, people: u64, locale: Locale) -> Vec<String> {
    let of = if sheet["everybody"] == true { "sheet-everybody" } else { "sheet-unreached" };
    let mut whom = locale.say(of, &[("n", Arg::Count(people))]);
    if let Some(audience) = sheet["audience"].as_str() {
        let name = Arg::Text(cut(audience, WORD_COLUMNS));
        whom = format!("{whom}   {}", locale.say("sheet-audience", &[("name", name)]));
    }
    let at = text(&sheet["at"]).get(..16).unwrap_or_default().replace('T', " ");
    let mut head = vec![
        locale.say("sheet-at", &[("at", Arg::Text(format!("{at} UTC")))]),
        whom,
        locale.word("sheet-personal"),
    ];
    if let Some(left_out @ 1..) = sheet["left_out"].as_u64() {
        head.push(locale.say("sheet-left-out", &[("n", Arg::Count(left_out))]));
    }
    head.push(String::new());
    head
}

/// One person: what to dial and whom to ask for, then what the caller writes.
fn block(person: &Value, locale: Locale) -> Block {
    let isolated = |text: &str| format!("\u{2068}{text}\u{2069}");
    let number = person["number"].as_str();
    let language = match person["language"].as_str() {
        Some(tag) => isolated(&cut(tag, WORD_COLUMNS / 2)),
        None => String::new(),
    };
    let mark = if person["first"] == true { locale.word("sheet-first") } else { String::new() };
    let mut lines = vec![
        format!("[ ]  {}  {mark}", pad(&isolated(number.unwrap_or("-")), 18)),
        format!("     {} ({})  {language}", shown(person, NAME_COLUMNS), isolated(&id(person, WORD_COLUMNS))),
        format!("     {}", locale.word("sheet-blanks")),
        String::new(),
    ];
    let deputy = &person["deputy"];
    if !deputy.is_null() {
        let name = shown(deputy, WORD_COLUMNS);
        let number = isolated(deputy["number"].as_str().unwrap_or("-"));
        let args = [("name", Arg::Text(name)), ("number", Arg::Text(number))];
        lines.insert(2, format!("     {}", locale.say("sheet-deputy", &args)));
    }
    Block { group: group(person, locale), lines }
}

/// The heading: where, and who works there; those whom nobody can telephone are together.
fn group(person: &Value, locale: Locale) -> String {
    if person["number"].is_null() {
        return locale.word("sheet-no-number");
    }
    // Together with the words around them they fill a line at most.
    let or = |key, id, most| {
        Arg::Text(person[key].as_str().map_or_else(|| locale.word(id), |text| cut(text, most)))
    };
    let region = or("region", "sheet-no-region", 16);
    let sector = or("sector", "sheet-no-sector", 14);
    let language = or("language", "sheet-no-language", 8);
    locale.say("sheet-group", &[("region", region), ("sector", sector), ("language", language)])
}

/// Lays the blocks out on pages, each under its heading, which is said again where a page begins.
fn paginate(blocks: &[Block], above: usize, locale: Locale) -> Vec<Vec<String>> {
    // The title is above as well.
    let room = LINES - above - 1;
    let (mut pages, mut page, mut under) = (Vec::new(), Vec::new(), "");
    for block in blocks {
        let is_new = under != block.group;
        // A heading, and an empty line after it.
        let needs = block.lines.len() + if is_new { 2 } else { 0 };
        let turns = !page.is_empty() && page.len() + needs > room;
        if turns {
            pages.push(std::mem::take(&mut page));
        }
        if is_new || turns {
            let again = if is_new { String::new() } else { format!("   {}", locale.word("sheet-continued")) };
            page.extend([format!("== {}{again}", block.group), String::new()]);
        }
        page.extend(block.lines.iter().cloned());
        under = &block.group;
    }
    if blocks.is_empty() {
        page.push(locale.word("sheet-nobody"));
    }
    pages.push(page);
    pages
}

/// A name as it is shown: cut where it is long, in an isolate.
fn shown(person: &Value, most: usize) -> String {
    let name = person["name"].as_str().unwrap_or_else(|| text(&person["contact"]));
    format!("\u{2068}{}\u{2069}", cut(name, most))
}

fn id(person: &Value, most: usize) -> String {
    cut(text(&person["contact"]), most)
}

/// Cuts a text to so many columns, and takes the characters out that would steer our line.
fn cut(text: &str, most: usize) -> String {
    let (mut out, mut wide) = (String::new(), 0);
    for c in text.chars().map(tame) {
        wide += columns(c);
        if wide > most {
            // The last one makes room.
            while wide > most {
                wide -= out.pop().map_or(wide, columns);
            }
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

/// Shows what reorders a line, instead of letting it.
fn tame(c: char) -> char {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    }
}

/// Fills a text up to so many columns.
fn pad(text: &str, to: usize) -> String {
    let wide: usize = text.chars().map(columns).sum();
    format!("{text}{}", " ".repeat(to.saturating_sub(wide)))
}

/// Returns how many columns a character takes on paper: none for marks over letters and for what is invisible, two for the
/// scripts of East Asia and for pictures.
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' => 0,
        '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}' | '\u{6e8}' | '\u{6ea}'..='\u{6ed}' => 0,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' => 2,
        '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Writes it for a spreadsheet: the cells that a caller fills in are empty.
pub(super) fn csv(sheet: &Value) -> String {
    let heads = "region,sector,language,contact,name,number,first,deputy,deputy_name,deputy_number,called,caller,time";
    let mut out = format!("{heads},answer\n");
    for person in rows(&sheet["people"]) {
        let first = if person["first"] == true { "yes" } else { "" };
        let of = |key: &str| text(&person[key]);
        let deputy = |key: &str| text(&person["deputy"][key]);
        let cells =
            [of("region"), of("sector"), of("language"), of("contact"), of("name"), of("number"), first];
        let deputies = [deputy("contact"), deputy("name"), deputy("number")];
        let cells: Vec<_> = cells.into_iter().chain(deputies).chain([""; 4]).map(cell).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// How wide the paper is, in columns.
    const WIDTH: usize = 80;

    fn person(id: &str, name: &str, region: Option<&str>, number: Option<&str>) -> Value {
        json!({"contact": id, "name": name, "number": number, "by": "sms", "first": false, "region": region,
            "sector": "health", "language": "ar", "deputy": null})
    }

    fn sheet(people: &[Value]) -> Value {
        json!({"at": "2026-11-22T18:00:05.000Z", "everybody": false, "audience": null, "people": people,
            "left_out": 0, "without_number": 0})
    }

    fn width(line: &str) -> usize {
        line.chars().map(columns).sum()
    }

    #[test]
    fn a_sheet_names_whom_to_call_and_leaves_room_to_write() {
        let mut amal = person("c-1", "أمل", Some("شرق"), Some("+970599000001"));
        amal["deputy"] = json!({"contact": "c-2", "name": "Said", "number": "+970599000002"});
        amal["first"] = true.into();
        let drawn = draw(&sheet(&[amal, person("c-3", "Mute", None, None)]), Locale::En);
        let plain: String = drawn.chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
        assert_eq!(
            plain,
            "Call sheet   page 1 of 1\n\
             Made at 2026-11-22 18:00 UTC\n\
             2 people whom no channel reaches\n\
             Personal data: keep it with you, destroy it after use.\n\n\
             == region شرق, team health, language ar\n\n\
             [ ]  +970599000001       call first\n\
             \u{20}    أمل (c-1)  ar\n\
             \u{20}    stands in: Said, +970599000002\n\
             \u{20}    caller ______________ time ________ answer _________________________\n\n\
             == No number is known: go there, or ask somebody near them\n\n\
             [ ]  -\n\
             \u{20}    Mute (c-3)  ar\n\
             \u{20}    caller ______________ time ________ answer _________________________\n\n"
        );
        assert!(
            drawn.contains("\u{2068}أمل\u{2069} (\u{2068}c-1\u{2069})"),
            "a name keeps its own direction"
        );
    }

    #[test]
    fn an_arabic_sheet_runs_from_the_right_with_its_own_digits_and_numbers_as_dialled() {
        let people = [person("c-1", "أمل", Some("east"), Some("+970599000001"))];
        let drawn = draw(&sheet(&people), Locale::ArIndic);
        for line in drawn.lines().filter(|line| !line.is_empty()) {
            assert!(line.starts_with(FROM_RIGHT), "{line:?}");
        }
        assert!(drawn.contains("\u{2068}+970599000001\u{2069}"), "{drawn}");
        assert!(drawn.lines().next().is_some_and(|title| title.contains('١')), "{drawn}");
    }

    #[test]
    fn pages_fit_the_paper_and_say_which_they_are() {
        let long = "ع".repeat(120);
        let people: Vec<_> = (0..40)
            .map(|n| person(&format!("c-{n}{long}"), &long, Some(&long), Some("+970599000001")))
            .collect();
        for locale in Locale::ALL {
            let drawn = draw(&sheet(&people), locale);
            let pages: Vec<_> = drawn.split(FEED).collect();
            assert_eq!(pages.len(), 4);
            for page in &pages {
                assert!(page.lines().count() <= LINES, "{} lines", page.lines().count());
                assert!(page.lines().all(|line| width(line) <= WIDTH), "{page}");
            }
            let again = locale.word("sheet-continued");
            assert_eq!((pages[0].contains(&again), pages[1].contains(&again)), (false, true));
            assert_eq!(drawn.matches("[ ]").count(), 40);
        }
    }

    #[test]
    fn a_name_cannot_steer_the_line_and_marks_take_no_room() {
        assert_eq!(cut("a\u{202e}b\u{2069}", 9), "a\u{fffd}b\u{fffd}");
        assert_eq!((cut("abcdef", 4), cut("abcd", 4)), ("abc…".into(), "abcd".into()));
        assert_eq!(cut("مُحَمَّد", 4), "مُحَمَّد");
    }

    #[test]
    fn nobody_is_said_and_a_spreadsheet_runs_no_number() {
        assert!(draw(&sheet(&[]), Locale::En).contains("Nobody"));
        let rows = csv(&sheet(&[person("c-1", "=1+1", None, Some("+970599000001"))]));
        assert!(rows.ends_with(",health,ar,c-1,'=1+1,'+970599000001,,,,,,,,\n"), "{rows}");
    }
}
