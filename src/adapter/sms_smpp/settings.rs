//! The keys of an SMPP gateway.

use super::dlr::{Dialect, Ids, error_key};
use super::outcome::{VENDOR, VendorCodes};
use super::pdu::{Address, Login};
use crate::adapter::segments::{Alphabet, PARTS_MAX, Reference};
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Spanned, Table, did_you_mean};
use std::collections::BTreeMap;

/// The keys beside those that every gateway has.
pub(super) const KEYS: &[&str] = &[
    "host",
    "port",
    "tls",
    "system_id",
    "password",
    "system_type",
    "bind",
    "source",
    "source_ton",
    "source_npi",
    "alphabet",
    "long",
    "parts_max",
    "ids",
    "utc_offset",
    "statuses",
    "errors",
];

/// Cites: IANA, service `smpp`.
const PORT: u64 = 2775;
/// The habit of vendors for SMPP over TLS.
const PORT_TLS: u64 = 3550;
/// The longest `system_id`. Cites: SMPP 3.4, 5.2.1 to 5.2.3, for this and the next two, without the NUL.
const SYSTEM_ID_MAX: usize = 15;
const PASSWORD_MAX: usize = 8;
const SYSTEM_TYPE_MAX: usize = 12;
/// Some vendors take longer passwords than the standard knows; none takes a page.
const PASSWORD_TAKEN_MAX: usize = 64;
/// A message of more parts is refused: carriers drop longer ones, and each part is paid for. Cites: Twilio takes 1600
/// characters, which is about as much.
const PARTS: u64 = 10;
/// The most digits of a number that a short code has; more belong to a subscriber.
const SHORT_CODE_DIGITS_MAX: usize = 8;
/// The most characters of a name as a sender. Cites: 3GPP TS 23.040, 9.1.2.5.
const SENDER_NAME_MAX: usize = 11;
/// The most digits of an international number. Cites: ITU-T E.164.
const NUMBER_DIGITS_MAX: usize = 15;

/// How a connection is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Bind {
    /// One connection for both ways.
    #[default]
    Transceiver,
    /// One to send by, one to hear receipts by.
    Pair,
}

/// How a text of several parts goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Long {
    /// Divided by us, joined by a header in each part.
    Udh(Reference),
    /// Divided by us, joined by optional parameters.
    Sar,
    /// Undivided; the SMSC does it.
    Payload,
}

/// What is written into each submit.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Writing {
    pub(super) source: Address,
    pub(super) alphabet: Alphabet,
    pub(super) long: Long,
    pub(super) parts_max: usize,
}

/// All of them.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encrypted: bool,
    pub(super) login: Login,
    pub(super) bind: Bind,
    pub(super) writing: Writing,
    pub(super) dialect: Dialect,
    pub(super) vendor: VendorCodes,
}

/// Reads them. `None`: `diags` says why.
pub(super) fn read(table: &mut Table, diags: &mut Diagnostics) -> Option<Settings> {
    let host = table.required_string("host", diags);
    let encrypted = table.bool("tls", diags).is_some_and(|tls| tls.value);
    let port =
        table.u64("port", 1..=65_535, diags).map_or(if encrypted { PORT_TLS } else { PORT }, |p| p.value);
    let login = login(table, diags);
    let binds = [("transceiver", Bind::Transceiver), ("pair", Bind::Pair)];
    let bind = table.choice("bind", &binds, diags).map(|bind| bind.value).unwrap_or_default();
    let writing = writing(table, diags);
    let dialect = dialect(table, diags);
    let vendor = statuses(table, diags);
    Some(Settings {
        host: host?.value,
        port: port as u16,
        encrypted,
        login: login?,
        bind,
        writing: writing?,
        dialect,
        vendor,
    })
}

