//! Where mutations come from: a seed, and nothing else.

/// How many mutations of each text one run tries.
const ROUNDS: u64 = 60;

/// A generator of numbers. Cites: Vigna's splitmix64, public domain.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn from_env() -> Chance {
        Chance(number("SEED", 7))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as usize % limit.max(1)
    }

    /// Returns a place in a text that is not inside a character.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// Changes a text in one to four places: something cut, doubled, moved or put in from `pieces`.
    pub(crate) fn mutate(&mut self, text: &str, pieces: &[&str]) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(4) {
            let (a, b) = (self.place(&text), self.place(&text));
            let cut = a.min(b)..a.max(b).min(a.min(b) + 40);
            let cut = cut.start
                ..(cut.start..=cut.end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(cut.start);
            match self.below(4) {
                0 => text.replace_range(cut, ""),
                1 => {
                    let part = text[cut.clone()].to_owned();
                    text.insert_str(cut.start, &part);
                }
                2 => {
                    let part = text[cut.clone()].to_owned();
                    text.replace_range(cut, "");
                    let to = self.place(&text);
                    text.insert_str(to, &part);
                }
                _ => text.insert_str(cut.start, pieces[self.below(pieces.len())]),
            }
        }
        text
    }
}

pub(crate) fn rounds() -> u64 {
    number("FUZZ_ROUNDS", ROUNDS)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
