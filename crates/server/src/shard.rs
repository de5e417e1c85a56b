//! One thread's loop: its sockets, its share of the hub, its write path.

mod backlog;
mod clock;
mod doors;
mod output;
mod reading;

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hub::{Hub, Limit, SessionKey};
use mio::{Events, Poll, Token};
use protocol::CloseCode;
use slab::Slab;

use self::backlog::Backlog;
use self::clock::{Clock, Drain};
use self::doors::Doors;
use crate::engine::{Engine, ShardId};
use crate::fanout::{Effect, Fanout, Ring};
use crate::inbox::{Event, Inbox};
use crate::metrics::ShardCounts;
use crate::transport::{Accepted, Connection, State, Stream};
use crate::trigger::Caller;

/// A shard, to be run by a thread of its own.
pub(crate) struct Shard {
    id: ShardId,
    poll: Poll,
    inbox: Arc<Inbox>,
    /// Those of all shards, its own too.
    inboxes: Vec<Arc<Inbox>>,
    engine: Arc<dyn Engine>,
    caller: Option<Arc<Caller>>,
    hub: Hub,
    connections: Slab<Connection>,
    generation: u32,
    fanout: Fanout,
    max_frame: usize,
    /// What is read goes here first; a connection owns bytes only while a frame is incomplete.
    buffer: Vec<u8>,
    /// Connections that may have more to read although no event will say so.
    unread: Vec<u32>,
    effects: Vec<Effect>,
    backlog: Backlog,
    counts: Arc<ShardCounts>,
    clock: Clock,
    drain: Option<Drain>,
    doors: Doors,
}

/// What a shard needs from its node.
pub(crate) struct ShardParts {
    pub(crate) id: ShardId,
    pub(crate) poll: Poll,
    /// Those of all shards, by [`ShardId`].
    pub(crate) inboxes: Vec<Arc<Inbox>>,
    pub(crate) engine: Arc<dyn Engine>,
    /// Who asks triggers; without, every trigger fails.
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) hub: Hub,
    pub(crate) max_lag: usize,
    pub(crate) max_frame: usize,
    /// What to write to readers through, if not one by one.
    pub(crate) ring: Option<Ring>,
    pub(crate) counts: Arc<ShardCounts>,
}

impl Shard {
    /// The token of the inbox's wake-ups; connections have their index.
    pub(crate) const WAKE: Token = Token(usize::MAX);

    pub(crate) fn new(parts: ShardParts) -> Self {
        Self {
            id: parts.id,
            poll: parts.poll,
            inbox: Arc::clone(&parts.inboxes[parts.id.0]),
            inboxes: parts.inboxes,
            engine: parts.engine,
            caller: parts.caller,
            hub: parts.hub,
            connections: Slab::new(),
            generation: 0,
            fanout: Fanout::new(parts.max_lag, Arc::clone(&parts.counts)).through(parts.ring),
            max_frame: parts.max_frame,
            buffer: vec![0; READ_BUFFER],
            unread: Vec::new(),
            effects: Vec::new(),
            backlog: Backlog::default(),
            counts: parts.counts,
            clock: Clock::start(),
            drain: None,
            doors: Doors::default(),
        }
    }

