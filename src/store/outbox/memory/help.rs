//! Who needs help, of the rows in memory.

use super::Rows;
use crate::core::reply::{
    Caller, HELP_FOR, HELP_MAX, HelpCall, KeptReply, ReplyKey, ReplyKind, SAFE_LOOKS_MAX,
};
use crate::core::time::Timestamp;
use std::collections::BTreeMap;

impl Rows {
    /// Returns who needs help and has not said otherwise; of several calls of one the newest.
    pub(super) fn help(&self) -> Vec<HelpCall> {
        let still = |reply: &&KeptReply| {
            let answer = reply.of.and_then(|attempt| self.answers.get(&attempt.delivery));
            answer.is_none_or(|answer| answer.kind == ReplyKind::NeedHelp)
        };
        let calls = self.said_lately(ReplyKind::NeedHelp).take(HELP_MAX).filter(still);
        let call = |reply: &KeptReply| (reply.caller(), (reply.at, self.answers_drill(reply)));
        let mut calls: BTreeMap<_, _> = calls.map(call).collect::<Vec<_>>().into_iter().rev().collect();
        let safe = self.safe_strangers();
        calls.retain(|caller, (called, _)| safe.get(caller).is_none_or(|said| said <= called));
        HelpCall::sorted(calls)
    }

    /// Returns when each sender said last, and not to an exercise, that all is well.
    fn safe_strangers(&self) -> BTreeMap<Caller, Timestamp> {
        let said = self.said_lately(ReplyKind::Safe).take(SAFE_LOOKS_MAX);
        let meant = said.filter(|reply| !self.answers_drill(reply));
        let mut newest = BTreeMap::new();
        for reply in meant {
            newest.entry(reply.stranger()).or_insert(reply.at);
        }
        newest
    }

    /// Returns what was said of this kind while a call is open, the newest first.
    fn said_lately(&self, kind: ReplyKind) -> impl Iterator<Item = &KeptReply> {
        let first = ReplyKey { at: self.clock - HELP_FOR, digest: 0 };
        let replies = self.replies.range(first..).rev().map(|(_, reply)| reply);
        replies.filter(move |reply| reply.kind == kind)
    }

    fn answers_drill(&self, reply: &KeptReply) -> bool {
        let message = reply.of.and_then(|attempt| self.messages.get(&attempt.delivery.message));
        message.is_some_and(|message| message.status.is_drill())
    }
}
