//! What a message becomes: the request, described in the file, in one shape for texts that the GSM alphabet has and one
//! for the others.

use super::account::Account;
use super::template::{Charset, Field, Stands, Template, Values, percent};
use crate::adapter::http::Request;
use crate::adapter::segments::{Alphabet, Encoding, PARTS_MAX, encoding_for, segments};
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Loose, Place, Spanned, Table, holds_secret};
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use std::ops::RangeInclusive;

/// The longest path with its query. Servers stop at 8 KiB to 64 KiB; ours and hyper's end is 64 KiB.
const ASKED_BYTES_MAX: usize = 60 * 1024;
/// How deep JSON may be nested in a description.
const DEPTH_MAX: usize = 16;
/// How short and how long a life is told to a gateway that names no limits of its own.
const LIFE: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_hours(24 * 7);

/// The two shapes of a gateway's requests, and what holds for both.
pub(super) struct Requests {
    gsm: Shape,
    unicode: Shape,
    /// How short and how long a life the gateway takes.
    pub(super) life: RangeInclusive<Span>,
    /// More segments than this the gateway cuts off or refuses.
    parts_max: usize,
}

/// One shape.
struct Shape {
    method: Method,
    path: Template,
    charset: Charset,
    query: Vec<Pair>,
    headers: Vec<(HeaderName, Template)>,
    body: Body,
}

/// A name, percent-encoded, and its value.
type Pair = (String, Template);

enum Body {
    None,
    Form(Vec<Pair>),
    Json(Tree),
    Xml(Template),
}

/// JSON with templates for its strings.
enum Tree {
    Text(Template),
    Said(serde_json::Value),
    Many(Vec<Tree>),
    Named(Vec<(String, Tree)>),
}

/// What is needed to read a description.
struct Reading<'a> {
    account: &'a mut Account,
    diags: &'a mut Diagnostics,
}

// === impl Requests ===

impl Requests {
    /// Reads `[gateway.request]`, which lies over that of a ready description.
    pub(super) fn read(mut table: Table, account: &mut Account, diags: &mut Diagnostics) -> Option<Requests> {
        let life = life(&mut table, diags).unwrap_or(LIFE);
        let most = table.u64("parts_max", 1..=PARTS_MAX as u64, diags);
        let parts_max = most.and_then(|most| usize::try_from(most.value).ok()).unwrap_or(PARTS_MAX);
        let gsm = table.table("gsm", diags);
        let unicode = table.table("unicode", diags);
        let both = [gsm, unicode].map(|more| {
            let mut shape = table.clone();
            if let Some(mut more) = more {
                let called = shape.called().to_owned();
                more.call(called);
                more.over(shape);
                shape = more;
            }
            shape
        });
        let [gsm, unicode] = both;
        let gsm = Shape::read(gsm, account, diags);
        // What is wrong with what both have in common is told once.
        let mut other = Diagnostics::default();
        let unicode = Shape::read(unicode, account, &mut other);
        if !diags.has_errors() {
            diags.extend(other);
        }
        Some(Requests { gsm: gsm?, unicode: unicode?, life, parts_max })
    }

    /// Says whether every message tells the gateway where to call us.
    pub(super) fn tell_callback(&self) -> bool {
        [&self.gsm, &self.unicode].into_iter().all(Shape::tells_callback)
    }

    /// Builds a message's request.
    pub(super) fn build(&self, text: &str, values: &Values<'_>) -> Result<Request, Reason> {
        if segments(text).parts.len() > self.parts_max {
            return Err(Reason::ContentRefused);
        }
        match encoding_for(text, Alphabet::Gsm7) {
            Encoding::Gsm7 | Encoding::Latin1 => self.gsm.build(values),
            Encoding::Ucs2 => self.unicode.build(values),
        }
    }
}

/// Reads how short and how long a life the gateway takes.
fn life(table: &mut Table, diags: &mut Diagnostics) -> Option<RangeInclusive<Span>> {
    let mut life = table.table("life", diags)?;
    let limits = Span::from_secs(1)..=Span::from_hours(24 * 365);
    let low = life.span_in("at_least", limits.clone(), diags).map_or(*LIFE.start(), |low| low.value);
    let high = life.span_in("at_most", limits, diags).map_or(*LIFE.end(), |high| high.value);
    let place = life.place().clone();
    life.finish(diags);
    if low <= high {
        return Some(low..=high);
    }
    diags.push(
        Diagnostic::error("out-of-range", "`life` has its least above its most")
            .at(&place, "these two")
            .help("write `life = { at_least = \"20s\", at_most = \"48h\" }`"),
    );
    None
}

// === impl Shape ===

