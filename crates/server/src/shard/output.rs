//! What the hub has decided, done.

use std::mem;

use hub::{CallError, EngineCommand, Limit, Output, SessionKey};
use protocol::CloseCode;

use super::{CLOSING_SECONDS, Shard, lookup};
use crate::transport::State;
use crate::transport::frame;
use crate::trigger::TriggerCall;

impl Shard {
    /// Does all that the hub has decided.
    pub(super) fn carry_out(&mut self) {
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
                Output::Attach { session, channel, reading } => {
                    if self.connection(session).is_some() {
                        self.fanout.attach(&mut self.connections, session.index, channel, reading);
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
                Output::AnnouncePresence { channel, change } => {
                    if self.fanout.is_watched(channel) {
                        self.fanout.announce_presence(channel, &change.frame());
                    }
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
    pub(super) fn stall(&mut self, key: SessionKey) {
        if let Some(connection) = self.connection(key)
            && !mem::replace(&mut connection.stalled, true)
            && !connection.held
        {
            self.count(Limit::UnreadAnswers);
        }
    }

    pub(super) fn count(&self, limit: Limit) {
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
    pub(super) fn end(&mut self, key: SessionKey, code: CloseCode) {
        self.close(key, code);
        self.hub.handle_close(key);
        self.carry_out();
    }

    /// Starts the closing handshake; what the session has still to read comes before.
    pub(super) fn close(&mut self, key: SessionKey, code: CloseCode) {
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
}
