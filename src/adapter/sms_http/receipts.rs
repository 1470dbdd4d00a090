//! What a provider's call says: receipts, once something proves it.
//!
//! Invariant: nothing is read of a call that nothing proves.

use super::parts::Parts;
use super::proof::{Proof, Proved};
use super::template::attempt;
use super::words::{Path, Word, as_id, path, reasons, words};
use crate::adapter::hook::{PLAIN, bad_signature, form_octets, heard, unreadable};
use crate::adapter::{HookAnswer, HookRequest};
use crate::core::ids::AttemptId;
use crate::core::outcome::{Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::time::Timestamp;
use crate::diag::{Diagnostic, Diagnostics, Secret, Table, did_you_mean};
use serde_json::{Map, Value};

/// A Unix time above this is in milliseconds: in seconds it is the year 5138.
const SECONDS_MAX: i64 = 100_000_000_000;

/// `[gateway.receipt]`.
pub(super) struct Receipts {
    pub(super) proof: Proof,
    /// The body of our answer.
    answer: String,
    /// Where the list is, for calls that carry several.
    each: Option<Path>,
    id: Option<Path>,
    attempt: Option<Path>,
    /// What tells the receipts of a message's parts apart, where each part has its own.
    part: Option<Path>,
    status: Vec<Path>,
    kinds: Vec<(ReceiptKind, Vec<Word>)>,
    reason: Vec<Path>,
    /// The longest word first: a word goes before the beginning that it has.
    reasons: Vec<(Word, Reason)>,
    time: Option<Path>,
}

impl Receipts {
    /// Reads `[gateway.receipt]`, which lies over that of a ready description.
    pub(super) fn read(
        mut table: Table,
        gateway: (&str, &Table),
        secret: Option<Secret>,
        diags: &mut Diagnostics,
    ) -> Option<Receipts> {
        let proof = Proof::read(&mut table, gateway, secret, diags);
        let answer = table.string("answer", diags).map(|answer| answer.value).unwrap_or_default();
        let kinds = [
            (ReceiptKind::Read, "read"),
            (ReceiptKind::Delivered, "delivered"),
            (ReceiptKind::Sent, "sent"),
            (ReceiptKind::Failed, "failed"),
        ];
        let kinds: Vec<_> = kinds.map(|(kind, key)| (kind, words(&mut table, key, diags))).into();
        if kinds.iter().all(|(_, words)| words.is_empty()) {
            table.missing("delivered", diags);
        }
        if table.key("status").is_none() {
            table.missing("status", diags);
        }
        let status = paths(&mut table, "status", diags);
        let reason = paths(&mut table, "reason", diags);
        let receipts = Receipts {
            answer,
            each: path(&mut table, "each", diags),
            id: path(&mut table, "id", diags),
            attempt: path(&mut table, "attempt", diags),
            part: path(&mut table, "part", diags),
            status,
            kinds,
            reason,
            reasons: read_reasons(&mut table, diags),
            time: path(&mut table, "time", diags),
            proof: proof?,
        };
        if !receipts.proof.is_in_url() && receipts.id.is_none() && receipts.attempt.is_none() {
            table.missing("id", diags);
        }
        table.finish(diags);
        Some(receipts)
    }

    /// Says whether each part of a message has a receipt of its own.
    pub(super) fn tell_parts(&self) -> bool {
        self.part.is_some()
    }

    /// Answers a call that came `now`.
    pub(super) fn answer(&self, request: &HookRequest, parts: &Parts, now: Timestamp) -> HookAnswer {
        let Some(proved) = self.proof.look(request, now) else { return bad_signature() };
        let Some(said) = said(request) else { return unreadable() };
        let items: Vec<&Value> = match &self.each {
            Some(each) => each.find(&said).into_iter().filter_map(Value::as_array).flatten().collect(),
            None => vec![&said],
        };
        let receipts = items.into_iter().filter_map(|item| self.receipt(item, proved, parts)).collect();
        HookAnswer { content_type: PLAIN, body: self.answer.clone(), ..heard(receipts) }
    }

    fn receipt(&self, item: &Value, proved: Proved, parts: &Parts) -> Option<Receipt> {
        let text = |path: &Option<Path>| path.as_ref().and_then(|path| path.text(item));
        let kind = self.kind(item)?;
        let echoed = text(&self.attempt).and_then(|text| attempt(&text));
        let of = match (proved, echoed, text(&self.id).and_then(as_id)) {
            (Proved::One(ours), Some(echoed), _) if echoed != ours => return None,
            (Proved::One(ours), ..) => ReceiptRef::Attempt(ours),
            (Proved::Any, Some(attempt), Some(id)) => ReceiptRef::Both(id, attempt),
            (Proved::Any, Some(attempt), None) => ReceiptRef::Attempt(attempt),
            (Proved::Any, None, Some(id)) => ReceiptRef::Provider(id),
            (Proved::Any, None, None) => return None,
        };
        let kind = match (kind, text(&self.part), attempt_of(&of)) {
            (ReceiptKind::Delivered | ReceiptKind::Read, Some(part), Some(attempt)) => {
                if parts.arrived(attempt, &part) { kind } else { ReceiptKind::Sent }
            }
            _ => kind,
        };
        let reason = (kind == ReceiptKind::Failed).then(|| self.why(item));
        Some(Receipt { of, kind, reason, at: text(&self.time).and_then(|text| time(&text)) })
    }

    fn kind(&self, item: &Value) -> Option<ReceiptKind> {
        let texts = self.status.iter().filter_map(|path| path.text(item));
        let known = |text: String| {
            let fits = |(_, words): &&(ReceiptKind, Vec<Word>)| words.iter().any(|word| word.fits(&text));
            self.kinds.iter().find(fits).map(|(kind, _)| *kind)
        };
        texts.into_iter().find_map(known)
    }

    fn why(&self, item: &Value) -> Reason {
        let texts = self.reason.iter().filter_map(|path| path.text(item));
        let known =
            |text: String| self.reasons.iter().find(|(word, _)| word.fits(&text)).map(|(_, why)| *why);
        texts.into_iter().find_map(known).unwrap_or(Reason::Undeliverable)
    }
}

fn attempt_of(of: &ReceiptRef) -> Option<AttemptId> {
    match of {
        ReceiptRef::Attempt(attempt) | ReceiptRef::Both(_, attempt) => Some(*attempt),
        ReceiptRef::Provider(_) => None,
    }
}

/// Returns what a call says: JSON, or the pairs of its query and its form. What is not UTF-8 spoils its own value alone.
pub(super) fn said(request: &HookRequest) -> Option<Value> {
    let is_json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
    let begins = request.body.iter().find(|byte| !byte.is_ascii_whitespace());
    if is_json || matches!(begins, Some(b'{' | b'[')) {
        return serde_json::from_slice(&request.body).ok();
    }
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    let members: Map<String, Value> =
        pairs(request)?.into_iter().map(|(name, value)| (name, text(value).into())).collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

/// Returns the pairs of a call's query and its form.
pub(super) fn pairs(request: &HookRequest) -> Option<Vec<(String, Vec<u8>)>> {
    let mut pairs = form_octets(request.query.as_bytes())?;
    pairs.extend(form_octets(&request.body)?);
    Some(pairs)
}

/// Reads a time: Unix seconds or milliseconds, or a date with its zone, with or without the zone's colon.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if let Ok(unix) = text.parse::<i64>() {
        let ms = if unix > SECONDS_MAX { unix } else { unix.saturating_mul(1000) };
        return (unix > 0).then_some(Timestamp::from_ms(ms));
    }
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let at = jiff::Zoned::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?;
        Some(at.timestamp())
    })?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}

pub(super) fn paths(table: &mut Table, key: &'static str, diags: &mut Diagnostics) -> Vec<Path> {
    let texts = table.strings(key, diags).map(|texts| texts.value).unwrap_or_default();
    texts.iter().map(|text| Path::new(&text.value)).collect()
}

fn read_reasons(table: &mut Table, diags: &mut Diagnostics) -> Vec<(Word, Reason)> {
    let mut pairs: Vec<_> = table.string_map("reasons", diags).into_iter().collect();
    pairs.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    let known = reasons();
    let read = |(word, text): (String, crate::diag::Spanned<String>)| {
        if let Some((_, reason)) = known.iter().find(|(name, _)| *name == text.value) {
            return Some((Word::new(&word), *reason));
        }
        diags.push(
            Diagnostic::error("unknown-word", format!("`reasons` cannot say `{}`", text.value))
                .at(&text.place, "not a reason that a provider can give")
                .help(did_you_mean(&text.value, known.iter().map(|(name, _)| *name))),
        );
        None
    };
    pairs.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests;
