//! What recipients write back, once something proves that it comes from the gateway.

use super::proof::{Proof, Proved};
use super::receipts::{paths, said, time};
use super::words::{Path, as_id, path};
use crate::adapter::hook::e164;
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
    id: Path,
    time: Option<Path>,
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
        table.finish(diags);
        Some(Replies { proof: proof?, each, from, text: text?, id: id?, time })
    }

    /// Adds what a call that came `now` says to the answer that it gets; `None`: nothing proves the call.
    pub(super) fn hear(&self, request: &HookRequest, now: Timestamp) -> Option<Vec<Reply>> {
        (self.proof.look(request, now)? == Proved::Any).then_some(())?;
        let Some(said) = said(request) else { return Some(Vec::new()) };
        let items = match &self.each {
            Some(each) => each.find(&said).into_iter().filter_map(|list| list.as_array()).flatten().collect(),
            None => vec![&said],
        };
        let reply = |item: &serde_json::Value| {
            let from = self.from.iter().find_map(|path| path.text(item))?;
            Some(Reply {
                from: e164(&from)?,
                said: Said::text(&self.text.text(item)?),
                id: self.id.text(item).and_then(as_id)?,
                of: None,
                at: self.time.as_ref().and_then(|path| path.text(item)).and_then(|text| time(&text)),
            })
        };
        Some(items.into_iter().filter_map(reply).collect())
    }
}

/// Joins what a call's readers made of it: the one that knew it answers.
pub(super) fn joined(receipts: Option<HookAnswer>, replies: Option<Vec<Reply>>) -> Option<HookAnswer> {
    let knew = receipts.filter(|answer| answer.result != "bad_signature");
    match (knew, replies) {
        (Some(answer), replies) => Some(HookAnswer { replies: replies.unwrap_or_default(), ..answer }),
        (None, Some(replies)) => Some(HookAnswer { replies, ..crate::adapter::hook::heard(Vec::new()) }),
        (None, None) => None,
    }
}