impl Shape {
    fn read(mut table: Table, account: &mut Account, diags: &mut Diagnostics) -> Option<Shape> {
        let words = [("GET", Method::GET), ("POST", Method::POST), ("PUT", Method::PUT)];
        let places: Vec<_> = words.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
        let chosen = table.choice("method", &places, diags);
        let charset = table.choice("charset", &Charset::WORDS, diags).map(|charset| charset.value);
        let path = table.required_string("path", diags);
        let (query, headers) = (table.table("query", diags), table.table("headers", diags));
        let (form, json) = (table.table("form", diags), table.table("json", diags));
        let xml = table.string("xml", diags);
        let mut reading = Reading { account, diags };
        let path = path.and_then(|path| reading.path(&path));
        let query = query.map(|query| reading.pairs(query)).unwrap_or_default();
        let headers = headers.map(|headers| reading.headers(headers)).unwrap_or_default();
        let bodies = [form.is_some(), json.is_some(), xml.is_some()].into_iter().filter(|is| *is).count();
        let body = match (form, json, xml) {
            (Some(form), ..) => Body::Form(reading.pairs(form)),
            (_, Some(json), _) => Body::Json(reading.tree(Loose::Table(json), 0)),
            (.., Some(xml)) => Body::Xml(Template::parse(&xml, Stands::Xml, reading.account, reading.diags)),
            _ => Body::None,
        };
        let usual = if bodies == 0 { Method::GET } else { Method::POST };
        let method = chosen.as_ref().map_or(usual, |chosen| words[chosen.value].1.clone());
        let problem = match bodies {
            2.. => Some(("conflict", "has more than one body", "write one of `form`, `json` and `xml`")),
            1 if method == Method::GET => {
                Some(("conflict", "has a body, which GET does not carry", "write `method = \"POST\"`"))
            }
            _ => None,
        };
        if let Some((code, what, help)) = problem {
            let message = format!("{} {what}", table.called());
            diags.push(Diagnostic::error(code, message).at(table.place(), "in this request").help(help));
        }
        table.finish(diags);
        Some(Shape { method, path: path?, charset: charset.unwrap_or_default(), query, headers, body })
    }

    fn build(&self, values: &Values<'_>) -> Result<Request, Reason> {
        let mut path = self.path.written(Stands::Path, values);
        for (place, pair) in self.query.iter().enumerate() {
            path.push(if place == 0 { '?' } else { '&' });
            path += &self.pair(pair, values)?;
        }
        if path.len() > ASKED_BYTES_MAX {
            return Err(Reason::ContentRefused);
        }
        let mut request = Request { method: self.method.clone(), ..Request::get(path) };
        if let Some((kind, body)) = self.body(values)? {
            request.body = body.into();
            if !self.headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
                request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
        }
        for (name, template) in &self.headers {
            // The account's values and the file's were looked at; what a message brings is digits and ids.
            let mut value =
                HeaderValue::try_from(template.plain(values)).map_err(|_| Reason::Configuration)?;
            value.set_sensitive(true);
            request = request.header(name.clone(), value);
        }
        Ok(request)
    }

    fn body(&self, values: &Values<'_>) -> Result<Option<(&'static str, Vec<u8>)>, Reason> {
        Ok(match &self.body {
            Body::None => None,
            Body::Form(pairs) => {
                let form: Result<Vec<_>, _> = pairs.iter().map(|pair| self.pair(pair, values)).collect();
                Some(("application/x-www-form-urlencoded", form?.join("&").into()))
            }
            Body::Json(tree) => Some(("application/json", tree.filled(values).to_string().into())),
            Body::Xml(xml) => Some(("text/xml; charset=utf-8", xml.written(Stands::Xml, values).into())),
        })
    }

    fn pair(&self, (name, template): &Pair, values: &Values<'_>) -> Result<String, Reason> {
        Ok(format!("{name}={}", template.percent(values, self.charset)?))
    }

    fn tells_callback(&self) -> bool {
        let tells = |template: &Template| template.uses(Field::Callback);
        let in_pairs = |pairs: &[Pair]| pairs.iter().any(|(_, template)| tells(template));
        let in_body = match &self.body {
            Body::None => false,
            Body::Form(pairs) => in_pairs(pairs),
            Body::Json(tree) => tree.any(&tells),
            Body::Xml(xml) => tells(xml),
        };
        in_body || in_pairs(&self.query) || self.headers.iter().any(|(_, template)| tells(template))
    }
}

impl Tree {
    fn filled(&self, values: &Values<'_>) -> serde_json::Value {
        match self {
            Tree::Text(template) => template.json(values),
            Tree::Said(value) => value.clone(),
            Tree::Many(items) => items.iter().map(|item| item.filled(values)).collect(),
            Tree::Named(members) => {
                members.iter().map(|(name, member)| (name.clone(), member.filled(values))).collect()
            }
        }
    }

    fn any(&self, test: &impl Fn(&Template) -> bool) -> bool {
        match self {
            Tree::Text(template) => test(template),
            Tree::Said(_) => false,
            Tree::Many(items) => items.iter().any(|item| item.any(test)),
            Tree::Named(members) => members.iter().any(|(_, member)| member.any(test)),
        }
    }
}

// === impl Reading ===