fn login(table: &mut Table, diags: &mut Diagnostics) -> Option<Login> {
    let system_id = table.required_string("system_id", diags);
    let system_id = system_id.and_then(|id| fitting(table, "system_id", id, SYSTEM_ID_MAX, diags));
    let system_type = match table.string("system_type", diags) {
        Some(kind) => fitting(table, "system_type", kind, SYSTEM_TYPE_MAX, diags),
        None => Some(String::new()),
    };
    let place = table.key("password").cloned();
    let password = table.required_secret("password", diags)?;
    let length = password.expose().len();
    if length > PASSWORD_MAX {
        let message = format!("`password` of {} is longer than SMPP's {PASSWORD_MAX} octets", table.called());
        let diagnostic = if length > PASSWORD_TAKEN_MAX || password.expose().contains('\0') {
            Diagnostic::error("bad-secret", message).help("look for what got in when it was copied")
        } else {
            Diagnostic::warning("long-password", message)
                .help("ask the provider whether its SMSC takes all of it, should the bind be refused")
        };
        diags.push(match place {
            Some(place) => diagnostic.at(&place, "this one"),
            None => diagnostic,
        });
    }
    (length <= PASSWORD_TAKEN_MAX).then_some(())?;
    Some(Login { system_id: system_id?, password, system_type: system_type? })
}

/// Takes a text that fits into a field.
fn fitting(
    table: &Table,
    key: &str,
    text: Spanned<String>,
    most: usize,
    diags: &mut Diagnostics,
) -> Option<String> {
    if text.value.len() <= most && text.value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Some(text.value);
    }
    diags.push(
        Diagnostic::error(
            "bad-value",
            format!("`{key}` of {} does not fit into SMPP's field", table.called()),
        )
        .at(&text.place, format!("more than {most} characters, or not ASCII"))
        .help("copy it from what the provider sent"),
    );
    None
}

fn writing(table: &mut Table, diags: &mut Diagnostics) -> Option<Writing> {
    let source = source(table, diags);
    let alphabets = [("gsm7", Alphabet::Gsm7), ("latin1", Alphabet::Latin1)];
    let alphabet = table.choice("alphabet", &alphabets, diags).map(|a| a.value).unwrap_or_default();
    let longs = [
        ("udh", Long::Udh(Reference::Bits8)),
        ("udh16", Long::Udh(Reference::Bits16)),
        ("sar", Long::Sar),
        ("payload", Long::Payload),
    ];
    let long = table.choice("long", &longs, diags).map_or(Long::Udh(Reference::Bits8), |long| long.value);
    let parts_max = table.u64("parts_max", 1..=PARTS_MAX as u64, diags).map_or(PARTS, |most| most.value);
    Some(Writing { source: source?, alphabet, long, parts_max: parts_max as usize })
}

fn source(table: &mut Table, diags: &mut Diagnostics) -> Option<Address> {
    let text = table.string("source", diags);
    // Kinds are named by number, as providers' letters do. Cites: SMPP 3.4, 5.2.5 and 5.2.6.
    let ton = table.u64("source_ton", 0..=6, diags).map(|ton| ton.value as u8);
    let npi = table.u64("source_npi", 0..=18, diags).map(|npi| npi.value as u8);
    let mut address = match text {
        // The SMSC has one sender for us.
        None => Address::default(),
        Some(text) => match sender(&text.value) {
            Some(address) => address,
            None => {
                diags.push(
                    Diagnostic::error("bad-value", format!("`source` of {} can be no sender", table.called()))
                        .at(&text.place, "neither a number, a short code nor a name")
                        .help(format!(
                            "write an international number (`+970599000001`), a short code (`4321`), or a name of at \
                             most {SENDER_NAME_MAX} Latin letters and digits (`CivilDef`)"
                        )),
                );
                return None;
            }
        },
    };
    address.ton = ton.unwrap_or(address.ton);
    address.npi = npi.unwrap_or(address.npi);
    Some(address)
}

/// Tells a sender's kind by its looks.
fn sender(text: &str) -> Option<Address> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let (ton, npi, text) = match digits.len() {
        count if is_number && count > NUMBER_DIGITS_MAX => return None,
        // Network specific, no plan.
        count if is_number && count <= SHORT_CODE_DIGITS_MAX && digits == text => (3, 0, digits),
        _ if is_number => (1, 1, digits),
        _ => {
            let fits = (1..=SENDER_NAME_MAX).contains(&text.len());
            let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_.&".contains(&b));
            if !fits || !plain || text.trim().len() != text.len() {
                return None;
            }
            (5, 0, text)
        }
    };
    Some(Address { ton, npi, text: text.to_owned() })
}

