//! The cases: what is ordered of the provider, and what the adapter must make of it.

use super::rig::{Heard, Ordered, QUIET, Rig};
use std::time::Duration;
use wasl::adapter::{Answered, Doing};
use wasl::core::outcome::{Fault, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use wasl::core::reply::Said;
use wasl::core::time::Span;
use wasl::emulator::ReceiptFault;

/// One cell of the table.
#[derive(Debug)]
pub(super) enum Cell {
    Ok,
    /// The case cannot arise on this road.
    Absent(&'static str),
    Failed(String),
}

/// One case.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: fn(Rig) -> Doing<'static, Cell>,
}

macro_rules! cases {
    ($($name:literal => $function:ident,)*) => {
        /// Every case, in the order of the table.
        pub(super) const CASES: &[Case] = &[$(Case {
            name: $name,
            run: |rig| Box::pin(async move { $function(&rig).await.unwrap_or_else(Cell::Failed) }),
        }),*];
    };
}

cases! {
    "accept" => accept,
    "reject" => reject,
    "defer" => defer,
    "quota" => quota,
    "token" => token,
    "not sent" => not_sent,
    "unknown" => unknown,
    "lost" => lost,
    "malformed" => malformed,
    "hung up" => hung_up,
    "receipt" => receipt,
    "doubled" => doubled,
    "late" => late,
    "early" => early,
    "out of order" => disordered,
    "bad signature" => bad_signature,
    "reply" => reply,
}

type Verdict = Result<Cell, String>;

/// Fails with what was found unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($found:tt)*) => {
        if !$condition {
            return Err(format!("{}: {}", stringify!($condition), format!($($found)*)));
        }
    };
}

async fn accept(rig: &Rig) -> Verdict {
    for count in 1..=2 {
        let (_, answered) = rig.send().await;
        ensure!(is_accepted(&answered), "{answered:?}");
        ensure!(rig.stand.accepted_count() == count, "{}", rig.stand.accepted_count());
    }
    ensure!(rig.stand.last_text() == Some(rig.text()), "another text arrived");
    Ok(Cell::Ok)
}

async fn reject(rig: &Rig) -> Verdict {
    rig.stand.order(Ordered::Refuse);
    let (_, answered) = rig.send().await;
    let reason = answered.outcome.reason();
    ensure!(matches!(answered.outcome, Outcome::Rejected { .. }), "{answered:?}");
    ensure!(reason.map(Reason::fault) == Some(rig.stand.blames()), "{reason:?}");
    ensure!(rig.stand.accepted_count() == 0, "it was taken all the same");
    let (_, answered) = rig.send().await;
    ensure!(is_accepted(&answered), "after it: {answered:?}");
    Ok(Cell::Ok)
}

async fn defer(rig: &Rig) -> Verdict {
    rig.stand.order(Ordered::Throttle { secs: 7 });
    let (_, answered) = rig.send().await;
    let Outcome::Deferred { retry_after, .. } = answered.outcome else {
        return Err(format!("{answered:?}"));
    };
    let expected = rig.stand.tells_when().then_some(Span::from_secs(7));
    ensure!(expected.is_none() || retry_after == expected, "{retry_after:?}");
    ensure!(rig.stand.accepted_count() == 0, "it was taken all the same");
    Ok(Cell::Ok)
}

async fn quota(rig: &Rig) -> Verdict {
    rig.stand.order(Ordered::Exhaust);
    let (_, answered) = rig.send().await;
    ensure!(matches!(answered.outcome, Outcome::Deferred { .. }), "{answered:?}");
    ensure!(answered.outcome.reason().map(Reason::fault) == Some(Fault::Gateway), "{answered:?}");
    Ok(Cell::Ok)
}

async fn token(rig: &Rig) -> Verdict {
    rig.stand.expire();
    let refused = |answered: &Answered| {
        let reason = answered.outcome.reason();
        matches!(answered.outcome, Outcome::Rejected { .. })
            && matches!(reason, Some(Reason::Credentials | Reason::Configuration))
    };
    let answered = rig.send_until(refused).await;
    ensure!(refused(&answered), "{answered:?}");
    Ok(Cell::Ok)
}

