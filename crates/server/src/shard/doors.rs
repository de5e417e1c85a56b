//! Letting clients in, when it is the shard's turn.

use std::{io, mem};

use mio::event::Event as Ready;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::Shard;
use crate::door::{Door, Guest, Visitor};
use crate::inbox::Event;

/// The doors that a shard has now, and who has come in by them and said nothing yet.
#[derive(Debug, Default)]
pub(super) struct Doors {
    held: Slab<Held>,
    guests: Slab<Box<dyn Guest>>,
}

#[derive(Debug)]
struct Held {
    door: Box<dyn Door>,
    /// Somebody may stand before it although no event will say so.
    knocked: bool,
    /// How much of its turn the shard has had with it, of [`VISITORS_A_TURN`].
    used: usize,
}

/// What becomes of a door behind those who came in.
#[derive(Clone, Copy, Debug)]
enum Next {
    Stays,
    GoesOn,
    StaysShut,
}

/// Whether an event is about a door or a guest; connections have smaller tokens.
pub(super) fn is_there(ready: &Ready) -> bool {
    ready.token().0 >= FIRST_GUEST
}

impl Doors {
    /// Whether somebody may wait.
    pub(super) fn has_work(&self) -> bool {
        self.held.iter().any(|(_, held)| held.knocked)
    }

    /// Somebody has come to the door at this place.
    fn knock(&mut self, at: usize) {
        if let Some(held) = self.held.get_mut(at) {
            held.knocked = true;
        }
    }

    /// Does not wait any longer for those who have had their time. Their places are for others.
    pub(super) fn drop_late(&mut self) {
        self.guests.retain(|_, guest| !guest.is_late());
    }
}

impl Held {
    fn of(door: Box<dyn Door>) -> Self {
        Self { door, knocked: false, used: 0 }
    }

    /// Counts who came. A connection that stays is a whole turn; of those who are only sent on it takes many,
    /// so that they do not decide which shard the next connection comes to.
    fn count(&mut self, visitor: &Visitor) {
        match visitor {
            Visitor::Entered(_) | Visitor::Silent(_) => self.used += VISITORS_A_TURN,
            Visitor::SentOn => self.used += 1,
            Visitor::Nobody => self.knocked = false,
            Visitor::Shut => {}
        }
    }

    /// Whether it is another shard's turn, after this one has let in as many as may be.
    const fn is_another_turn(&self) -> bool {
        self.knocked || self.used >= VISITORS_A_TURN
    }
}

impl Shard {
    /// Somebody has come to a door, or has something to say.
    pub(super) fn handle_visit(&mut self, ready: &Ready) {
        if let Some(at) = door_of(ready.token()) {
            return self.doors.knock(at);
        }
        if let Some(guest) = self.doors.guests.try_remove(ready.token().0 - FIRST_GUEST) {
            match guest.listen(&mut self.buffer, self.poll.registry()) {
                Visitor::Entered(accepted) => self.accept(*accepted),
                Visitor::Silent(guest) => self.host(guest, Registry::reregister),
                Visitor::SentOn | Visitor::Nobody | Visitor::Shut => {}
            }
        }
    }

    /// Waits for what somebody has to say.
    fn host(&mut self, mut guest: Box<dyn Guest>, watch: Watch) {
        let entry = self.doors.guests.vacant_entry();
        let token = Token(FIRST_GUEST + entry.key());
        match watch(self.poll.registry(), guest.socket(), token, Interest::READABLE) {
            Ok(()) => drop(entry.insert(guest)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be registered and was dropped");
            }
        }
    }

    /// Takes a door for a turn. While the node drains others see to who comes.
    pub(super) fn take_door(&mut self, mut door: Box<dyn Door>) {
        if self.drain.is_some() {
            return;
        }
        let token = token_of(self.doors.held.vacant_key());
        if let Err(error) = self.poll.registry().register(door.socket(), token, Interest::READABLE)
        {
            door.fail(&error);
            return door.stay_shut();
        }
        self.doors.held.insert(Held::of(door));
    }

