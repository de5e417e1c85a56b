//! What became of the messages that their senders named, so that sending one again is no second one.

use std::collections::{HashMap, VecDeque};

use protocol::RequestId;

use crate::ledger::Remembered;
use crate::publication::Receipt;

/// The receipts of a channel's named messages: the newest [`MAX_LEN`](Self::MAX_LEN), for
/// [`MAX_AGE`](Self::MAX_AGE).
#[derive(Debug, Default)]
pub(crate) struct Window {
    receipts: HashMap<RequestId, Receipt>,
    by_age: VecDeque<(RequestId, u64)>,
}

impl Window {
    /// How many messages are remembered.
    pub(crate) const MAX_LEN: usize = 1_000;
    /// For how long, in milliseconds.
    pub(crate) const MAX_AGE: u64 = 120_000;
    /// What one of them takes in memory, about, in bytes.
    pub(crate) const ENTRY_SIZE: usize = 256;

    /// What became of `request`, if it is remembered at `now`.
    pub(crate) fn get(&mut self, request: &RequestId, now: u64) -> Option<Receipt> {
        self.forget(now);
        self.receipts.get(request).copied()
    }

    /// Remembers what became of `request` at `now`.
    pub(crate) fn insert(&mut self, request: RequestId, receipt: Receipt, now: u64) {
        // A name that was forgotten and is used anew has one entry, so that the end of the old one does
        // not take the new one along.
        if self.receipts.insert(request.clone(), receipt).is_some() {
            self.by_age.retain(|(known, _)| *known != request);
        }
        self.by_age.push_back((request, now));
        self.forget(now);
    }

    /// All that is remembered, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Remembered> {
        self.by_age.iter().filter_map(|(request, since)| {
            let receipt = *self.receipts.get(request)?;
            Some(Remembered { request: request.clone(), receipt, since: *since })
        })
    }

    /// What all this takes in memory, about, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.by_age.len() * Self::ENTRY_SIZE
    }

    fn forget(&mut self, now: u64) {
        let is_old = |(_, since): &(RequestId, u64)| now.saturating_sub(*since) > Self::MAX_AGE;
        while self.by_age.len() > Self::MAX_LEN || self.by_age.front().is_some_and(is_old) {
            let Some((request, _)) = self.by_age.pop_front() else { return };
            self.receipts.remove(&request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::PublicationId;

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).expect("the id is short")
    }

    fn receipt(ts: u64) -> Receipt {
        Receipt { id: PublicationId::from_random([0; 12]), seq: None, ts }
    }

    #[test]
    fn what_is_sent_again_in_time_is_known() {
        let mut window = Window::default();
        window.insert(id("a"), receipt(1), 0);
        assert_eq!(window.get(&id("a"), Window::MAX_AGE), Some(receipt(1)));
        assert_eq!(window.get(&id("b"), 0), None);
        assert_eq!(window.get(&id("a"), Window::MAX_AGE + 1), None);
        assert_eq!(window.bytes(), 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut window = Window::default();
        for n in 0..=Window::MAX_LEN {
            window.insert(id(&n.to_string()), receipt(n as u64), 0);
        }
        assert_eq!(window.get(&id("0"), 0), None);
        assert_eq!(window.get(&id("1"), 0), Some(receipt(1)));
    }

    #[test]
    fn a_name_that_is_used_anew_is_remembered_from_then_on() {
        let mut window = Window::default();
        window.insert(id("a"), receipt(1), 0);
        // As the journal tells it: without the question whether it was known, between.
        let later = Window::MAX_AGE + 1;
        window.insert(id("a"), receipt(2), later);
        assert_eq!(window.get(&id("a"), later), Some(receipt(2)));
        assert_eq!(window.bytes(), Window::ENTRY_SIZE);
    }
}
