//! Letting clients in, when it is the shard's turn.

use std::mem;
use std::ops::ControlFlow;

use mio::event::Event as Ready;
use mio::{Interest, Token};

use super::Shard;
use crate::door::{Door, Visitor};
use crate::inbox::Event;

/// The doors that a shard has now.
#[derive(Debug, Default)]
pub(super) struct Doors {
    held: Vec<Held>,
    /// How many it has had.
    count: usize,
}

#[derive(Debug)]
struct Held {
    door: Box<dyn Door>,
    token: Token,
    /// Somebody may stand before it although no event will say so.
    knocked: bool,
}

impl Doors {
    /// Whether it is one of their sockets that this event is about; connections have smaller tokens.
    pub(super) fn is_knock(ready: &Ready) -> bool {
        ready.token().0 >= FIRST_DOOR
    }

    /// Somebody has come.
    pub(super) fn knock(&mut self, ready: &Ready) {
        for held in &mut self.held {
            held.knocked |= held.token == ready.token();
        }
    }

    /// Whether somebody may wait.
    pub(super) fn has_work(&self) -> bool {
        self.held.iter().any(|held| held.knocked)
    }
}

impl Shard {
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
            Visitor::SentOn => *came = true,
            Visitor::Nobody => held.knocked = false,
            Visitor::Shut => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Has no doors any more.
    pub(super) fn leave_doors(&mut self) {
        for mut held in mem::take(&mut self.doors.held) {
            self.let_go(&mut *held.door);
        }
    }

    fn let_go(&self, door: &mut dyn Door) {
        if let Err(error) = self.poll.registry().deregister(door.socket()) {
            tracing::warn!(%error, "a socket that is listened on could not be let go");
        }
    }
}

/// The tokens of connections are below.
const FIRST_DOOR: usize = usize::MAX / 2;
/// A token is used again after so many.
const MAX_DOORS: usize = 1 << 16;
/// How many come in before the sockets of others are looked at again.
const VISITORS_A_TURN: usize = 16;