async fn not_sent(rig: &Rig) -> Verdict {
    rig.stand.refuse_connections(true);
    // The port closes a moment later.
    let rejected = |answered: &Answered| matches!(answered.outcome, Outcome::Rejected { .. });
    let answered = rig.send_until(rejected).await;
    ensure!(rejected(&answered), "{answered:?}");
    ensure!(answered.outcome.reason().map(Reason::fault) == Some(Fault::Gateway), "{answered:?}");
    rig.stand.refuse_connections(false);
    let answered = rig.send_until(is_accepted).await;
    ensure!(is_accepted(&answered), "after it: {answered:?}");
    Ok(Cell::Ok)
}

async fn unknown(rig: &Rig) -> Verdict {
    rig.stand.order(Ordered::Hang);
    let time_out = Span::from_ms(400);
    let (_, answered) = rig.send_within(time_out).await;
    ensure!(answered.outcome == Outcome::Unknown { reason: Reason::Timeout }, "{answered:?}");
    ensure!((350..5_000).contains(&answered.took.ms()), "{answered:?}");
    Ok(Cell::Ok)
}

async fn lost(rig: &Rig) -> Verdict {
    rig.stand.order(Ordered::Reset);
    let (_, answered) = rig.send().await;
    ensure!(answered.outcome == Outcome::Unknown { reason: Reason::ConnectionLost }, "{answered:?}");
    ensure!(rig.stand.accepted_count() == 1, "{}", rig.stand.accepted_count());
    Ok(Cell::Ok)
}

async fn malformed(rig: &Rig) -> Verdict {
    rig.stand.order(Ordered::Garbage);
    let (_, answered) = rig.send().await;
    let readable = rig.stand.status_outlives_garbage() && is_accepted(&answered);
    ensure!(readable || matches!(answered.outcome, Outcome::Unknown { .. }), "{answered:?}");
    Ok(Cell::Ok)
}

/// The provider hangs up while nothing is under way: nobody may be left in doubt over that.
async fn hung_up(rig: &Rig) -> Verdict {
    let (_, answered) = rig.send().await;
    ensure!(is_accepted(&answered), "{answered:?}");
    rig.stand.cut();
    tokio::time::sleep(QUIET).await;
    let answered = rig.send_until(|answered| !matches!(answered.outcome, Outcome::Rejected { .. })).await;
    ensure!(is_accepted(&answered), "after it: {answered:?}");
    Ok(Cell::Ok)
}

async fn receipt(rig: &Rig) -> Verdict {
    let Some(said) = told(rig, None).await? else { return Ok(Cell::Absent(NONE)) };
    let last = said.iter().map(|receipt| receipt.kind).max();
    ensure!(last >= Some(ReceiptKind::Delivered), "{said:?}");
    Ok(Cell::Ok)
}

async fn doubled(rig: &Rig) -> Verdict {
    let Some(said) = told(rig, Some(ReceiptFault::Doubled)).await? else { return Ok(Cell::Absent(NONE)) };
    let last = said.iter().map(|receipt| receipt.kind).max();
    let copies = said.iter().filter(|receipt| Some(receipt.kind) == last).count();
    ensure!(copies == 2, "{said:?}");
    Ok(Cell::Ok)
}

async fn late(rig: &Rig) -> Verdict {
    if !rig.stand.order_receipts(None, Duration::from_millis(300)) {
        return Ok(Cell::Absent(NONE));
    }
    let (attempt, answered) = rig.send().await;
    ensure!(is_accepted(&answered), "{answered:?}");
    rig.stand.confirm(1).await;
    let said = rig.receipts().await;
    ensure!(said.iter().any(|r| r.kind >= ReceiptKind::Delivered), "{said:?}");
    ensure!(said.iter().all(|r| rig.speaks_of(r, attempt, &answered)), "{said:?} of {attempt}");
    Ok(Cell::Ok)
}