    /// Serves until the node drains and the last connection has ended.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut ready = Events::with_capacity(1_024);
        let mut events = Vec::new();
        while !(self.drain.is_some() && self.connections.is_empty()) {
            let has_work =
                self.fanout.has_work() || !self.unread.is_empty() || self.doors.has_work();
            let idle = !has_work && self.inbox.may_sleep();
            let timeout = if idle { self.until_due() } else { Duration::ZERO };
            match self.poll.poll(&mut ready, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => self.inbox.awake(),
            }
            self.clock.advance();
            for event in &ready {
                if event.token() == Self::WAKE {
                    continue;
                }
                match doors::is_there(event) {
                    true => self.handle_visit(event),
                    false => self.handle_ready(event.token().0 as u32, event),
                }
            }
            for index in mem::take(&mut self.unread) {
                self.read(index, true);
            }
            self.let_in();
            self.inbox.take(&mut events);
            for event in events.drain(..) {
                self.handle_event(event);
            }
            self.drain();
            self.note_behind();
            self.fanout.run(&mut self.connections, SLICE, &mut self.effects);
            self.settle();
            self.relieve();
            if self.clock.is_tick_due() {
                self.tick();
            }
        }
        self.inbox.close();
        Ok(())
    }

    /// Ends as many sessions as the node's stop has come to.
    fn drain(&mut self) {
        if let Some(passed) = self.drain.as_mut().and_then(Drain::step) {
            self.hub.handle_drain(passed);
            self.carry_out();
        }
    }

    /// When there is something to do although nothing happens.
    fn until_due(&self) -> Duration {
        let until_tick = self.clock.until_tick();
        self.drain.map_or(until_tick, |drain| until_tick.min(drain.until_step()))
    }

    fn handle_ready(&mut self, index: u32, event: &mio::event::Event) {
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        if event.is_writable() && connection.blocked {
            // Who reads is alive, even if for now nobody listens to it.
            let key = SessionKey { index, generation: connection.generation };
            self.hub.handle_sign_of_life(key, self.clock.now);
            match connection.stream.resume_writing() {
                Ok(all) => connection.blocked = !all,
                Err(_) => return self.effects.push(Effect::Gone(index)),
            }
            if !connection.blocked {
                self.fanout.write(connection, index, &mut self.effects);
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(index, event.is_read_closed());
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Accepted(accepted) => self.accept(*accepted),
            Event::Door(door) => self.take_door(door),
            Event::Engine(event) => {
                if let Some(session) = event.answers()
                    && let Some(connection) = lookup(&mut self.connections, session)
                {
                    connection.unanswered -= 1;
                    connection.awaits_long_answer &= connection.unanswered > 0;
                    connection.report(session.index, &mut self.effects);
                }
                self.hub.handle_engine(event);
                self.carry_out();
            }
            Event::Called(call, answer) => {
                let outcome = if answer.is_ok() {
                    &self.counts.triggers_answered
                } else {
                    &self.counts.triggers_failed
                };
                outcome.add(1);
                self.hub.handle_called(call, answer, self.clock.now);
                self.carry_out();
            }
            Event::Settings(settings, _held_until_they_hold) => {
                self.hub.handle_settings(settings);
                self.carry_out();
            }
            Event::Relieved(channel) => self.release(&channel),
            Event::Drain(window) => {
                self.drain = Some(Drain::over(window));
                self.leave_doors();
            }
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        let entry = self.connections.vacant_entry();
        let index = entry.key();
        let stream = match Stream::watch(accepted.stream, self.poll.registry(), Token(index)) {
            Ok(stream) => stream,
            Err(error) => {
                return tracing::warn!(%error, "a connection could not be registered and was dropped");
            }
        };
        self.generation = self.generation.wrapping_add(1);
        let mut connection = Connection::new(accepted.id, stream, self.generation);
        connection._place = Some(accepted.place);
        entry.insert(connection);
        self.counts.opened.add(1);
        tracing::debug!(
            session.id = %accepted.id,
            session.authenticated = accepted.identity.is_authenticated(),
            shard.id = self.id.0,
            "a connection was opened"
        );
        let key = SessionKey { index: index as u32, generation: self.generation };
        let session = (accepted.id, &accepted.identity);
        self.hub.handle_open(
            key,
            session,
            &accepted.connection_hash,
            accepted.token_refused,
            self.clock.now,
        );
        if let Some(ends) = accepted.ends {
            self.hub.handle_expiry(key, ends);
        }
        self.carry_out();
        if self.drain.is_some() {
            return self.end(key, CloseCode::Draining);
        }
        let mut received = accepted.received;
        self.decode(key, &mut received);
        // A plain socket says by itself that it has something; TLS may have read it already.
        if self.connection(key).is_some_and(|connection| connection.stream.reads_ahead()) {
            self.read(key.index, true);
        }
    }

    /// Acts on what writing brought about.
    fn settle(&mut self) {
        for index in self.fanout.take_filled() {
            self.watch_room(index);
        }
        while let Some(effect) = self.effects.pop() {
            match effect {
                Effect::TooSlow(index) => {
                    if let Some(connection) = self.connections.get(index as usize)
                        && connection.state == State::Open
                    {
                        self.count(Limit::Lag);
                        let key = SessionKey { index, generation: connection.generation };
                        self.end(key, CloseCode::Overloaded);
                    }
                }
                Effect::Gone(index) => self.remove(index),
                Effect::Relieved(index) => self.unread.push(index),
            }
        }
    }

    /// A socket is full: from now on it says when it has room.
    fn watch_room(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        if mem::replace(&mut connection.room_watched, true) {
            return;
        }
        let (registry, token) = (self.poll.registry(), Token(index as usize));
        if let Err(error) = connection.stream.watch_room(registry, token) {
            tracing::warn!(%error, "a socket that is full could not be watched");
            self.effects.push(Effect::Gone(index));
        }
    }

    fn remove(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        let key = SessionKey { index, generation: connection.generation };
        if connection.state == State::Open {
            tracing::debug!(session.id = %connection.id, "a connection broke");
        }
        connection.state = State::Ending { until: 0 };
        self.hub.handle_close(key);
        self.carry_out();
        // A channel whose leaving the engine has not answered yet is still being read.
        self.fanout.detach_all(&mut self.connections, index);
        let mut connection = self.connections.remove(index as usize);
        if let Err(error) = connection.stream.deregister(self.poll.registry()) {
            tracing::debug!(%error, "a socket was gone before it was let go");
        }
        connection.stream.shutdown();
    }

    fn tick(&mut self) {
        let now = self.clock.now;
        self.doors.drop_late();
        self.hub.handle_tick(now);
        self.carry_out();
        self.counts.members.set(self.hub.members() as u64);
        self.release_all();
        for (index, connection) in &self.connections {
            if let State::Closing { until } | State::Ending { until } = connection.state
                && until <= now.seconds
            {
                self.effects.push(Effect::Gone(index as u32));
            }
        }
        self.settle();
    }

    fn list(&mut self, key: SessionKey) {
        if let Some(connection) = lookup(&mut self.connections, key) {
            self.fanout.list(connection, key.index);
        }
    }

    fn connection(&mut self, key: SessionKey) -> Option<&mut Connection> {
        lookup(&mut self.connections, key)
    }
}

fn lookup(connections: &mut Slab<Connection>, key: SessionKey) -> Option<&mut Connection> {
    connections
        .get_mut(key.index as usize)
        .filter(|connection| connection.generation == key.generation)
}

/// About how many readers are written to before the sockets are looked at again: the readers of a channel
/// with fewer are not cut in two, so that it may be nearly twice as many.
const SLICE: usize = 64;
/// How often one connection is read before the others have their turn.
const READS_A_TURN: usize = 4;
/// The size of the thread's read buffer, in bytes.
const READ_BUFFER: usize = 64 << 10;
/// How long a peer has to answer a close frame, in seconds.
const CLOSING_SECONDS: u32 = 5;
