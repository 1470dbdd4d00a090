//! Several ways to the same end, tried one after the other with a short head start.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// Tries each candidate: the next one starts after `stagger`, or as soon as every earlier one has failed. Returns the
/// first success; `None` once all have failed. What failed is in `errors`, in the order in which it did, also where
/// the caller drops this before its end.
///
/// Cites: RFC 8305 section 5 (connection attempts are staggered, not raced all at once).
pub(crate) async fn staggered<C, T, E, F>(
    candidates: impl IntoIterator<Item = C>,
    stagger: Duration,
    errors: &mut Vec<E>,
    attempt: impl Fn(C) -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, E>>,
{
    let mut candidates = candidates.into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    loop {
        match candidates.next() {
            Some(candidate) => running.push(Box::pin(attempt(candidate))),
            None if running.is_empty() => return None,
            None => {}
        }
        // Without a further candidate there is nothing to start after the head start.
        let head_start = if candidates_left(&candidates) { Some(stagger) } else { None };
        if let Some(winner) = round(&mut running, head_start, errors).await {
            return Some(winner);
        }
    }
}

/// Says whether more may come; an iterator that cannot tell is taken to have more.
fn candidates_left<I: Iterator>(candidates: &I) -> bool {
    candidates.size_hint().1 != Some(0)
}

/// Polls what runs until one succeeds, all have failed, or the head start is over.
async fn round<T, E, F: Future<Output = Result<T, E>>>(
    running: &mut Vec<Pin<Box<F>>>,
    head_start: Option<Duration>,
    errors: &mut Vec<E>,
) -> Option<T> {
    let mut over = pin!(async {
        match head_start {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|cx| {
        let mut place = 0;
        while place < running.len() {
            match running[place].as_mut().poll(cx) {
                Poll::Ready(Ok(winner)) => return Poll::Ready(Some(winner)),
                Poll::Ready(Err(error)) => {
                    errors.push(error);
                    drop(running.remove(place));
                }
                Poll::Pending => place += 1,
            }
        }
        if running.is_empty() || over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a candidate ends.
    #[derive(Clone, Copy)]
    enum End {
        Fine(u8),
        Fails(u8),
        Hangs,
    }
    use End::{Fails, Fine, Hangs};

    async fn check(candidates: &[End], expected: Option<u8>, failed: &[u8]) {
        let mut errors = Vec::new();
        let attempt = |end| async move {
            match end {
                Fine(name) => Ok(name),
                Fails(name) => Err(name),
                Hangs => std::future::pending().await,
            }
        };
        let winner = staggered(candidates.to_vec(), Duration::from_millis(1), &mut errors, attempt).await;
        assert_eq!(winner, expected);
        assert_eq!(errors, failed);
    }

    #[tokio::test]
    async fn the_next_starts_after_the_head_start_or_the_failure() {
        check(&[], None, &[]).await;
        check(&[Fine(1), Fine(2)], Some(1), &[]).await;
        check(&[Fails(1)], None, &[1]).await;
        check(&[Fails(1), Fine(2)], Some(2), &[1]).await;
        check(&[Hangs, Fine(2)], Some(2), &[]).await;
        check(&[Hangs, Fails(2), Hangs, Fine(4)], Some(4), &[2]).await;
        check(&[Fails(1), Fails(2)], None, &[1, 2]).await;
    }
}
