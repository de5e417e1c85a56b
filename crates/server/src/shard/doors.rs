//! Letting clients in, when it is the shard's turn.

use std::ops::ControlFlow;
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
    held: Vec<Held>,
    /// How many it has had.
    count: usize,
    guests: Slab<Box<dyn Guest>>,
}

#[derive(Debug)]
struct Held {
    door: Box<dyn Door>,
    token: Token,
    /// Somebody may stand before it although no event will say so.
    knocked: bool,
}

/// Whether an event is about a door or a guest; connections have smaller tokens.
pub(super) fn is_there(ready: &Ready) -> bool {
    ready.token().0 >= FIRST_GUEST
}

impl Doors {
    /// Whether somebody may wait.
    pub(super) fn has_work(&self) -> bool {
        self.held.iter().any(|held| held.knocked)
    }

    /// Does not wait any longer for those who have had their time. Their places are for others.
    pub(super) fn drop_late(&mut self) {
        self.guests.retain(|_, guest| !guest.is_late());
    }
}

impl Shard {
    /// Somebody has come to a door, or has something to say.
    pub(super) fn handle_visit(&mut self, ready: &Ready) {
        let token = ready.token();
        if token.0 >= FIRST_DOOR {
            let held = self.doors.held.iter_mut().find(|held| held.token == token);
            return held.into_iter().for_each(|held| held.knocked = true);
        }
        if let Some(guest) = self.doors.guests.try_remove(token.0 - FIRST_GUEST) {
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
        let token = Token(FIRST_DOOR + self.doors.count % MAX_DOORS);
        let registry = self.poll.registry();
        if let Err(error) = registry.register(door.socket(), token, Interest::READABLE) {
            door.fail(&error);
            return door.stay_shut();
        }
        self.doors.count += 1;
        self.doors.held.push(Held { door, token, knocked: false });
    }

    /// Lets in some of those who wait; then it is another shard's turn.
    pub(super) fn let_in(&mut self) {
        if !self.doors.has_work() {
            return;
        }
        for mut held in mem::take(&mut self.doors.held) {
            let mut came = false;
            let result = (0..VISITORS_A_TURN).try_for_each(|_| match held.knocked {
                true => self.let_one_in(&mut held, &mut came),
                false => ControlFlow::Continue(()),
            });
            if result.is_break() {
                self.let_go(&mut *held.door);
                held.door.stay_shut();
            } else if came && self.inboxes.len() > 1 {
                self.let_go(&mut *held.door);
                let next = (self.id.0 + 1) % self.inboxes.len();
                self.inboxes[next].push(Event::Door(held.door));
            } else {
                self.doors.held.push(held);
            }
        }
    }

    /// Breaks where nobody can come in.
    fn let_one_in(&mut self, held: &mut Held, came: &mut bool) -> ControlFlow<()> {
        match held.door.let_in(&mut self.buffer) {
            Visitor::Entered(accepted) => {
                *came = true;
                self.accept(*accepted);
            }
            Visitor::Silent(guest) => {
                *came = true;
                self.host(guest, Registry::register);
            }
            Visitor::SentOn => *came = true,
            Visitor::Nobody => held.knocked = false,
            Visitor::Shut => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Has no doors any more, and no guests.
    pub(super) fn leave_doors(&mut self) {
        for mut held in mem::take(&mut self.doors.held) {
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
/// A token is used again after so many.
const MAX_DOORS: usize = 1 << 16;
/// How many come in before the sockets of others are looked at again.
const VISITORS_A_TURN: usize = 16;
