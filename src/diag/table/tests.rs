use super::*;
use crate::diag::Secret;

fn read(text: &str, read: impl FnOnce(&mut Table, &mut Diagnostics)) -> String {
    let mut diags = Diagnostics::default();
    if let Some(mut table) = Table::parse(&Source::new("f.toml", text), &mut diags) {
        read(&mut table, &mut diags);
        table.finish(&mut diags);
    }
    diags.render()
}

#[test]
fn every_mistake_is_reported_at_once_with_its_remedy() {
    let shown = read("listen = 3\nwiat = \"20s\"\nwindow = 0\nsend = \"bets\"\nrate = \"fast\"\n", |t, d| {
        t.string("listen", d);
        t.span("wait", d);
        t.u64("window", 1..=10, d);
        t.choice("send", &[("best", 1), ("all", 2)], d);
        t.rate("rate", d);
        t.required_string("name", d);
    });
    for expected in [
        "error[missing-key]: the file has no `name`\n --> f.toml\n  = help: add `name = ..`",
        "1 | listen = 3\n  |          ^ this is a number",
        "2 | wiat = \"20s\"\n  | ^^^^ nothing reads this key\n  = help: did you mean `wait`?",
        "from 1 to 10 is allowed",
        "4 | send = \"bets\"\n  |        ^^^^^^ not a word that `send` knows\n  = help: did you mean `best`?",
        "`rate` of the file is not a rate",
    ] {
        assert!(shown.contains(expected), "{expected}\n---\n{shown}");
    }
}

#[test]
fn tables_know_their_headers() {
    let shown = read("[[gateway]]\nx = 1\n\n[server]\ntls = { cert = 1 }\n", |t, d| {
        let mut gateway = t.tables("gateway", d).remove(0);
        gateway.required_string("name", d);
        gateway.call("gateway `a`");
        gateway.finish(d);
        let mut server = t.table("server", d).expect("it is there");
        let mut tls = server.table("tls", d).expect("it is there");
        tls.required_string("key", d);
    });
    assert!(shown.contains("1 | [[gateway]]\n  | ^^^^^^^^^^^ it belongs here"), "{shown}");
    assert!(shown.contains("gateway `a` has an unknown key `x`"), "{shown}");
    assert!(shown.contains("`server.tls` has no `key`\n --> f.toml:5:7"), "{shown}");
}

#[test]
fn a_secret_is_had_from_elsewhere_and_never_shown() {
    let mut secrets = Vec::new();
    let text = "a = { env = \"PATH\" }\nb = \"literal-1\"\nc = { env = \"NO_SUCH_VARIABLE_HERE\" }\nd = { file = \
                \"/no/such\" }\ne = 77777\nf = { enw = \"X\" }\npassword = literal-2\n";
    let shown = read(text.strip_suffix("password = literal-2\n").expect("as written"), |t, d| {
        secrets = ["a", "b", "c", "d", "e", "f"].map(|key| t.secret(key, d)).into();
    });
    assert!(secrets[0].as_ref().is_some_and(|s| s.expose() == std::env::var("PATH").expect("set")));
    assert_eq!(secrets[1].as_ref().map(Secret::expose), Some("literal-1"));
    assert_eq!(format!("{:?} {}", secrets[1], secrets[1].as_ref().expect("read")), "Some(***) ***");
    assert!(secrets[2..].iter().all(Option::is_none));
    assert!(!shown.contains("literal-1") && !shown.contains("77777"), "{shown}");
    assert!(shown.contains("the variable `NO_SUCH_VARIABLE_HERE` is not set"), "{shown}");
    let broken = read(text, |_, _| {});
    assert!(broken.contains("error[syntax]") && !broken.contains("literal-2"), "{broken}");
}

#[test]
fn a_reordering_character_is_named() {
    let shown = read("# \u{202E}x\n", |_, _| {});
    assert!(shown.contains("error[bidi-control]") && shown.contains("<U+202E>x"), "{shown}");
}
