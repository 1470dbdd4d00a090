//! What a query names, and what it becomes so that it must have an answer. Whether it is good PromQL, Prometheus says.

use std::collections::BTreeSet;

/// The words that take a list of labels.
const GROUPINGS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];
/// The words that stand alone.
const OPERATORS: &[&str] = &["and", "or", "unless", "offset", "bool"];
/// What makes a query of an empty one.
const OR_ZERO: &str = " or vector(0)";

/// What a query names.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Names {
    /// Each selector: the metric, and the labels that it is narrowed by.
    pub selectors: Vec<(String, Vec<String>)>,
    /// The labels that it groups or joins by.
    pub grouped: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text,
    Sign(char),
}

fn tokens(expr: &str) -> Vec<Token> {
    let (mut found, mut rest) = (Vec::new(), expr);
    while let Some(first) = rest.chars().next() {
        let length = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let taken = match first {
            '"' => {
                found.push(Token::Text);
                rest[1..].find('"').expect("a text ends") + 2
            }
            // A range or a subquery names nothing.
            '[' => rest.find(']').expect("a range ends") + 1,
            // A number or a length of time, or a variable of Grafana's in its place.
            c if c.is_ascii_digit() || c == '$' => length(|c| c.is_ascii_alphanumeric() || "._$".contains(c)),
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = length(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
                found.push(Token::Word(rest[..end].to_owned()));
                end
            }
            c => {
                if !c.is_whitespace() {
                    found.push(Token::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    found
}

/// Reads what a query names.
pub fn names(expr: &str) -> Names {
    let (tokens, mut names, mut at) = (tokens(expr), Names::default(), 0);
    let words_until = |from: usize, end: char| -> (Vec<String>, usize) {
        let until = (from..tokens.len()).find(|i| tokens[*i] == Token::Sign(end)).expect("it ends");
        let words = tokens[from..until].iter().filter_map(|token| match token {
            Token::Word(word) => Some(word.clone()),
            _ => None,
        });
        (words.collect(), until)
    };
    while at < tokens.len() {
        if let Token::Word(word) = &tokens[at] {
            match tokens.get(at + 1) {
                Some(Token::Sign('(')) if GROUPINGS.contains(&word.as_str()) => {
                    let (labels, end) = words_until(at + 2, ')');
                    names.grouped.extend(labels);
                    at = end;
                }
                _ if GROUPINGS.contains(&word.as_str()) || OPERATORS.contains(&word.as_str()) => {}
                // A function, or an aggregation with its labels first.
                Some(Token::Sign('(')) => {}
                Some(Token::Word(next)) if next == "by" || next == "without" => {}
                Some(Token::Sign('{')) => {
                    let (labels, end) = words_until(at + 2, '}');
                    names.selectors.push((word.clone(), labels));
                    at = end;
                }
                _ => names.selectors.push((word.clone(), Vec::new())),
            }
        }
        at += 1;
    }
    names
}

/// Returns a query without the zero that stands in for nothing.
pub fn without_stand_in(expr: &str) -> &str {
    expr.strip_suffix(OR_ZERO).unwrap_or(expr)
}

/// Returns a query without its comparisons with numbers: what is compared must be there whether or not the comparison
/// holds.
pub fn bare(expr: &str) -> String {
    // Of what is absent, the presence is asked.
    let inner = expr.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')'));
    let (mut bare, mut rest) = (String::new(), inner.unwrap_or(expr));
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        quoted ^= c == '"';
        let compared = if quoted { None } else { after_comparison(rest) };
        match compared {
            Some(after) => rest = after,
            None => {
                bare.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    bare.trim_end().to_owned()
}

/// Returns what follows a comparison with a number, if the text begins with one.
fn after_comparison(text: &str) -> Option<&str> {
    let signs = ["==", "!=", ">=", "<=", ">", "<"];
    let rest = signs.iter().find_map(|sign| text.strip_prefix(sign))?.trim_start();
    let rest = rest.strip_prefix("bool ").unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    (end > 0).then(|| &rest[end..])
}

/// Returns the names between `{{` and `}}`, as a legend has them or, after `prefix`, an annotation.
pub fn placeholders(text: &str, prefix: &str) -> BTreeSet<String> {
    let inner = text.split("{{").skip(1).filter_map(|piece| piece.split_once("}}"));
    let names = inner.filter_map(|(inner, _)| inner.trim().strip_prefix(prefix));
    names.map(str::to_owned).collect()
}

#[test]
fn names_are_read_out_of_a_query() {
    let check = |expr: &str, selectors: &[(&str, &[&str])], grouped: &[&str]| {
        let read = names(expr);
        let plain: Vec<(&str, Vec<&str>)> = read
            .selectors
            .iter()
            .map(|(metric, labels)| (metric.as_str(), labels.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(&str, Vec<&str>)> = selectors.iter().map(|(m, l)| (*m, l.to_vec())).collect();
        assert_eq!((plain, read.grouped.len()), (expected, grouped.len()), "{expr}");
        assert!(grouped.iter().all(|label| read.grouped.contains(*label)), "{expr}");
    };
    check("vector(1)", &[], &[]);
    check("up", &[("up", &[])], &[]);
    check(
        r#"sum by (le, a) (rate(b_bucket{x=~"$x", y!="by (z)"}[5m]))"#,
        &[("b_bucket", &["x", "y"])],
        &["le", "a"],
    );
    check("a{} unless a offset 1h > bool 0.5 or -b", &[("a", &[]), ("a", &[]), ("b", &[])], &[]);
    check("a * on (job) group_left () b", &[("a", &[]), ("b", &[])], &["job"]);
    check(r#"sum_over_time(a{b="]"}[1d:10s]) * 10"#, &[("a", &["b"])], &[]);
}

#[test]
fn comparisons_with_numbers_are_taken_away() {
    let check = |expr: &str, expected: &str| assert_eq!(bare(expr), expected);
    check("a == 0", "a");
    check("a > bool 120", "a");
    check(r#"absent(up{job="wasl"} == 1)"#, r#"up{job="wasl"}"#);
    check(r#"b{c=~">= 1"} < 0.5 and on (d) min(e) == 1"#, r#"b{c=~">= 1"}  and on (d) min(e)"#);
    check("count(a == 1)", "count(a )");
    check("a > b", "a > b");
}
