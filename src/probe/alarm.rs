//! The one timer of a run's phases: each sets it to its own limit.
//!
//! A timer a phase would be registered and withdrawn for each layer that holds, and one that is due sooner than all the
//! others wakes the thread that waits for them. So the timer stays where an earlier phase set it: when it rings too soon
//! for the present one, it is set on.
//!
//! Invariant: work that is late is given up at its own limit, never sooner.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// Rings once for each piece of work that takes too long. Not set before some work has to wait.
#[derive(Default, Debug)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Works until `work` is done; `None`: it was not within `limit`.
    pub(crate) async fn within<T>(&mut self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let due = Instant::now() + limit;
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll_late(cx, due).map(|()| None),
        })
        .await
    }

    /// Is ready once it is `due`. Looks at the timer even where the work has used up what the task may do in one go: work
    /// that always finds more to do would never be late.
    fn poll_late(&mut self, cx: &mut std::task::Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(pin!(unconstrained(timer.as_mut())).poll(cx));
            if timer.deadline() == due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(5);
    const FAR: Duration = Duration::from_secs(3_600);

    /// Lets work that is done at once, after one look, or never, follow one another under one alarm.
    async fn check(works: &[(Option<u32>, Duration)], expected: &[bool]) {
        let mut alarm = Alarm::default();
        for ((looks, limit), expected) in works.iter().zip(expected) {
            let (began, mut looked) = (Instant::now(), 0);
            let work = poll_fn(|cx| {
                looked += 1;
                if looks.is_some_and(|looks| looked > looks) {
                    return Poll::Ready(());
                }
                if looks.is_some() {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            });
            let done = alarm.within(*limit, work).await.is_some();
            assert_eq!(done, *expected, "{works:?}");
            assert!(done || began.elapsed() >= *limit, "given up too soon: {works:?}");
        }
    }

    #[tokio::test]
    async fn work_ends_at_its_own_limit_whatever_came_before() {
        check(&[(Some(0), SOON), (Some(1), FAR)], &[true, true]).await;
        check(&[(None, SOON), (Some(0), SOON), (None, SOON)], &[false, true, false]).await;
        // Set for sooner by the phase before: it rings, and is set on.
        check(&[(Some(1), SOON), (None, SOON * 4), (Some(1), FAR)], &[true, false, true]).await;
        // Set for later by the phase before: it is set back.
        check(&[(Some(1), FAR), (None, SOON)], &[true, false]).await;
    }

    #[tokio::test]
    async fn work_that_never_runs_out_is_late_all_the_same() {
        let greedy = poll_fn::<(), _>(|cx| {
            // As reading from a server that never stops sending.
            while let Poll::Ready(budget) = tokio::task::coop::poll_proceed(cx) {
                budget.made_progress();
            }
            Poll::Pending
        });
        assert_eq!(Alarm::default().within(SOON, greedy).await, None);
    }
}
