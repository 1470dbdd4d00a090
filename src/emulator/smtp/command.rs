//! Reads the commands MAIL and RCPT with their parameters.

use std::collections::BTreeMap;

use super::{Options, Reply};

/// A path with the parameters behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) address: String,
    pub(super) parameters: BTreeMap<String, String>,
}

/// Reads `FROM:<a@b> SIZE=1 ..` or `TO:<a@b> NOTIFY=..`.
pub(super) fn path(rest: &str, word: &str, options: &Options) -> Result<Path, Reply> {
    let syntax = || Reply::new(501, "5.5.4 Syntax error in parameters");
    let prefix = rest.get(..word.len()).ok_or_else(syntax)?;
    if !prefix.eq_ignore_ascii_case(word) {
        return Err(syntax());
    }
    let rest = rest[word.len()..].trim_start();
    let rest = rest.strip_prefix('<').ok_or_else(syntax)?;
    let (address, rest) = rest.split_once('>').ok_or_else(syntax)?;
    let mut parameters = BTreeMap::new();
    for parameter in rest.split_whitespace() {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let key = key.to_ascii_uppercase();
        if !is_offered(&key, word, options) {
            return Err(Reply::new(555, "5.5.4 Unsupported option"));
        }
        parameters.insert(key, value.to_owned());
    }
    let is_address = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !address.contains([' ', '\t'])
    });
    let may_be_empty = word == "FROM:" && address.is_empty();
    if !is_address && !may_be_empty {
        return Err(Reply::new(553, "5.1.3 Bad address syntax"));
    }
    Ok(Path { address: address.to_owned(), parameters })
}

/// Says whether EHLO offered the extension that a parameter belongs to.
fn is_offered(key: &str, word: &str, options: &Options) -> bool {
    match (word, key) {
        ("FROM:", "SIZE" | "AUTH") => true,
        ("FROM:", "BODY") => options.eight_bit,
        ("FROM:", "SMTPUTF8") => options.utf8,
        ("FROM:", "RET" | "ENVID") | ("TO:", "NOTIFY" | "ORCPT") => options.dsn,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str, word: &str, expected: Result<&str, u16>) {
        let options = Options { dsn: false, ..Options::default() };
        let read = path(rest, word, &options);
        let got = read.map(|path| path.address).map_err(|reply| reply.code);
        assert_eq!(got, expected.map(str::to_owned), "{rest}");
    }

    #[test]
    fn paths_are_read() {
        check("FROM:<a@b.test> SIZE=10 BODY=8BITMIME", "FROM:", Ok("a@b.test"));
        check("from: <>", "FROM:", Ok(""));
        check("TO:<r@b.test>", "TO:", Ok("r@b.test"));
        check("TO:<>", "TO:", Err(553));
        check("TO:<nobody>", "TO:", Err(553));
        check("TO:r@b.test", "TO:", Err(501));
        check("FR", "FROM:", Err(501));
        check("TO:<r@b.test> NOTIFY=NEVER", "TO:", Err(555));
        check("FROM:<a@b.test> SIZE=1 X=1", "FROM:", Err(555));
    }
}
