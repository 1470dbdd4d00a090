//! The word that somebody probably meant.

/// Returns the nearest of some known words, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = plain(word);
    let meant = |candidate: &&str| {
        let other = plain(candidate);
        let are_short = letters.len() <= SHORT && other.len() <= SHORT;
        !are_short || sorted(&letters) == sorted(&other)
    };
    near(&letters, known.into_iter().filter(meant))
}

/// Says whether a word looks like one of some others, to be careful with it: sooner than a suggestion is made.
pub(super) fn resembles<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> bool {
    near(&plain(word), known).is_some()
}

fn near<'a>(word: &[char], known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong, and always one: `smss`, `e-mail`, `whatapp`.
    let limit = (word.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns a remedy: the nearest known word, else all of them.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let mut known: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
    known.sort();
    known.dedup();
    match known.as_slice() {
        [] => "remove it".into(),
        [one] => format!("the only known one is {one}"),
        many => format!("known are {}", many.join(", ")),
    }
}

/// Up to so many letters, another letter makes another word: `fr` is not `ar`, but `ra` may be meant so.
const SHORT: usize = 3;

fn sorted(letters: &[char]) -> Vec<char> {
    let mut letters = letters.to_vec();
    letters.sort_unstable();
    letters
}

/// Strips what people confuse: case, and `-`, `_` and spaces.
fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).take(64).collect()
}

/// Returns the edit distance, a swap of neighbours counted once (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_that_was_meant() {
        let known = ["signal", "sms", "whatsapp", "email", "failure_domains", "severity"];
        let check = |word, expected: Option<&str>| assert_eq!(nearest(word, known), expected, "{word}");
        check("signall", Some("signal"));
        check("SMS", Some("sms"));
        check("smss", Some("sms"));
        check("e-mail", Some("email"));
        check("failure-domain", Some("failure_domains"));
        check("severtiy", Some("severity"));
        check("whatapp", Some("whatsapp"));
        check("carrier", None);
        check("smsm", Some("sms"));
        let short = |word, expected: Option<&str>| {
            assert_eq!(nearest(word, ["ar", "en", "sms", "name"]), expected, "{word}")
        };
        short("fr", None);
        short("de", None);
        short("ra", Some("ar"));
        short("EN", Some("en"));
        short("ssm", Some("sms"));
        short("mms", None);
        short("nam", Some("name"));
        assert!(resembles("uri", ["url"]) && !resembles("x", ["url"]));
        check("", None);
        check("واتساب", None);
    }
}
