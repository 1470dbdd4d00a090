//! What people write to our number: its octets as a text, and the parts of a long one joined.
//!
//! Cites: SMPP 3.4, 5.2.12, 5.2.19 and 5.3.2.22 to .24; 3GPP TS 23.040, 9.2.3.24.
//!
//! Limits: parts wait for each other for [`PARTS_WAIT`]; an SMSC that brings the next part only once the first is
//! acknowledged gets its acknowledgement then, and each part is a reply of its own. [`GROUPS_MAX`] texts are joined at once.
//! A number that is not certainly international stays as it came: no message is found by it, for as another country's it
//! might be somebody else's.
//!
//! Invariant: no part is acknowledged before its words are on disk, and no part is dropped or replaced. A text of which a part
//! is missing says so ([`CUT`]): it is never read as "safe".

use super::pdu::{Address, Delivered, Say};
use crate::adapter::hook::e164;
use crate::adapter::segments::{Alphabet, Encoding, decode, encoding_of};
use crate::core::reply::{CUT, Reply, Said};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// How long a part waits for the others: they come one after the other, within a second on most links.
const PARTS_WAIT: Duration = Duration::from_secs(3);
/// How many texts of several parts are joined at once; beyond it the oldest goes as far as it has come.
const GROUPS_MAX: usize = 100;
/// `esm_class`: the bits that tell a receipt, or a device's acknowledgement, from a message.
const ESM_TYPE: u8 = 0x3C;
/// `esm_class`: the short message starts with a user data header.
const ESM_UDHI: u8 = 0x40;
/// A header's elements that number the parts: by a reference of 8 and of 16 bits.
const CONCATENATED_8: u8 = 0x00;
const CONCATENATED_16: u8 = 0x08;

/// The type of number: nobody knows, and international. Cites: SMPP 3.4, 5.2.5.
const TON_UNKNOWN: u8 = 0;
const TON_INTERNATIONAL: u8 = 1;
/// The prefix that is dialled before a country's code nearly everywhere.
const DIALLED_ABROAD: &str = "00";
/// The fewest digits that are taken for an international number where nobody says so. Cites: ITU-T E.164; a mobile number
/// with its country's code has ten or more nearly everywhere, one without it nine or fewer in most countries.
const UNTOLD_DIGITS_MIN: usize = 10;
/// What North America's numbers have with their code. Without it, those that begin with 1 are of another country.
const NORTH_AMERICAN_DIGITS: usize = 11;

/// The units that a reply came in, each to be acknowledged.
pub(super) type Units = Vec<Unit>;
/// What is needed to acknowledge one.
pub(super) type Unit = (Say, u32);

/// One unit of what a person wrote.
struct Piece {
    from: String,
    words: Option<String>,
    part: Option<Part>,
}

/// Which part of which text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) reference: u16,
    pub(super) total: u8,
    pub(super) number: u8,
}

/// Joins parts, and gives each text a name of its own: the SMSC gives none.
pub(super) struct Joining {
    groups: BTreeMap<(String, u16, u8), Group>,
    salt: u64,
    last: u64,
}

struct Group {
    pieces: BTreeMap<u8, String>,
    units: Units,
    since: Instant,
}

impl Joining {
    pub(super) fn new() -> Joining {
        Joining { groups: BTreeMap::new(), salt: RandomState::new().build_hasher().finish(), last: 0 }
    }

