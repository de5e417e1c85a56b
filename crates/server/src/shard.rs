//! One thread's loop: its sockets, its share of the hub, its write path.

mod backlog;
mod clock;

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hub::{CallError, EngineCommand, Hub, Limit, Output, SessionKey};
use mio::{Events, Poll, Token};
use protocol::CloseCode;
use slab::Slab;

use self::backlog::Backlog;
use self::clock::{Clock, Drain};
use crate::engine::{Engine, ShardId};
use crate::fanout::{Effect, Fanout};
use crate::inbox::{Event, Inbox};
use crate::metrics::ShardCounts;
use crate::transport::frame::{self, Frame};
use crate::transport::{Accepted, Connection, State, Stream};
use crate::trigger::{Caller, TriggerCall};

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
            fanout: Fanout::new(parts.max_lag, Arc::clone(&parts.counts)),
            max_frame: parts.max_frame,
            buffer: vec![0; READ_BUFFER],
            unread: Vec::new(),
            effects: Vec::new(),
            backlog: Backlog::default(),
            counts: parts.counts,
            clock: Clock::start(),
            drain: None,
        }
    }

    /// Serves until the node drains and the last connection has ended.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut ready = Events::with_capacity(1_024);
        let mut events = Vec::new();
        while !(self.drain.is_some() && self.connections.is_empty()) {
            let idle = !self.fanout.has_work() && self.unread.is_empty() && self.inbox.may_sleep();
            let timeout = if idle { self.until_due() } else { Duration::ZERO };
            match self.poll.poll(&mut ready, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => self.inbox.awake(),
            }
            self.clock.advance();
            for event in &ready {
                if event.token() != Self::WAKE {
                    let index = event.token().0 as u32;
                    self.handle_ready(index, event);
                }
            }
            for index in mem::take(&mut self.unread) {
                self.read(index, true);
            }
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
                self.hub.handle_called(call, answer, self.clock.now);
                self.carry_out();
            }
            Event::Settings(settings, _held_until_they_hold) => {
                self.hub.handle_settings(settings);
                self.carry_out();
            }
            Event::Relieved(channel) => self.release(&channel),
            Event::Drain(window) => self.drain = Some(Drain::over(window)),
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        let entry = self.connections.vacant_entry();
        let index = entry.key();
        let mut stream = Stream::new(accepted.stream);
        if let Err(error) = stream.register(self.poll.registry(), Token(index)) {
            return tracing::warn!(%error, "a connection could not be registered and was dropped");
        }
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
        self.read(key.index, true);
    }

    /// Reads and handles what has come, unless the connection's requests have to wait. `to_the_end`
    /// says that a read that does not fill the buffer is no proof that nothing is left.
    fn read(&mut self, index: u32, to_the_end: bool) {
        for _ in 0..READS_A_TURN {
            let Some(connection) = self.connections.get_mut(index as usize) else { return };
            let key = SessionKey { index, generation: connection.generation };
            if connection.must_wait() {
                return self.stall(key);
            }
            connection.stalled = false;
            if self.hub.handle_waiting(key, self.clock.now) {
                self.carry_out();
                continue;
            }
            let Some(connection) = self.connection(key) else { return };
            if connection.decoder.has_rest() {
                self.decode(key, &mut []);
                if self.connection(key).is_some_and(|connection| connection.must_wait()) {
                    // To read on would pile up what the client sends while it has to wait.
                    return;
                }
            }
            let mut buffer = mem::take(&mut self.buffer);
            let result = self.connections.get_mut(index as usize).map(|connection| {
                let short_is_empty = connection.stream.short_read_means_empty() && !to_the_end;
                (connection.stream.read(&mut buffer), short_is_empty)
            });
            let more = match result {
                Some((Ok(count @ 1..), short_is_empty)) => {
                    self.counts.received_bytes.add(count as u64);
                    self.decode(key, &mut buffer[..count]);
                    count == buffer.len() || !short_is_empty
                }
                Some((Err(error), _)) if error.kind() == io::ErrorKind::WouldBlock => false,
                Some((Err(error), _)) if error.kind() == io::ErrorKind::Interrupted => true,
                Some((Ok(0) | Err(_), _)) => {
                    self.effects.push(Effect::Gone(index));
                    false
                }
                _ => false,
            };
            self.buffer = buffer;
            if !more {
                return;
            }
        }
        self.unread.push(index);
    }

    fn decode(&mut self, key: SessionKey, bytes: &mut [u8]) {
        let Some(connection) = self.connection(key) else { return };
        let mut decoder = mem::take(&mut connection.decoder);
        let limit = self.max_frame;
        let result = decoder.decode(bytes, limit, |frame| self.handle_frame(key, &frame));
        let Some(connection) = self.connection(key) else { return };
        connection.decoder = decoder;
        if connection.must_wait() {
            self.stall(key);
        }
        if let Err(code) = result {
            if code == CloseCode::TooBig {
                self.count(Limit::FrameSize);
            }
            self.end(key, code);
        }
    }

    /// Handles one frame; whether the next one may follow at once.
    fn handle_frame(&mut self, key: SessionKey, frame: &Frame<'_>) -> bool {
        let now = self.clock.now;
        let Some(connection) = self.connection(key) else { return false };
        match (frame, connection.state) {
            (Frame::Close(_), State::Closing { .. }) => {
                let until = now.seconds;
                connection.state = State::Ending { until };
                self.list(key);
                return false;
            }
            (Frame::Close(code), State::Open) => {
                let code = *code;
                self.answer_close(key, code);
                return false;
            }
            (_, State::Closing { .. } | State::Ending { .. }) => return true,
            (Frame::Text(text), State::Open) => {
                self.counts.received_frames.add(1);
                self.hub.handle_text(key, text, now);
            }
            (Frame::Pong, State::Open) => self.hub.handle_sign_of_life(key, now),
            (Frame::Ping(content), State::Open) => {
                connection.outbox.push(|bytes| frame::write_pong(bytes, content));
                self.list(key);
                self.hub.handle_sign_of_life(key, now);
            }
        }
        self.carry_out();
        self.connection(key).is_some_and(|connection| !connection.must_wait())
    }

    /// The peer ends the connection: it gets its code back, and then the socket is closed.
    fn answer_close(&mut self, key: SessionKey, code: Option<u16>) {
        let until = self.clock.now.seconds + CLOSING_SECONDS;
        self.hub.handle_close(key);
        self.carry_out();
        let Some(connection) = self.connection(key) else { return };
        tracing::debug!(session.id = %connection.id, close.code = code, "the client closes a connection");
        connection.outbox.push(|bytes| frame::write_close(bytes, code.unwrap_or(1000), ""));
        connection.state = State::Ending { until };
        self.list(key);
    }

    /// Does all that the hub has decided.
    fn carry_out(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Reply { session, frame } => {
                    if let Some(connection) = lookup(&mut self.connections, session) {
                        self.fanout.reply(connection, session.index, &frame);
                    }
                }
                Output::Refuse { session, code, frame } => {
                    self.counts.errors[code as usize].add(1);
                    if let Some(connection) = lookup(&mut self.connections, session) {
                        self.fanout.reply(connection, session.index, &frame);
                    }
                }
                Output::LimitReached(limit) => self.count(limit),
                Output::Push { session, frame } => {
                    if let Some(connection) = lookup(&mut self.connections, session) {
                        let result = self.fanout.push(connection, session.index, &frame);
                        self.effects.extend(result.err());
                    }
                }
                Output::Attach { session, channel, class } => {
                    if self.connection(session).is_some() {
                        self.fanout.attach(&mut self.connections, session.index, channel, class);
                    }
                }
                Output::Detach { session, channel } => {
                    if let Some(connection) = lookup(&mut self.connections, session) {
                        if connection.state == State::Open {
                            self.fanout.collect(connection);
                            self.fanout.list(connection, session.index);
                        }
                        self.fanout.detach(&mut self.connections, session.index, channel);
                    }
                }
                Output::Publish { channel, publication } => {
                    self.fanout.publish(channel, &publication);
                }
                Output::AnnouncePresence { channel, frame } => {
                    self.fanout.announce_presence(channel, &frame);
                }
                Output::Engine(command) => self.submit(command),
                Output::Call { call, trigger, input } => {
                    self.call(TriggerCall { call, trigger, input });
                }
                Output::Resume(session) => self.unread.push(session.index),
                Output::Ping(session) => {
                    if let Some(connection) = self.connection(session)
                        && !connection.blocked
                    {
                        connection.outbox.push(frame::write_ping);
                        self.list(session);
                    }
                }
                Output::Close { session, code } => self.close(session, code),
            }
        }
    }

    fn submit(&mut self, command: EngineCommand) {
        if let Some(session) = command.awaits_answer()
            && let Some(connection) = self.connection(session)
        {
            connection.unanswered += 1;
            // One long answer at a time is what a connection may make wait for itself.
            connection.awaits_long_answer |= command.has_long_answer();
        }
        match command {
            EngineCommand::Publish { session, ref channel, .. }
            | EngineCommand::SendPrivately { session, ref channel, .. } => {
                let channel = channel.clone();
                self.counts.messages.add(1);
                self.engine.submit(self.id, command);
                self.hold(session, channel);
            }
            EngineCommand::Join { .. } => {
                self.counts.joins.add(1);
                self.engine.submit(self.id, command);
            }
            _ => self.engine.submit(self.id, command),
        }
    }

    /// A connection's requests have to wait: it is not read from until that is over.
    fn stall(&mut self, key: SessionKey) {
        if let Some(connection) = self.connection(key)
            && !mem::replace(&mut connection.stalled, true)
            && !connection.held
        {
            self.count(Limit::UnreadAnswers);
        }
    }

    fn count(&self, limit: Limit) {
        self.counts.limits[limit.index()].add(1);
    }

    fn call(&mut self, call: TriggerCall) {
        let id = call.call;
        let result = match &self.caller {
            Some(caller) => caller.call(call, &self.inbox),
            None => Err(CallError::Failed(None)),
        };
        if let Err(error) = result {
            self.hub.handle_called(id, Err(error), self.clock.now);
        }
    }

    /// Ends a connection for a reason of the transport's own.
    fn end(&mut self, key: SessionKey, code: CloseCode) {
        self.close(key, code);
        self.hub.handle_close(key);
        self.carry_out();
    }

    /// Starts the closing handshake; what the session has still to read comes before.
    fn close(&mut self, key: SessionKey, code: CloseCode) {
        let until = self.clock.now.seconds + CLOSING_SECONDS;
        let Some(connection) = lookup(&mut self.connections, key) else { return };
        if connection.state != State::Open {
            return;
        }
        self.counts.closes[code as usize].add(1);
        if !connection.blocked {
            self.fanout.collect(connection);
        }
        tracing::debug!(
            session.id = %connection.id,
            close.code = code.number(),
            close.reason = code.reason(),
            "a connection is closed"
        );
        connection.outbox.push(|bytes| frame::write_close(bytes, code.number(), code.reason()));
        connection.state = State::Closing { until };
        self.fanout.list(connection, key.index);
    }

    /// Acts on what writing brought about.
    fn settle(&mut self) {
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

/// How many readers are written to before the sockets are looked at again.
const SLICE: usize = 64;
/// How often one connection is read before the others have their turn.
const READS_A_TURN: usize = 4;
/// The size of the thread's read buffer, in bytes.
const READ_BUFFER: usize = 64 << 10;
/// How long a peer has to answer a close frame, in seconds.
const CLOSING_SECONDS: u32 = 5;