    /// Lets in some of those who wait, and hands on the doors whose next turn is another shard's.
    pub(super) fn let_in(&mut self) {
        if !self.doors.has_work() {
            return;
        }
        let mut doors = mem::take(&mut self.doors.held);
        let went: Vec<_> =
            doors.iter_mut().map(|(at, held)| (at, self.let_some_in(held))).collect();
        for (at, next) in went {
            if matches!(next, Next::Stays) {
                continue;
            }
            let Held { mut door, .. } = doors.remove(at);
            self.let_go(&mut *door);
            if matches!(next, Next::StaysShut) {
                door.stay_shut();
            } else {
                let next = (self.id.0 + 1) % self.inboxes.len();
                self.inboxes[next].push(Event::Door(door));
            }
        }
        self.doors.held = doors;
    }

    /// Lets in who waits, so many at most.
    fn let_some_in(&mut self, held: &mut Held) -> Next {
        for _ in 0..VISITORS_A_TURN {
            if !held.knocked {
                break;
            }
            let visitor = held.door.let_in(&mut self.buffer);
            held.count(&visitor);
            match visitor {
                Visitor::Entered(accepted) => self.accept(*accepted),
                Visitor::Silent(guest) => self.host(guest, Registry::register),
                Visitor::SentOn | Visitor::Nobody => {}
                Visitor::Shut => return Next::StaysShut,
            }
        }
        match held.is_another_turn() && self.inboxes.len() > 1 {
            true => Next::GoesOn,
            false => Next::Stays,
        }
    }

    /// Has no doors any more, and no guests.
    pub(super) fn leave_doors(&mut self) {
        for mut held in mem::take(&mut self.doors.held).drain() {
            self.let_go(&mut *held.door);
        }
        for guest in self.doors.guests.drain() {
            guest.send_on(self.poll.registry());
        }
    }

    fn let_go(&self, door: &mut dyn Door) {
        if let Err(error) = self.poll.registry().deregister(door.socket()) {
            tracing::warn!(%error, "a socket that is listened on could not be let go");
        }
    }
}

/// The token of the door at a place.
const fn token_of(at: usize) -> Token {
    Token(FIRST_DOOR + at)
}

/// The place of the door with this token, if it is one's.
const fn door_of(Token(token): Token) -> Option<usize> {
    token.checked_sub(FIRST_DOOR)
}

type Watch = fn(&Registry, &mut TcpStream, Token, Interest) -> io::Result<()>;

/// The tokens of connections are below.
const FIRST_GUEST: usize = usize::MAX / 4;
/// Those of guests are below.
const FIRST_DOOR: usize = usize::MAX / 2;
/// How many come in before the sockets of others are looked at again.
const VISITORS_A_TURN: usize = 16;

#[cfg(test)]
mod tests {
    use std::io;

    use mio::net::TcpListener;

    use super::*;

    /// A door that nobody comes to.
    #[derive(Debug)]
    struct Still(TcpListener);

    impl Door for Still {
        fn socket(&mut self) -> &mut TcpListener {
            &mut self.0
        }

        fn let_in(&mut self, _: &mut [u8]) -> Visitor {
            Visitor::Nobody
        }

        fn fail(&mut self, _: &io::Error) {}

        fn stay_shut(self: Box<Self>) {}
    }

    fn held() -> Held {
        let socket = TcpListener::bind("127.0.0.1:0".parse().expect("an address"));
        Held::of(Box::new(Still(socket.expect("a port is free"))))
    }

    #[test]
    fn a_knock_is_heard_at_its_own_door_however_often_that_has_come_and_gone() {
        let mut doors = Doors::default();
        let idle = doors.held.insert(held());
        let mut busy = held();
        for _ in 0..100_000 {
            let token = token_of(doors.held.vacant_key());
            let at = doors.held.insert(busy);
            doors.knock(door_of(token).expect("the token is a door's"));
            assert!(doors.held[at].knocked && !doors.held[idle].knocked);
            busy = Held::of(doors.held.remove(at).door);
        }
    }

    #[test]
    fn a_few_who_are_sent_on_leave_the_door_and_many_hand_it_on() {
        let mut held = held();
        held.knocked = true;
        for _ in 1..VISITORS_A_TURN {
            held.count(&Visitor::SentOn);
        }
        assert!(held.is_another_turn(), "more may stand there");
        held.count(&Visitor::Nobody);
        assert!(!held.is_another_turn(), "the next connection is still this shard's");
        held.count(&Visitor::SentOn);
        assert!(held.is_another_turn());
    }
}