async fn early(rig: &Rig) -> Verdict {
    if !rig.stand.can_be_early() {
        return Ok(Cell::Absent("nothing can be said of a message before it is answered for"));
    }
    let Some(said) = told(rig, Some(ReceiptFault::Early)).await? else { return Ok(Cell::Absent(NONE)) };
    ensure!(said.iter().any(|r| r.kind >= ReceiptKind::Delivered), "{said:?}");
    Ok(Cell::Ok)
}

async fn disordered(rig: &Rig) -> Verdict {
    let Some(said) = told(rig, Some(ReceiptFault::Disordered)).await? else { return Ok(Cell::Absent(NONE)) };
    ensure!(said.iter().any(|r| r.kind >= ReceiptKind::Delivered), "{said:?}");
    Ok(Cell::Ok)
}

async fn bad_signature(rig: &Rig) -> Verdict {
    if !rig.stand.order_receipts(Some(ReceiptFault::Forged), Duration::ZERO) {
        return Ok(Cell::Absent(NONE));
    }
    if !rig.stand.signs() {
        return Ok(Cell::Absent("this provider signs nothing: its connection is our own"));
    }
    let (_, answered) = rig.send().await;
    ensure!(is_accepted(&answered), "{answered:?}");
    rig.stand.forge().await;
    let heard = rig.all_heard().await;
    let receipts = heard.iter().filter(|heard| matches!(heard, Heard::Receipt(_))).count();
    ensure!(receipts == 0, "{heard:?}");
    let answers: Vec<_> =
        heard.iter().filter_map(|h| if let Heard::Hook(r) = h { Some(*r) } else { None }).collect();
    ensure!(answers.iter().all(|result| *result == "bad_signature"), "{answers:?}");
    Ok(Cell::Ok)
}

async fn reply(rig: &Rig) -> Verdict {
    let (_, answered) = rig.send().await;
    ensure!(is_accepted(&answered), "{answered:?}");
    let Outcome::Accepted { provider_id } = &answered.outcome else { return Err("not accepted".into()) };
    // What is written at length comes in parts where the channel has them.
    let long = "نحن عالقون في الطابق الثالث. ".repeat(8);
    for (text, quoted) in [("نعم، أنا بخير", provider_id.as_deref()), ("help", None), (long.trim(), None)]
    {
        if !rig.stand.say(text, quoted) {
            return Ok(Cell::Absent("nobody answers here"));
        }
        let replies = rig.replies().await;
        ensure!(replies.len() == 1, "{replies:?}");
        let reply = &replies[0];
        ensure!(reply.said == Said::Text(text.into()), "other words came");
        ensure!(reply.from == rig.stand.address(), "another sender");
        ensure!(!reply.id.is_empty(), "it has no name");
        let named = quoted.filter(|_| rig.stand.quotes()).map(|id| ReceiptRef::Provider(id.to_owned()));
        ensure!(reply.of == named, "{:?}", reply.of);
    }
    Ok(Cell::Ok)
}

const NONE: &str = "this road gives no receipts";

/// Sends one message and returns what is said of it, all of which must speak of it. `None`: nothing ever is.
async fn told(rig: &Rig, fault: Option<ReceiptFault>) -> Result<Option<Vec<Receipt>>, String> {
    if !rig.stand.order_receipts(fault, Duration::ZERO) {
        return Ok(None);
    }
    let (attempt, answered) = rig.send().await;
    ensure!(is_accepted(&answered), "{answered:?}");
    rig.stand.confirm(if fault == Some(ReceiptFault::Doubled) { 2 } else { 1 }).await;
    let said = rig.receipts().await;
    ensure!(!said.is_empty(), "nothing was heard");
    ensure!(said.iter().all(|r| rig.speaks_of(r, attempt, &answered)), "{said:?} of {attempt}");
    Ok(Some(said))
}

fn is_accepted(answered: &Answered) -> bool {
    matches!(answered.outcome, Outcome::Accepted { .. })
}
