//! The bounded list of a channel's past publications.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::publication::Publication;

/// The newest publications of a channel; the oldest go first when it is full.
#[derive(Debug, Default)]
pub struct History {
    entries: VecDeque<Arc<Publication>>,
    bytes: usize,
}

impl History {
    /// The most a channel keeps, in bytes, however many publications it may keep.
    pub const MAX_BYTES: usize = 16 << 20;

    /// Adds a publication, then drops the oldest until at most `size` are left.
    pub fn push(&mut self, publication: Arc<Publication>, size: usize) {
        self.bytes += publication.size();
        self.entries.push_back(publication);
        while (self.entries.len() > size || self.bytes > Self::MAX_BYTES) && self.drop_oldest() {}
    }

    /// Drops the oldest publication; whether there was one.
    pub fn drop_oldest(&mut self) -> bool {
        let oldest = self.entries.pop_front();
        self.bytes -= oldest.as_ref().map_or(0, |oldest| oldest.size());
        oldest.is_some()
    }

    /// What all this takes in memory, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a reader with or without identity may see of the newest `size`, oldest first.
    pub fn visible(&self, authenticated: bool, size: usize) -> Vec<Arc<Publication>> {
        let newest = self.entries.iter().rev().filter(|entry| entry.is_visible(authenticated));
        let mut entries: Vec<_> = newest.take(size).cloned().collect();
        entries.reverse();
        entries
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
