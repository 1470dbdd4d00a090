//! Calls for help, for the operators: of which message, by whom, whether in an exercise.
//!
//! What a person says to the service's own messages is told of as if it answered none: a machine that answers notices would
//! make each its next, and of those the desk tells not too often.
//!
//! Limit: [`NAMED_MAX`] callers are named, the newest.

use super::desk::Help;
use crate::api::address::mask;
use crate::core::message::SERVICE;
use crate::core::query::{Answer, Query, ReplyScope};
use crate::core::reply::{KeptReply, ReplyKind};
use crate::runtime::service::Front;

/// How many callers a notice names: an SMS bears no more, and the page has them all.
const NAMED_MAX: usize = 3;
/// How many calls are looked at for them: one caller may call often, and those of other messages lie between strangers'.
const LOOKS_MAX: usize = 50;

/// Adds to calls for help what a person must know of them.
pub(super) async fn complete(front: &Front, mut help: Help) -> Help {
    let mut of_service = false;
    if let Some(id) = help.message {
        match front.reads.ask(Query::Message(id)).await {
            Ok(Answer::Message(known, _)) if known.author == SERVICE => of_service = true,
            Ok(Answer::Message(known, _)) => help.exercise = known.status.is_drill(),
            // A call for help is told of, whatever can be read beside it.
            Ok(_) | Err(_) => {}
        }
    }
    let scope = help.message.map_or(ReplyScope::All, ReplyScope::Message);
    let query = Query::Replies { scope, kind: Some(ReplyKind::NeedHelp), before: None, limit: LOOKS_MAX };
    let calls = match front.reads.ask(query).await {
        Ok(Answer::Replies(replies)) => replies,
        _ => Vec::new(),
    };
    let of_it = |call: &&KeptReply| call.of.map(|attempt| attempt.delivery.message) == help.message;
    for caller in calls.iter().filter(of_it).map(|call| mask(call.channel, &call.from)) {
        if help.who.len() < NAMED_MAX && !help.who.contains(&caller) {
            help.who.push(caller);
        }
    }
    if of_service {
        help.message = None;
    }
    help
}
