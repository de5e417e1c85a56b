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

impl Shard {
    /// Somebody has come to a door, or has something to say.
    pub(super) fn handle_visit(&mut self, ready: &Ready) {
        let Token(token) = ready.token();
        if let Some(at) = token.checked_sub(FIRST_DOOR) {
            return self.doors.knock(at);
        }
        if let Some(guest) = self.doors.guests.try_remove(token - FIRST_GUEST) {
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

    /// Takes a door until somebody has come in. While the node drains others see to who comes.
    pub(super) fn take_door(&mut self, mut door: Box<dyn Door>) {
        if self.drain.is_some() {
            return;
        }
        let token = Token(FIRST_DOOR + self.doors.held.vacant_key());
        if let Err(error) = self.poll.registry().register(door.socket(), token, Interest::READABLE)
        {
            door.fail(&error);
            return door.stay_shut();
        }
        self.doors.held.insert(Held { door, knocked: false });
    }

    /// Lets in some of those who wait; then it is another shard's turn.
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

    /// Lets in who waits, for a turn at most. A door goes on when this shard has one connection more, or
    /// could have: whoever is only sent on must not decide which shard the next one comes to.
    fn let_some_in(&mut self, held: &mut Held) -> Next {
        let mut came = false;
        for _ in 0..VISITORS_A_TURN {
            if !held.knocked {
                break;
            }
            match held.door.let_in(&mut self.buffer) {
                Visitor::Entered(accepted) => {
                    came = true;
                    self.accept(*accepted);
                }
                Visitor::Silent(guest) => {
                    came = true;
                    self.host(guest, Registry::register);
                }
                Visitor::SentOn => {}
                Visitor::Nobody => held.knocked = false,
                Visitor::Shut => return Next::StaysShut,
            }
        }
        if (came || held.knocked) && self.inboxes.len() > 1 { Next::GoesOn } else { Next::Stays }
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
        Held { door: Box::new(Still(socket.expect("a port is free"))), knocked: false }
    }

    #[test]
    fn a_knock_is_heard_at_its_own_door_however_often_that_has_come_and_gone() {
        let mut doors = Doors::default();
        let idle = doors.held.insert(held());
        let mut busy = held();
        for _ in 0..100_000 {
            let at = doors.held.vacant_key();
            doors.held.insert(busy);
            doors.knock(at);
            assert!(doors.held[at].knocked && !doors.held[idle].knocked);
            busy = Held { knocked: false, ..doors.held.remove(at) };
        }
    }
}
