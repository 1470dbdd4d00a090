//! What may change while it is used: each reader has one whole state of it.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that another takes the place of.
#[derive(Debug, Default)]
pub struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    /// Begins with this value.
    pub fn new(value: T) -> Live<T> {
        Live(RwLock::new(Arc::new(value)))
    }

    /// Returns the value as it is.
    pub fn get(&self) -> Arc<T> {
        // Nothing that could panic runs under the lock.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn put(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