    /// Takes a unit; returns what is whole by it, or must wait no longer. What is no person's message is `Err`.
    pub(super) fn push(
        &mut self,
        delivered: &Delivered,
        alphabet: Alphabet,
        unit: Unit,
        now: Instant,
    ) -> Result<Vec<(Reply, Units)>, Box<Unit>> {
        let Some(Piece { from, words, part }) = read(delivered, alphabet) else { return Err(Box::new(unit)) };
        let (Some(words), Some(part)) = (words.clone(), part) else {
            return Ok(vec![self.reply(from, words, vec![unit])]);
        };
        let key = (from, part.reference, part.total);
        // References come again soon, on telephones that count to 256 or begin anew: other words for a part that is there are
        // another text's. The same words are the SMSC's repetition, of a unit that was not acknowledged yet.
        let known = self.groups.get(&key).and_then(|group| group.pieces.get(&part.number));
        let is_another = known.is_some_and(|known| *known != words);
        let cut_short = if is_another { self.end(&key) } else { None };
        let group = self.groups.entry(key.clone());
        let group = group.or_insert(Group { pieces: BTreeMap::new(), units: Vec::new(), since: now });
        group.pieces.insert(part.number, words);
        group.units.push(unit);
        let over = if group.pieces.len() >= usize::from(part.total) {
            self.end(&key)
        } else if self.groups.len() > GROUPS_MAX {
            let oldest = self.groups.iter().min_by_key(|(_, group)| group.since).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.end(&key))
        } else {
            None
        };
        Ok(cut_short.into_iter().chain(over).collect())
    }

    /// Returns what has waited for its other parts long enough.
    pub(super) fn over(&mut self, now: Instant) -> Vec<(Reply, Units)> {
        let is_over = |group: &Group| now.saturating_duration_since(group.since) >= PARTS_WAIT;
        let over: Vec<_> =
            self.groups.iter().filter(|(_, g)| is_over(g)).map(|(key, _)| key.clone()).collect();
        over.iter().filter_map(|key| self.end(key)).collect()
    }

    fn end(&mut self, key: &(String, u16, u8)) -> Option<(Reply, Units)> {
        let Group { pieces, units, .. } = self.groups.remove(key)?;
        let (from, _, total) = key;
        Some(self.reply(from.clone(), Some(joined(pieces, *total)), units))
    }

    fn reply(&mut self, from: String, words: Option<String>, units: Units) -> (Reply, Units) {
        self.last += 1;
        let id = format!("{:016x}-{}", self.salt, self.last);
        let said = words.map_or(Said::Other, |words| Said::text(&words));
        (Reply { from, said, id, of: None, at: None }, units)
    }
}

/// Joins what has come of a text, and marks each place where something has not.
fn joined(pieces: BTreeMap<u8, String>, total: u8) -> String {
    let (mut words, mut last) = (String::new(), 0);
    for (number, piece) in pieces {
        if number - last > 1 {
            words.push_str(CUT);
        }
        words.push_str(&piece);
        last = number;
    }
    if last < total {
        words.push_str(CUT);
    }
    words
}

/// Returns a sender as messages are sent to it, where it is certainly international; else as it came.
fn sender(source: &Address) -> Option<String> {
    let given = source.text.trim();
    let abroad = given.strip_prefix(DIALLED_ABROAD).and_then(e164);
    let international = match source.ton {
        _ if given.starts_with('+') => e164(given),
        TON_INTERNATIONAL => abroad.or_else(|| e164(given)),
        TON_UNKNOWN => abroad.or_else(|| e164(given).filter(|_| may_be_international(given))),
        _ => None,
    };
    international.or_else(|| Some(given.to_owned()).filter(|given| !given.is_empty()))
}

fn may_be_international(digits: &str) -> bool {
    match digits.starts_with('1') {
        true => digits.len() == NORTH_AMERICAN_DIGITS,
        false => digits.len() >= UNTOLD_DIGITS_MIN,
    }
}

/// Reads a unit; `None`: it is no message of a person.
fn read(delivered: &Delivered, alphabet: Alphabet) -> Option<Piece> {
    if delivered.esm_class & ESM_TYPE != 0 {
        return None;
    }
    let from = sender(&delivered.source)?;
    let (header, octets) = match delivered.esm_class & ESM_UDHI {
        0 => (&[][..], delivered.octets.as_slice()),
        _ => {
            let (length, rest) = delivered.octets.split_first()?;
            rest.split_at_checked(usize::from(*length))?
        }
    };
    let usual = match alphabet {
        Alphabet::Gsm7 => Encoding::Gsm7,
        Alphabet::Latin1 => Encoding::Latin1,
    };
    let encoding = encoding_of(delivered.data_coding, usual);
    let words = encoding.map(|encoding| decode(octets, encoding));
    let is_sound = |part: &Part| part.total > 1 && (1..=part.total).contains(&part.number);
    Some(Piece { from, words, part: part(header).or(delivered.part).filter(is_sound) })
}

