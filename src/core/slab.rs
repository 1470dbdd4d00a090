//! Rows by handle, in pages that are given back when they fall empty.
//!
//! A plain vector would keep the memory of the largest outage for ever; pages let a settled mass alert return it.

use std::collections::BTreeSet;

/// How many rows lie in one page: small enough that a page falls empty soon, large enough to cost little.
const PAGE: usize = 512;

/// Where a row lies. Handles are reused after a removal.
pub(crate) type Handle = u32;

/// No row.
pub(crate) const NONE: Handle = u32::MAX;

/// The rows.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Option<Page<T>>>,
    /// Pages with room, lowest first, so that high pages fall empty.
    roomy: BTreeSet<u32>,
}

#[derive(Debug)]
struct Page<T> {
    slots: Vec<Option<T>>,
    free: Vec<u16>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), roomy: BTreeSet::new() }
    }
}

impl<T> Slab<T> {
    /// Puts a row and returns its handle.
    pub(crate) fn insert(&mut self, row: T) -> Handle {
        let number = match self.roomy.first() {
            Some(number) => *number as usize,
            None => {
                let number = self.pages.iter().position(Option::is_none).unwrap_or(self.pages.len());
                if number == self.pages.len() {
                    self.pages.push(None);
                }
                self.roomy.insert(number as u32);
                number
            }
        };
        let page = self.pages[number].get_or_insert_with(|| Page {
            slots: (0..PAGE).map(|_| None).collect(),
            free: (0..PAGE as u16).rev().collect(),
        });
        let slot = page.free.pop().expect("a roomy page has a free slot");
        page.slots[usize::from(slot)] = Some(row);
        if page.free.is_empty() {
            self.roomy.remove(&(number as u32));
        }
        (number * PAGE) as u32 + u32::from(slot)
    }

    /// Takes a row out; the page goes when it was its last.
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let (number, slot) = (handle as usize / PAGE, handle as usize % PAGE);
        let page = self.pages.get_mut(number)?.as_mut()?;
        let row = page.slots[slot].take()?;
        page.free.push(slot as u16);
        if page.free.len() == PAGE {
            self.pages[number] = None;
            self.roomy.remove(&(number as u32));
            while self.pages.last().is_some_and(Option::is_none) {
                self.pages.pop();
            }
        } else {
            self.roomy.insert(number as u32);
        }
        Some(row)
    }

    /// Returns a row.
    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        self.pages.get(handle as usize / PAGE)?.as_ref()?.slots[handle as usize % PAGE].as_ref()
    }

    /// Returns a row to change.
    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.pages.get_mut(handle as usize / PAGE)?.as_mut()?.slots[handle as usize % PAGE].as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_by_handle_and_pages_are_given_back() {
        let mut slab = Slab::default();
        let handles: Vec<Handle> = (0..2_000usize).map(|n| slab.insert(n)).collect();
        assert!(handles.iter().enumerate().all(|(n, h)| slab.get(*h) == Some(&n)));
        for handle in &handles[100..] {
            slab.remove(*handle);
        }
        assert_eq!(slab.pages.len(), 1, "three of four pages are gone");
        assert_eq!(slab.remove(handles[1_999]), None);
        let again = slab.insert(7);
        assert_eq!(slab.get(again), Some(&7));
    }
}
