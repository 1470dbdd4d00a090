//! Work that waits, done together without a task of its own: an adapter spawns nothing.

use super::Doing;
use std::future::poll_fn;
use std::task::Poll;

/// Does all of it, at most `width` at a time. It is begun in the order given, and may end in any.
pub(super) async fn together<'a>(width: usize, work: Vec<Doing<'a, ()>>) {
    let mut rest = work.into_iter();
    let mut under_way: Vec<Doing<'a, ()>> = Vec::new();
    poll_fn(|cx| {
        under_way.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        while under_way.len() < width.max(1) {
            let Some(mut next) = rest.next() else { break };
            if next.as_mut().poll(cx).is_pending() {
                under_way.push(next);
            }
        }
        // Room that is left means that nothing waits to be begun.
        if under_way.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn all_is_done_in_order_and_never_too_much_at_once() {
        let check = async |width: usize, most: usize| {
            let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let begun = Arc::new(Mutex::new(Vec::new()));
            let work = (0..10).map(|n| -> Doing<'static, ()> {
                let (now, peak, begun) = (now.clone(), peak.clone(), begun.clone());
                Box::pin(async move {
                    begun.lock().expect("no test panics within").push(n);
                    peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::Relaxed);
                })
            });
            together(width, work.collect()).await;
            assert_eq!(peak.load(Ordering::Relaxed), most, "{width}");
            assert_eq!(*begun.lock().expect("no test panics within"), (0..10).collect::<Vec<_>>());
        };
        check(0, 1).await;
        check(3, 3).await;
        check(100, 10).await;
        together(4, Vec::new()).await;
    }
}