fn part(header: &[u8]) -> Option<Part> {
    let mut rest = header;
    while let [kind, length, after @ ..] = rest {
        let (value, after) = after.split_at_checked(usize::from(*length))?;
        match (*kind, value) {
            (CONCATENATED_8, [reference, total, number]) => {
                return Some(Part { reference: u16::from(*reference), total: *total, number: *number });
            }
            (CONCATENATED_16, [high, low, total, number]) => {
                let reference = u16::from_be_bytes([*high, *low]);
                return Some(Part { reference, total: *total, number: *number });
            }
            _ => rest = after,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::segments::segments;
    use crate::core::reading;
    use crate::core::reply::{Asks, ReplyKind};

    fn address(ton: u8, text: &str) -> Address {
        Address { ton, npi: 1, text: text.into() }
    }

    fn message(text: &str) -> Delivered {
        let whole = segments(text);
        Delivered {
            source: address(1, "970599000001"),
            data_coding: whole.encoding.data_coding(),
            octets: whole.parts.concat(),
            ..Delivered::default()
        }
    }

    fn said(found: Vec<(Reply, Units)>) -> Vec<(String, Said, usize)> {
        found.into_iter().map(|(reply, units)| (reply.from, reply.said, units.len())).collect()
    }

    fn push(joining: &mut Joining, delivered: &Delivered, now: Instant) -> Vec<(String, Said, usize)> {
        said(joining.push(delivered, Alphabet::Gsm7, (Say::DeliverSmResp, 7), now).expect("a person's"))
    }

    fn words(text: &str) -> Said {
        Said::Text(text.into())
    }

    #[test]
    fn a_text_is_read_in_its_alphabet() {
        let now = Instant::now();
        let from = || "+970599000001".to_owned();
        let check = |delivered: &Delivered, expected: Said| {
            assert_eq!(push(&mut Joining::new(), delivered, now), [(from(), expected, 1)], "{delivered:?}");
        };
        for text in ["help", "أنا بخير", "1", "@ {safe} €", "🆘"] {
            check(&message(text), words(text));
        }
        let latin = Delivered { data_coding: 3, octets: b"caf\xE9".to_vec(), ..message("") };
        check(&latin, words("café"));
        check(&Delivered { data_coding: 4, ..message("x") }, Said::Other);
        let receipt = Delivered { esm_class: 4, ..message("id:1 stat:DELIVRD") };
        assert!(Joining::new().push(&receipt, Alphabet::Gsm7, (Say::DeliverSmResp, 7), now).is_err());
    }

    #[test]
    fn a_number_is_international_only_where_that_is_certain() {
        let check = |ton, given: &str, expected: Option<&str>| {
            assert_eq!(sender(&address(ton, given)).as_deref(), expected, "{ton} {given}");
        };
        let (amal, short) = (Some("+970599000001"), Some("4321"));
        for (ton, given) in
            [(1, "970599000001"), (1, "00970599000001"), (0, "970599000001"), (0, "00970599000001")]
        {
            check(ton, given, amal);
        }
        for ton in 0..=6 {
            check(ton, " +970599000001 ", amal);
            check(ton, " 4321 ", short);
            check(ton, " ", None);
        }
        // As international it would be somebody's on Curaçao.
        check(0, "599000001", Some("599000001"));
        check(0, "0599000001", Some("0599000001"));
        // Of Egypt, not of North America.
        check(0, "1001234567", Some("1001234567"));
        check(0, "12025550123", Some("+12025550123"));
        check(0, "9613123456", Some("+9613123456"));
        for ton in 2..=6 {
            check(ton, "599000001", Some("599000001"));
            check(ton, "970599000001", Some("970599000001"));
            check(ton, "00970599000001", Some("00970599000001"));
        }
    }

    #[test]
    fn a_text_that_lacks_a_part_is_never_safe() {
        let now = Instant::now();
        let part = |number: u8, total: u8, text: &str| Delivered {
            part: Some(Part { reference: 9, total, number }),
            ..message(text)
        };
        let after = |parts: &[Delivered]| {
            let mut joining = Joining::new();
            parts.iter().for_each(|part| assert_eq!(push(&mut joining, part, now), []));
            let (_, said, _) = said(joining.over(now + PARTS_WAIT)).remove(0);
            let asks = Asks::of(Asks::ANSWERS);
            (said.clone(), reading::read(&said, asks))
        };
        let check = |parts: &[Delivered], text: &str, kind| assert_eq!(after(parts), (words(text), kind));
        check(&[part(1, 2, "I am safe")], "I am safe […]", ReplyKind::Plain);
        check(&[part(2, 2, "أنا بخير")], "[…] أنا بخير", ReplyKind::Plain);
        check(&[part(1, 3, "safe"), part(3, 3, "safe")], "safe […] safe", ReplyKind::Plain);
        check(&[part(1, 2, "1")], "1 […]", ReplyKind::Plain);
        check(&[part(1, 2, "STOP")], "STOP […]", ReplyKind::Plain);
        check(&[part(1, 2, "help")], "help […]", ReplyKind::NeedHelp);
        check(&[part(1, 2, "2")], "2 […]", ReplyKind::NeedHelp);
    }

    #[test]
    fn a_reference_that_comes_again_takes_no_word_of_the_text_before() {
        let now = Instant::now();
        let part = |number: u8, text: &str| Delivered {
            part: Some(Part { reference: 9, total: 2, number }),
            ..message(text)
        };
        let mut joining = Joining::new();
        let from = || "+970599000001".to_owned();
        assert_eq!(push(&mut joining, &part(1, "help, we are "), now), []);
        assert_eq!(push(&mut joining, &part(1, "help, we are "), now), [], "the SMSC says it once more");
        let first = push(&mut joining, &part(1, "all is "), now);
        assert_eq!(first, [(from(), words("help, we are  […]"), 2)], "what came, and that it is not all");
        let second = push(&mut joining, &part(2, "well"), now);
        assert_eq!(second, [(from(), words("all is well"), 2)], "the units of the other text are not in it");
        assert!(joining.groups.is_empty());
    }

    #[test]
    fn parts_are_joined_in_their_order_whichever_way_they_are_numbered() {
        let now = Instant::now();
        let by_header = |number: u8, text: &str| {
            let plain = message(text);
            let octets = [&[5, 0, 3, 9, 2, number][..], &plain.octets].concat();
            Delivered { esm_class: 0x40, octets, ..plain }
        };
        let by_long_header = |number: u8, text: &str| {
            let plain = message(text);
            let octets = [&[6, 8, 4, 1, 9, 2, number][..], &plain.octets].concat();
            Delivered { esm_class: 0x40, octets, ..plain }
        };
        let by_parameters = |number: u8, text: &str| Delivered {
            part: Some(Part { reference: 9, total: 2, number }),
            ..message(text)
        };
        type Way<'a> = &'a dyn Fn(u8, &str) -> Delivered;
        let ways: [Way<'_>; 3] = [&by_header, &by_long_header, &by_parameters];
        for way in ways {
            let mut joining = Joining::new();
            assert_eq!(push(&mut joining, &way(2, "نحتاج مساعدة"), now), []);
            let joined = push(&mut joining, &way(1, "نحن عالقون، "), now);
            assert_eq!(joined, [("+970599000001".into(), words("نحن عالقون، نحتاج مساعدة"), 2)]);
            assert!(joining.over(now + PARTS_WAIT).is_empty());
            // What stays alone is given as far as it has come.
            assert_eq!(push(&mut joining, &way(1, "help"), now), []);
            assert!(joining.over(now).is_empty());
            assert_eq!(said(joining.over(now + PARTS_WAIT))[0].1, words("help […]"));
        }
        let mut joining = Joining::new();
        let of = |n: usize| address(1, &format!("9705990{n:05}"));
        let senders = (0..=GROUPS_MAX).map(|n| Delivered { source: of(n), ..by_header(1, "x") });
        let pushed: usize = senders.map(|part| push(&mut joining, &part, now).len()).sum();
        assert_eq!((pushed, joining.groups.len()), (1, GROUPS_MAX), "the oldest makes room, and is not lost");
    }

    #[test]
    fn no_header_makes_it_panic() {
        let now = Instant::now();
        for octets in
            [vec![], vec![200], vec![3, 0, 3, 1], vec![5, 0, 3, 1, 0, 0], vec![5, 0, 3, 1, 2, 9, b'x']]
        {
            let odd = Delivered { esm_class: 0x40, octets, ..message("") };
            let _ = Joining::new().push(&odd, Alphabet::Gsm7, (Say::DeliverSmResp, 7), now);
        }
    }
}
