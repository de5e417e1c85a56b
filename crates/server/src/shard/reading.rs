//! From a socket's bytes to the hub.

use std::io;
use std::mem;

use hub::{Limit, SessionKey};
use protocol::CloseCode;

use super::{CLOSING_SECONDS, READS_A_TURN, Shard};
use crate::fanout::Effect;
use crate::transport::State;
use crate::transport::frame::{self, Decoder, Frame};

impl Shard {
    /// Reads and handles what has come, unless the connection's requests have to wait. `to_the_end`
    /// says that a read that does not fill the buffer is no proof that nothing is left.
    pub(super) fn read(&mut self, index: u32, to_the_end: bool) {
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
            if connection.incomplete.as_ref().is_some_and(|decoder| decoder.has_rest()) {
                self.decode(key, &mut []);
                if self.connection(key).is_some_and(|connection| connection.must_wait()) {
                    // To read on would pile up what the client sends while it has to wait.
                    return;
                }
            }
            let mut buffer = mem::take(&mut self.buffer);
            let result = self.connections.get_mut(index as usize).map(|connection| {
                let short_is_empty = !connection.stream.reads_ahead() && !to_the_end;
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

    pub(super) fn decode(&mut self, key: SessionKey, bytes: &mut [u8]) {
        let Some(connection) = self.connection(key) else { return };
        let mut decoder =
            connection.incomplete.take().map_or_else(Decoder::default, |decoder| *decoder);
        let limit = self.max_frame;
        let result = decoder.decode(bytes, limit, |frame| self.handle_frame(key, &frame));
        let Some(connection) = self.connection(key) else { return };
        if decoder.is_in_the_middle() {
            connection.incomplete = Some(Box::new(decoder));
        }
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
}
