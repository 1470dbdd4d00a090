//! A connection, and who waits for what it brings, in one task: each moves the other. An adapter's connection does the same
//! more simply, in `adapter::http`'s `Connection::drive`; the two rooms do not know each other.
//!
//! hyper's two ends wake each other by the task's own waker. A task that is woken while it is looked at goes to the end of
//! the queue, and the runtime calls up another thread to take it, for work that is at hand. So what is woken meanwhile is
//! looked at again at once, and only what is woken later reaches the task.
//!
//! Invariant: no waking is lost; it leads to another look or to the task.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The most looks in a row before other tasks have their turn: a request or an answer needs two or three.
const LOOKS_MAX: u32 = 8;

/// What moves a connection's bytes, until it is closed.
pub(crate) type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The two are being looked at, and nothing was woken since the look began.
const LOOKING: u8 = 0;
/// Something was woken while they were looked at.
const NUDGED: u8 = 1;
/// The task waits.
const RESTING: u8 = 2;

/// Wakes the task if it waits.
struct Nudge {
    stage: AtomicU8,
    task: Waker,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.stage.swap(NUDGED, Ordering::AcqRel) == RESTING {
            self.task.wake_by_ref();
        }
    }
}

/// Works on `work` while the connection's bytes are moved.
pub(crate) async fn drive<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut nudge = Arc::new(Nudge { stage: AtomicU8::new(LOOKING), task: Waker::noop().clone() });
    poll_fn(|cx| {
        if !nudge.task.will_wake(cx.waker()) {
            nudge = Arc::new(Nudge { stage: AtomicU8::new(LOOKING), task: cx.waker().clone() });
        }
        let waker = Waker::from(Arc::clone(&nudge));
        for _ in 0..LOOKS_MAX {
            nudge.stage.swap(LOOKING, Ordering::AcqRel);
            look(driver, &waker);
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(done);
            }
            let rest = nudge.stage.compare_exchange(LOOKING, RESTING, Ordering::AcqRel, Ordering::Acquire);
            if rest.is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Moves what can be moved at once. A connection that has ended is dropped: what had come before can still be read, and
/// the rest ends with its own error.
pub(crate) fn look(driver: &mut Option<Driver>, waker: &Waker) {
    if let Some(moving) = driver
        && moving.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
    {
        *driver = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    /// Counts how often the task is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A ball that a connection and its work throw to each other; who does not hold it waits for it.
    #[derive(Default)]
    struct Ball {
        throws: usize,
        waiting: Option<Waker>,
    }

    /// Is ready once the ball was thrown `end` times. Throws when it is its turn (`odd`), and wakes the other.
    fn player(ball: &Arc<Mutex<Ball>>, odd: usize, end: usize) -> impl Future<Output = ()> + Send + use<> {
        let ball = Arc::clone(ball);
        poll_fn(move |cx| {
            let mut ball = ball.lock().unwrap();
            if ball.throws >= end {
                return Poll::Ready(());
            }
            if ball.throws % 2 == odd {
                ball.throws += 1;
                if let Some(other) = ball.waiting.take() {
                    other.wake();
                }
            }
            ball.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    /// Plays until the ball was thrown `end` times: in how many turns of the task, which was woken for each but the first?
    fn check(end: usize, turns: usize) {
        let ball = Arc::new(Mutex::new(Ball::default()));
        let connection = player(&ball, 0, end);
        let mut driver: Option<Driver> = Some(Box::pin(async move {
            connection.await;
            Ok(())
        }));
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut game = pin!(drive(&mut driver, player(&ball, 1, end)));
        let mut turn = 1;
        while game.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            assert_eq!(task.0.load(Ordering::Relaxed), turn, "it is not woken: it would wait for ever");
            turn += 1;
        }
        assert_eq!(turn, turns, "{end} throws");
    }

    #[test]
    fn what_wakes_itself_is_looked_at_again_in_the_same_turn() {
        check(0, 1);
        check(3, 1);
        check(10, 1);
        // Too many looks in a row: others have their turn between.
        check(40, 3);
    }

    #[test]
    fn what_is_woken_later_reaches_the_task() {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let shared: Arc<Mutex<Ball>> = Arc::default();
        // It is the other's turn, who is not there.
        let mut waits = pin!(async { drive(&mut None, player(&shared, 1, 1)).await });
        for woken in 1..=2 {
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let later = shared.lock().unwrap().waiting.take().unwrap();
            later.wake_by_ref();
            // Once is enough until the task has looked.
            later.wake();
            assert_eq!(task.0.load(Ordering::Relaxed), woken);
        }
        shared.lock().unwrap().throws = 1;
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }
}
