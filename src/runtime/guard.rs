//! A future that a fault of an adapter cannot take down with it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls a boxed future; a panic inside becomes `None`, and the future is not polled again.
pub(crate) struct Guarded<'a, T> {
    inner: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
}

/// Guards a future.
pub(crate) fn guarded<'a, T>(inner: Pin<Box<dyn Future<Output = T> + Send + 'a>>) -> Guarded<'a, T> {
    Guarded { inner }
}

impl<T> Future for Guarded<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // The future is dropped after a panic, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| self.inner.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        assert_eq!(guarded(Box::pin(async { 7 })).await, Some(7));
        let fault = guarded::<u8>(Box::pin(async { panic!("an adapter's fault") }));
        assert_eq!(fault.await, None);
    }
}