fn dialect(table: &mut Table, diags: &mut Diagnostics) -> Dialect {
    let words = [
        ("opaque", Ids::Opaque),
        ("hex", Ids::Hex),
        ("hex-decimal", Ids::HexDecimal),
        ("decimal-hex", Ids::DecimalHex),
    ];
    let ids = table.choice("ids", &words, diags).map(|ids| ids.value).unwrap_or_default();
    let utc_offset = table.string("utc_offset", diags).and_then(|text| {
        let offset = offset(&text.value);
        if offset.is_none() {
            diags.push(
                Diagnostic::error("bad-value", format!("`utc_offset` of {} is not one", table.called()))
                    .at(&text.place, "not hours and minutes from UTC")
                    .help("write `\"+02:00\"`, as the SMSC's clock is set"),
            );
        }
        offset
    });
    let mut errors = BTreeMap::new();
    for (code, word) in table.string_map("errors", diags) {
        if let Some(reason) = meaning(table, "errors", &word, diags) {
            errors.insert(error_key(&code), reason);
        }
    }
    Dialect { ids, utc_offset, errors }
}

fn offset(text: &str) -> Option<Span> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let number = |text: &str, most: i64| -> Option<i64> {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number <= most)
    };
    Some(Span::from_mins(sign * (number(hours, 14)? * 60 + number(minutes, 59)?)))
}

fn statuses(table: &mut Table, diags: &mut Diagnostics) -> VendorCodes {
    let mut codes = VendorCodes::new();
    for (name, word) in table.string_map("statuses", diags) {
        let digits = name.strip_prefix("0x").or_else(|| name.strip_prefix("0X")).unwrap_or(&name);
        let code = u32::from_str_radix(digits, 16).ok().filter(|code| VENDOR.contains(code));
        let Some(code) = code else {
            diags.push(
                Diagnostic::error(
                    "bad-value",
                    format!("`{name}` in `statuses` of {} is no vendor's code", table.called()),
                )
                .at(&word.place, "its key is outside 0x400 to 0x4FF")
                .help(
                    "write it in hexadecimal: `0x0403 = \"blocked\"`; the others have one meaning everywhere",
                ),
            );
            continue;
        };
        if let Some(reason) = meaning(table, "statuses", &word, diags) {
            codes.insert(code, reason);
        }
    }
    codes
}

/// The reasons that a vendor's code can mean.
const MEANINGS: [Reason; 13] = [
    Reason::NotOnChannel,
    Reason::Blocked,
    Reason::BadAddress,
    Reason::PairLimit,
    Reason::Undeliverable,
    Reason::ContentRefused,
    Reason::Credentials,
    Reason::Configuration,
    Reason::Throttled,
    Reason::QuotaExhausted,
    Reason::ProviderFault,
    Reason::ServiceDown,
    Reason::NotConnected,
];

