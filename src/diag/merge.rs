//! One table over another: what a file says over what is usual.

use super::diagnostic::Diagnostics;
use super::loose::Loose;
use super::source::Spanned;
use super::table::Table;
use super::value::Value;

impl Table {
    /// Takes over from `usual` what this table leaves out, down to the single key of a table within a table. What this
    /// table says stands, whatever its type, and each value keeps the place that it came from.
    pub fn over(&mut self, usual: Table) {
        for (key, entry) in usual.entries {
            match self.entries.get_mut(&key).map(|own| &mut own.value.value) {
                None => {
                    self.entries.insert(key, entry);
                }
                Some(Value::Table(own)) => {
                    if let Value::Table(usual) = entry.value.value {
                        own.over(usual);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Returns every key that was not yet read with its value, in the order of the keys: for a table whose keys are the
    /// user's own names.
    pub fn into_loose(self, diags: &mut Diagnostics) -> Vec<(String, Spanned<Loose>)> {
        let called = self.called().to_owned();
        let Table { entries, .. } = self;
        let loosen = |(key, entry): (String, super::value::Entry)| {
            let loose = Table::loosened(&called, &key, entry.value, diags)?;
            Some((key, loose))
        };
        entries.into_iter().filter_map(loosen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    fn table(text: &str) -> Table {
        let mut diags = Diagnostics::default();
        Table::parse(&Source::new("f.toml", text), &mut diags).expect("it is TOML")
    }

    #[test]
    fn what_is_said_stands_and_the_rest_is_taken_over() {
        let mut own = table("a = 1\n[t]\nx = \"own\"\ny = false\n[t.deep]\np = 1\n");
        own.over(table(
            "a = 2\nb = 3\n[t]\nx = \"usual\"\ny = \"usual\"\nz = \"usual\"\n[t.deep]\nq = 2\n[u]\nv = 1\n",
        ));
        let expected = table(
            "a = 1\nb = 3\n[t]\nx = \"own\"\ny = false\nz = \"usual\"\n[t.deep]\np = 1\nq = 2\n[u]\nv = 1\n",
        );
        assert!(own.says_same(&expected), "{own:?}");
        // Of another type: what is said stands all the same.
        let mut own = table("t = 1\n");
        own.over(table("[t]\nx = 1\n"));
        assert!(own.says_same(&table("t = 1\n")));
    }

    #[test]
    fn a_table_of_own_names_is_taken_apart_in_order() {
        let mut diags = Diagnostics::default();
        let pairs = table("b = 1\na = \"x\"\nc = 1979-05-27\n").into_loose(&mut diags);
        let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(matches!(&pairs[0].1.value, Loose::Text(text) if text == "x"));
        assert_eq!(diags.errors(), 1);
    }
}
