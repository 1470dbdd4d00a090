//! Cutting a text into messages that Telegram takes.

/// The longest text of one message, in UTF-16 units. Cites: Telegram, Bot API, `sendMessage`.
const UNITS_MAX: usize = 4096;

/// Cuts a text at line ends, else at blanks, else between characters. Nothing but the blanks at a cut is lost.
pub(super) fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let end = fitting(rest);
        if end == rest.len() {
            parts.push(rest);
            return parts;
        }
        let head = &rest[..end];
        // A blank right after the head is a place to cut as well.
        let whole = rest[end..].starts_with(char::is_whitespace);
        let cut = head.rfind('\n').filter(|at| *at > 0);
        let cut = cut.or_else(|| if whole { Some(end) } else { head.rfind(char::is_whitespace) });
        let cut = cut.filter(|at| !head[..*at].trim().is_empty()).unwrap_or(end);
        parts.push(rest[..cut].trim_end());
        rest = rest[cut..].trim_start();
    }
}

/// Returns how many bytes of a text fit into one message.
fn fitting(text: &str) -> usize {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > UNITS_MAX {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_it_hurts_least() {
        let check = |text: &str, expected: &[usize]| {
            let parts = parts(text);
            let units: Vec<_> = parts.iter().map(|part| part.encode_utf16().count()).collect();
            assert_eq!(units, expected);
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(letters(&parts.concat()), letters(text));
        };
        check("Leave now", &[9]);
        check("", &[0]);
        check(&"a".repeat(4096), &[4096]);
        check(&"a".repeat(4097), &[4096, 1]);
        check(&format!("{} {}", "a".repeat(4000), "b".repeat(200)), &[4000, 200]);
        check(&format!("{} {}", "a".repeat(4096), "b".repeat(200)), &[4096, 200]);
        check(&format!("{}\n{} c", "a".repeat(3000), "b".repeat(1200)), &[3000, 1202]);
        check(&format!("{}\n{}", "a".repeat(5), "ب".repeat(4096)), &[5, 4096]);
        // A character of two units is not cut in half.
        check(&format!("a{}", "🌊".repeat(2048)), &[4095, 2]);
        check(&format!("\n\n{}", "ب".repeat(9000)), &[4096, 4096, 808]);
    }
}
