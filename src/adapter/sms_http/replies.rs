//! What recipients write back, once something proves that it comes from the gateway.

use super::proof::{Proof, Proved};
use super::receipts::{pairs, paths, said, time};
use super::words::{Path, as_id, path};
use crate::adapter::hook::{self, PLAIN, e164};
use crate::adapter::segments::{Encoding, decode, encoding_of};
use crate::adapter::{HookAnswer, HookRequest};
use crate::core::reply::{Reply, Said};
use crate::core::time::Timestamp;
use crate::diag::{Diagnostic, Diagnostics, Secret, Table};

/// `[gateway.reply]`.
pub(super) struct Replies {
    proof: Proof,
    each: Option<Path>,
    /// The first of these fields that is there.
    from: Vec<Path>,
    text: Path,
    /// Where the text of a form is octets: the field that says in what they are written, in SMPP's numbers.
    coding: Option<Path>,
    id: Path,
    time: Option<Path>,
    /// The body of our answer.
    answer: String,
}

impl Replies {
    /// Reads `[gateway.reply]`, which lies over that of a ready description.
    pub(super) fn read(
        mut table: Table,
        gateway: (&str, &Table),
        secret: Option<Secret>,
        diags: &mut Diagnostics,
    ) -> Option<Replies> {
        let place = table.place().clone();
        let proof = Proof::read(&mut table, gateway, secret, diags);
        if proof.as_ref().is_some_and(Proof::is_in_url) {
            diags.push(
                Diagnostic::error("bad-value", format!("{} cannot be known by `url`", table.called()))
                    .at(&place, "a reply does not come to the URL of one message")
                    .help("write `auth = \"path\"` or `auth = \"signature\"`"),
            );
        }
        for key in ["from", "text", "id"] {
            if table.key(key).is_none() {
                table.missing(key, diags);
            }
        }
        let from = paths(&mut table, "from", diags);
        let (text, id) = (path(&mut table, "text", diags), path(&mut table, "id", diags));
        let (each, time) = (path(&mut table, "each", diags), path(&mut table, "time", diags));
        let coding = path(&mut table, "coding", diags);
        let answer = table.string("answer", diags).map(|answer| answer.value).unwrap_or_default();
        table.finish(diags);
        Some(Replies { proof: proof?, each, from, text: text?, coding, id: id?, time, answer })
    }

    /// Adds what a call that came `now` says to the answer that it gets; `None`: nothing proves the call.
    pub(super) fn hear(&self, request: &HookRequest, now: Timestamp) -> Option<Heard> {
        (self.proof.look(request, now)? == Proved::Any).then_some(())?;
        let replies = self.read_all(request).unwrap_or_default();
        Some(Heard { replies, answer: self.answer.clone() })
    }

    fn read_all(&self, request: &HookRequest) -> Option<Vec<Reply>> {
        let said = said(request)?;
        let items = match &self.each {
            Some(each) => each.find(&said).into_iter().filter_map(|list| list.as_array()).flatten().collect(),
            None => vec![&said],
        };
        let reply = |item: &serde_json::Value| {
            let from = self.from.iter().find_map(|path| path.text(item))?;
            Some(Reply {
                from: e164(&from)?,
                said: self.words(request, item)?,
                id: self.id.text(item).and_then(as_id)?,
                of: None,
                at: self.time.as_ref().and_then(|path| path.text(item)).and_then(|text| time(&text)),
            })
        };
        Some(items.into_iter().filter_map(reply).collect())
    }

    fn words(&self, request: &HookRequest, item: &serde_json::Value) -> Option<Said> {
        let coding = self.coding.as_ref().and_then(|coding| coding.text(item)?.parse().ok());
        let octets = || pairs(request)?.into_iter().find(|(name, _)| self.text.is_name(name));
        match coding.and_then(|coding| Some((coding, octets()?))) {
            Some((coding, (_, octets))) => Some(match encoding_of(coding, Encoding::Gsm7) {
                Some(encoding) => Said::text(&decode(&octets, encoding)),
                None => Said::Other,
            }),
            None => Some(Said::text(&self.text.text(item)?)),
        }
    }
}

/// What a call that is proved brought, and how it is answered.
pub(super) struct Heard {
    replies: Vec<Reply>,
    answer: String,
}

/// Joins what a call's readers made of it: the one that knew it answers.
pub(super) fn joined(receipts: Option<HookAnswer>, heard: Option<Heard>) -> Option<HookAnswer> {
    let knew = receipts.filter(|answer| answer.result != "bad_signature");
    match (knew, heard) {
        (Some(answer), heard) => {
            Some(HookAnswer { replies: heard.map(|heard| heard.replies).unwrap_or_default(), ..answer })
        }
        (None, Some(Heard { replies, answer })) => {
            Some(HookAnswer { content_type: PLAIN, body: answer, replies, ..hook::heard(Vec::new()) })
        }
        (None, None) => None,
    }
}
