//! Who is in a channel, as the server last told: the full list, then changes to it.

use protocol::{PresenceAction, PresenceFull, PresenceUpdate};

/// One member; `P` is what the server told about it, never looked into.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member<P> {
    /// The member's public id.
    pub session_id: String,
    /// The rest.
    pub info: P,
}

/// The members of a channel, each once, in the order they came.
#[derive(Debug)]
pub struct Roster<P> {
    members: Vec<Member<P>>,
}

impl<P> Roster<P> {
    /// Everybody.
    pub fn members(&self) -> &[Member<P>] {
        &self.members
    }

    /// Starts over from the full list.
    pub fn handle_full(&mut self, full: PresenceFull<Member<P>>) {
        self.members.clear();
        for member in full.presence {
            self.put(member);
        }
    }

    /// Applies one change.
    pub fn handle_update(&mut self, update: PresenceUpdate<Member<P>>) {
        match update.action {
            PresenceAction::Join => self.put(update.presence),
            PresenceAction::Leave => {
                self.members.retain(|member| member.session_id != update.presence.session_id);
            }
        }
    }

    /// Forgets everybody: without a connection nobody is known to be here.
    pub fn clear(&mut self) {
        self.members.clear();
    }

    fn put(&mut self, member: Member<P>) {
        match self.members.iter_mut().find(|known| known.session_id == member.session_id) {
            Some(known) => *known = member,
            None => self.members.push(member),
        }
    }
}

impl<P> Default for Roster<P> {
    fn default() -> Self {
        Self { members: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(session_id: &str, info: u32) -> Member<u32> {
        Member { session_id: session_id.to_owned(), info }
    }

    fn update(action: PresenceAction, member: Member<u32>) -> PresenceUpdate<Member<u32>> {
        PresenceUpdate { action, presence: member }
    }

    #[test]
    fn a_member_told_twice_is_there_once_with_the_latest_info() {
        let mut roster = Roster::default();
        roster.handle_full(PresenceFull { presence: vec![member("a", 1), member("a", 2)] });
        roster.handle_update(update(PresenceAction::Join, member("b", 3)));
        roster.handle_update(update(PresenceAction::Join, member("a", 4)));
        assert_eq!(roster.members(), [member("a", 4), member("b", 3)]);
    }

    #[test]
    fn a_full_list_replaces_and_a_leave_removes() {
        let mut roster = Roster::default();
        roster.handle_update(update(PresenceAction::Join, member("ghost", 0)));
        roster.handle_full(PresenceFull { presence: vec![member("a", 1), member("b", 2)] });
        roster.handle_update(update(PresenceAction::Leave, member("a", 1)));
        roster.handle_update(update(PresenceAction::Leave, member("nobody", 0)));
        assert_eq!(roster.members(), [member("b", 2)]);
    }
}
