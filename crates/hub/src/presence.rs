//! Who is in a channel, in the order they came, and what its members hear of that.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use protocol::{ChannelName, PresenceAction};

use crate::encode;
use crate::session::{Member, SessionId};

/// The members of a channel, each with what its keeper needs to know of it.
#[derive(Debug)]
pub struct Roster<T> {
    by_arrival: BTreeMap<u64, T>,
    arrival: HashMap<SessionId, u64>,
    next: u64,
}

/// A member came to a channel or left it.
#[derive(Debug)]
pub struct PresenceChange {
    pub(crate) channel: ChannelName,
    pub(crate) action: PresenceAction,
    pub(crate) member: Arc<Member>,
}

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Self { by_arrival: BTreeMap::new(), arrival: HashMap::new(), next: 0 }
    }
}

impl PresenceChange {
    /// The frame's text. Most channels have members who do not want it, so it is made for those who do.
    pub fn frame(&self) -> Vec<u8> {
        encode::presence_update(&self.channel, self.action, &self.member)
    }
}

impl<T> Roster<T> {
    /// Adds a member, or replaces what is known of it; whether it is new.
    pub fn insert(&mut self, id: SessionId, member: T) -> bool {
        if let Some(arrival) = self.arrival.get(&id) {
            self.by_arrival.insert(*arrival, member);
            return false;
        }
        self.arrival.insert(id, self.next);
        self.by_arrival.insert(self.next, member);
        self.next += 1;
        true
    }

    /// Takes a member out.
    pub fn remove(&mut self, id: SessionId) -> Option<T> {
        let arrival = self.arrival.remove(&id)?;
        self.by_arrival.remove(&arrival)
    }

    /// What is known of a member.
    pub fn get(&self, id: SessionId) -> Option<&T> {
        self.by_arrival.get(self.arrival.get(&id)?)
    }

    /// All members, first come first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.by_arrival.values()
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.arrival.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.arrival.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_in_the_order_they_came_even_when_they_join_again() {
        let id = |n| SessionId::from_random([n; 16]);
        let mut roster = Roster::default();
        assert!(roster.insert(id(1), "wanda"));
        assert!(roster.insert(id(2), "thor"));
        assert!(!roster.insert(id(1), "wanda again"));
        assert_eq!(roster.iter().collect::<Vec<_>>(), [&"wanda again", &"thor"]);
        assert_eq!(roster.remove(id(1)), Some("wanda again"));
        assert_eq!(roster.remove(id(1)), None);
        assert!(roster.get(id(2)).is_some() && !roster.is_empty());
    }
}
