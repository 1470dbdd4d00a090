//! The article before a word of ours.

/// Returns `a` or `an`, as one says it before a noun that the program knows. One that begins with a vowel and is said with a
/// consonant, as "user", is none of them.
pub(crate) fn article(noun: &str) -> &'static str {
    match noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    }
}

#[cfg(test)]
mod tests {
    use super::article;

    #[test]
    fn a_vowel_takes_an() {
        for (noun, expected) in [("gateway", "a"), ("operator", "an"), ("uplink", "an"), ("reader", "a")] {
            assert_eq!(article(noun), expected, "{noun}");
        }
    }
}
