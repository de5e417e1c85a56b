//! The bounded list of a channel's past publications.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::publication::Publication;

/// The newest publications of a channel; the oldest go first when it is full.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<Arc<Publication>>,
    bytes: usize,
}

impl History {
    /// The most a channel keeps, in bytes, however many publications it may keep. What is kept may
    /// have to wait, as a whole, for each reader that asks for it.
    pub(crate) const MAX_BYTES: usize = 4 << 20;

    /// Adds a publication, then drops the oldest until at most `size` are left.
    pub(crate) fn push(&mut self, publication: Arc<Publication>, size: usize) {
        self.bytes += publication.size();
        self.entries.push_back(publication);
        while (self.entries.len() > size || self.bytes > Self::MAX_BYTES) && self.drop_oldest() {}
    }

    /// Drops the oldest publication; whether there was one.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let oldest = self.entries.pop_front();
        self.bytes -= oldest.as_ref().map_or(0, |oldest| oldest.size());
        oldest.is_some()
    }

    /// All that is kept, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.entries.iter()
    }

    /// What all this takes in memory, in bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// At most `limit` publications that a reader may see, oldest first, all with a number below
    /// `before`; and whether there are older ones.
    pub(crate) fn page(
        &self,
        authenticated: bool,
        before: u64,
        limit: usize,
    ) -> (Vec<Arc<Publication>>, bool) {
        let below =
            |entry: &&Arc<Publication>| entry.seq(authenticated).is_some_and(|seq| seq < before);
        let mut older = self.entries.iter().rev().filter(below);
        let mut entries: Vec<_> = older.by_ref().take(limit).cloned().collect();
        entries.reverse();
        (entries, older.next().is_some())
    }

    /// The newest `count` publications that a reader may see, oldest first; `None` if not so many
    /// are kept.
    pub(crate) fn newest(&self, authenticated: bool, count: u64) -> Option<Vec<Arc<Publication>>> {
        let count = usize::try_from(count).ok()?;
        let (entries, _) = self.page(authenticated, u64::MAX, count);
        (entries.len() == count).then_some(entries)
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
