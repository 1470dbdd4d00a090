//! An alert's words as one text: headline, description, instruction, each a paragraph, nothing twice.

use super::form::Element;
use crate::api::intake::TEXT_CHARS_MAX;

/// Puts together what the infos of one language say, and tells whether it had to be cut. Where they differ and are for
/// different areas, each begins with its own.
pub(super) fn of_language(language: &str, infos: &[&Element]) -> (String, bool) {
    let mut parts: Vec<(String, Parts)> = Vec::new();
    for info in infos {
        let part = (areas(language, info), Parts::of(info));
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let same = parts.iter().all(|(_, part)| *part == parts[0].1);
    let many = !same && parts.iter().any(|(areas, _)| *areas != parts[0].0);
    parts.truncate(if same { 1 } else { parts.len() });
    let share = TEXT_CHARS_MAX / parts.len().max(1);
    let (mut texts, mut was_cut) = (Vec::new(), false);
    for (areas, part) in parts {
        let head = if many && !areas.is_empty() {
            format!("{}:\n", shortened(&areas, share / 4))
        } else {
            String::new()
        };
        // The lines between the parts take two characters each.
        let (text, cut) = part.within(share.saturating_sub(head.chars().count() + 2));
        was_cut |= cut;
        texts.push(head + &text);
    }
    (texts.join("\n\n").trim().to_owned(), was_cut)
}

/// Says before the words of an alert that it holds no longer.
pub(super) fn cancelled(language: &str, text: &str) -> String {
    let said = match language.split('-').next() {
        Some("ar") => "أُلغي هذا التنبيه",
        _ => "This alert is cancelled",
    };
    shortened(&format!("{said}: {text}"), TEXT_CHARS_MAX)
}

/// The words of one info.
#[derive(PartialEq, Eq)]
struct Parts {
    headline: String,
    description: String,
    instruction: String,
}

impl Parts {
    fn of(info: &Element) -> Parts {
        let headline = info.text("headline").map_or_else(|| info.said("event"), |text| &text.said);
        let mut parts = Parts {
            headline: tidy(headline).replace('\n', " "),
            description: tidy(info.said("description")),
            instruction: tidy(info.said("instruction")),
        };
        if parts.description.starts_with(&parts.headline) {
            parts.headline.clear();
        }
        if parts.description.ends_with(&parts.instruction) {
            parts.instruction.clear();
        }
        parts
    }

    /// Joins them within so many characters. What to do is worth more than what happens: the description is cut first.
    fn within(&self, room: usize) -> (String, bool) {
        let join = |description: &str| {
            let parts = [self.headline.as_str(), description, self.instruction.as_str()];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
        };
        let whole = join(&self.description);
        let over = whole.chars().count().saturating_sub(room);
        if over == 0 {
            return (whole, false);
        }
        let description = self.description.chars().count();
        let cut = match description > over {
            true => join(&shortened(&self.description, description - over)),
            false => join(""),
        };
        (shortened(&cut, room), true)
    }
}

/// Cuts a text between words to so many characters, and says so.
fn shortened(text: &str, room: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(room.saturating_sub(1)) else { return text.to_owned() };
    if text[end..].chars().count() <= 1 {
        return text.to_owned();
    }
    let head = &text[..end];
    let end = head.rfind(char::is_whitespace).filter(|place| *place > head.len() / 2).unwrap_or(head.len());
    format!("{}…", head[..end].trim_end())
}

/// Takes out what a layout put in: spaces around and within lines, more than one empty line, controls.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    // A line may end in the C1 control for it as well.
    for line in text.replace("\r\n", "\n").split(['\n', '\r', '\u{85}']) {
        let plain: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let doubled = line.is_empty() && lines.last().is_none_or(String::is_empty);
        if !doubled {
            lines.push(line);
        }
    }
    lines.join("\n").trim().to_owned()
}

fn areas(language: &str, info: &Element) -> String {
    let between = if language.starts_with("ar") { "، " } else { ", " };
    info.elements("area")
        .iter()
        .map(|area| tidy(area.said("areaDesc")).replace('\n', " "))
        .collect::<Vec<_>>()
        .join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_taken_out_and_paragraphs_stay() {
        assert_eq!(tidy("  a  b\t c \r\n\n\n\n d\u{85}e\u{9f}f \n"), "a b c\n\nd\ne f");
        assert_eq!(tidy(" \n "), "");
    }

    #[test]
    fn what_to_do_is_kept_when_a_text_is_cut() {
        let parts = Parts {
            headline: "Flood warning".into(),
            description: "word ".repeat(1_000).trim().into(),
            instruction: "Leave now.".into(),
        };
        let (text, cut) = parts.within(200);
        assert!(cut && text.chars().count() <= 200, "{text}");
        assert!(text.starts_with("Flood warning\n\nword") && text.ends_with("word…\n\nLeave now."), "{text}");
        let long = Parts { instruction: "step ".repeat(100).trim().into(), ..parts };
        let (text, cut) = long.within(100);
        assert!(cut && text.chars().count() <= 100 && text.starts_with("Flood warning\n\nstep"), "{text}");
        assert_eq!(shortened("one two", 7), "one two");
        assert_eq!(shortened("one two three", 9), "one two…");
        assert_eq!(cancelled("ar-PS", "x"), "أُلغي هذا التنبيه: x");
    }
}