impl Reading<'_> {
    fn template(&mut self, name: &str, text: &Spanned<String>, stands: Stands) -> Template {
        let template = Template::parse(text, stands, self.account, self.diags);
        // A value that the file spells out is one that everybody reads who reads the file.
        if holds_secret(name) && !text.value.contains('{') && !text.value.is_empty() {
            self.diags.mask(text.place.clone());
            self.diags.push(
                Diagnostic::warning("literal-secret", format!("`{name}` stands in the file"))
                    .at(&text.place, "everybody who reads the file can read it")
                    .help("write `{password}`, `{token}`, `{api_key}` or `{api_secret}` here, and that key beside `adapter`"),
            );
        }
        template
    }

    fn path(&mut self, text: &Spanned<String>) -> Option<Template> {
        let template = Template::parse(text, Stands::Path, self.account, self.diags);
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"/-._~:@!$'()*,;+%{}".contains(&b);
        if text.value.starts_with('/') && text.value.bytes().all(fits) {
            return Some(template);
        }
        self.diags.push(
            Diagnostic::error("bad-value", "`path` is not the path of a URL")
                .at(&text.place, "a slash first, and neither blanks nor a query")
                .help("write `path = \"/send\"`; what follows a question mark is `query = { .. }`"),
        );
        None
    }

    /// Reads names and their values; `false` takes one of a ready description away.
    fn pairs(&mut self, table: Table) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (name, value) in table.into_loose(self.diags) {
            let Some(text) = self.text(&name, value) else { continue };
            let mut encoded = String::new();
            percent(name.as_bytes(), &mut encoded);
            let template = self.template(&name, &text, Stands::Field);
            pairs.push((encoded, template));
        }
        pairs
    }

    fn headers(&mut self, table: Table) -> Vec<(HeaderName, Template)> {
        let mut headers = Vec::new();
        for (name, value) in table.into_loose(self.diags) {
            let Some(text) = self.text(&name, value) else { continue };
            let template = self.template(&name, &text, Stands::Header);
            let is_ours = |known: &HeaderName| {
                ["host", "content-length", "transfer-encoding", "connection", "user-agent"]
                    .contains(&known.as_str())
            };
            // What a message fills in is digits and ids, which a header holds.
            let is_sound = template.as_said().is_none_or(|said| HeaderValue::try_from(said).is_ok());
            match name.parse::<HeaderName>() {
                Ok(known) if is_sound && !is_ours(&known) => headers.push((known, template)),
                Ok(known) if is_ours(&known) => {
                    self.refuse(&name, &text.place, "is a header that is not yours to set", "leave it out");
                }
                _ => {
                    let help = "names are letters, digits and hyphens; values are printable ASCII";
                    self.refuse(&name, &text.place, "is no header that can be sent", help);
                }
            }
        }
        headers
    }

    fn refuse(&mut self, name: &str, place: &Place, what: &str, help: &str) {
        self.diags.push(
            Diagnostic::error("bad-value", format!("`{name}` {what}")).at(place, "this value").help(help),
        );
    }

    /// Reads a value that is written as text; `None`: it is left out, or reported.
    fn text(&mut self, name: &str, value: Spanned<Loose>) -> Option<Spanned<String>> {
        let text = match value.value {
            Loose::Text(text) => text,
            Loose::Whole(number) => number.to_string(),
            Loose::Truth(false) => return None,
            _ => {
                let help = "write a text or a whole number, or `false` to leave it out";
                self.refuse(name, &value.place, "is not a text", help);
                return None;
            }
        };
        Some(Spanned { value: text, place: value.place })
    }

    /// Reads JSON. A table in a table may be left out by `false` only where it replaces a ready one's; a member that is
    /// meant to be false is written so and stays.
    fn tree(&mut self, loose: Loose, depth: usize) -> Tree {
        match loose {
            Loose::Whole(number) => Tree::Said(number.into()),
            Loose::Number(number) => Tree::Said(number.into()),
            Loose::Truth(truth) => Tree::Said(truth.into()),
            // Text is met below, with its place.
            Loose::Text(text) => Tree::Said(text.into()),
            Loose::Many(items) => {
                Tree::Many(items.into_iter().map(|item| self.member("json", item, depth + 1)).collect())
            }
            Loose::Table(table) => {
                let members = table.into_loose(self.diags);
                let named = members.into_iter().map(|(name, member)| {
                    let tree = self.member(&name, member, depth + 1);
                    (name, tree)
                });
                Tree::Named(named.collect())
            }
        }
    }

    fn member(&mut self, name: &str, member: Spanned<Loose>, depth: usize) -> Tree {
        if depth > DEPTH_MAX {
            let help = format!("at most {DEPTH_MAX} deep is allowed");
            self.refuse(name, &member.place, "is nested too deeply", &help);
            return Tree::Said(serde_json::Value::Null);
        }
        match member.value {
            Loose::Text(value) => {
                let text = Spanned { value, place: member.place };
                Tree::Text(self.template(name, &text, Stands::Field))
            }
            other => self.tree(other, depth),
        }
    }
}