fn meaning(table: &Table, key: &str, word: &Spanned<String>, diags: &mut Diagnostics) -> Option<Reason> {
    let known = MEANINGS.into_iter().find(|reason| reason.name() == word.value);
    if known.is_none() {
        diags.push(
            Diagnostic::error(
                "unknown-reason",
                format!("`{key}` of {} names `{}`", table.called(), word.value),
            )
            .at(&word.place, "no reason has this name")
            .help(did_you_mean(&word.value, MEANINGS.iter().map(|reason| reason.name()))),
        );
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    const LEAST: &str = "host = \"smsc.example.org\"\nsystem_id = \"wasl\"\npassword = \"secret\"\n";

    fn parsed(text: &str) -> (Option<Settings>, Diagnostics) {
        let mut diags = Diagnostics::default();
        let source = Source::new("wasl.toml", text);
        let mut table = Table::parse(&source, &mut diags).expect("TOML");
        let settings = read(&mut table, &mut diags);
        assert!(KEYS.iter().all(|key| table.key(key).is_none()), "every key is read");
        table.finish(&mut diags);
        (settings, diags)
    }

    fn read_well(text: &str) -> Settings {
        let (settings, diags) = parsed(&format!("{LEAST}{text}"));
        assert!(!diags.has_errors(), "{}", diags.render());
        settings.expect("no error, so there are settings")
    }

    fn complaint(text: &str) -> String {
        let (_, diags) = parsed(&format!("{LEAST}{text}"));
        let errors: Vec<_> = diags.sorted().into_iter().filter(|d| d.code != "literal-secret").collect();
        errors.iter().map(|d| format!("{}: {}", d.code, d.message)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn little_needs_to_be_said() {
        let settings = read_well("");
        assert_eq!(
            (settings.host.as_str(), settings.port, settings.encrypted),
            ("smsc.example.org", 2775, false)
        );
        assert_eq!(settings.bind, Bind::Transceiver);
        assert_eq!((settings.writing.long, settings.writing.parts_max), (Long::Udh(Reference::Bits8), 10));
        assert!(settings.writing.source == Address::default());
        assert_eq!(read_well("tls = true").port, 3550);
    }

    #[test]
    fn everything_can_be_said() {
        let settings = read_well(
            "port = 2776\ntls = true\nsystem_type = \"ALERT\"\nbind = \"pair\"\nsource = \"4321\"\nsource_ton = 0\n\
             alphabet = \"latin1\"\nlong = \"sar\"\nparts_max = 3\nids = \"hex-decimal\"\nutc_offset = \"-03:30\"\n\
             statuses = { 0x0401 = \"configuration\", \"402\" = \"blocked\" }\nerrors = { \"001\" = \"not_on_channel\" }\n",
        );
        assert_eq!((settings.port, settings.bind, settings.writing.long), (2776, Bind::Pair, Long::Sar));
        assert!(settings.writing.source == Address { ton: 0, npi: 0, text: "4321".into() });
        assert_eq!(settings.dialect.ids, Ids::HexDecimal);
        assert_eq!(settings.dialect.utc_offset, Some(Span::from_mins(-210)));
        assert_eq!(settings.dialect.errors.get("1"), Some(&Reason::NotOnChannel));
        assert_eq!(settings.vendor, [(0x401, Reason::Configuration), (0x402, Reason::Blocked)].into());
    }

    #[test]
    fn a_senders_kind_is_told_by_its_looks() {
        let check = |text: &str, expected: Option<(u8, u8, &str)>| {
            let address = sender(text);
            assert_eq!(address.as_ref().map(|a| (a.ton, a.npi, a.text.as_str())), expected, "{text}");
        };
        check("+970599000001", Some((1, 1, "970599000001")));
        check("970599000001", Some((1, 1, "970599000001")));
        check("4321", Some((3, 0, "4321")));
        check("+4321", Some((1, 1, "4321")));
        check("CivilDef", Some((5, 0, "CivilDef")));
        check("Civil Def 1", Some((5, 0, "Civil Def 1")));
        for wrong in ["", "+", "CivilDefence", "دفاع", " Civil", "1234567890123456", "a\0b"] {
            check(wrong, None);
        }
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        for (text, expected) in [
            ("source = \"CivilDefence\"", "bad-value: `source`"),
            ("system_type = \"far too long a type\"", "bad-value: `system_type`"),
            ("long = \"sarr\"", "unknown-word"),
            ("utc_offset = \"+3\"", "bad-value: `utc_offset`"),
            ("statuses = { 0x58 = \"throttled\" }", "bad-value: `0x58` in `statuses`"),
            ("statuses = { 0x401 = \"blockd\" }", "unknown-reason: `statuses`"),
            ("parts_max = 256", "out-of-range"),
            ("sourc = \"4321\"", "unknown-key"),
        ] {
            let complaint = complaint(text);
            assert!(complaint.contains(expected), "{text}: {complaint}");
        }
        let (settings, diags) = parsed("");
        assert!(settings.is_none());
        assert!(diags.sorted().iter().all(|d| d.code == "missing-key"), "{}", diags.render());
        let long = format!("host = \"h\"\nsystem_id = \"w\"\npassword = \"{}\"", "p".repeat(12));
        assert!(parsed(&long).1.sorted().iter().any(|d| d.code == "long-password"));
    }
}
