//! What the socket reports.

use protocol::Action;

use super::{ABNORMAL, Client, NO_TOKEN, State, TLS_FAILURE};
use crate::continuity::Step;
use crate::heartbeat::Heartbeat;
use crate::line::Line;
use crate::{ConnectionId, Event, Frame, Gap, Joined, News, Outgoing, Output, Refused};

impl<P: Clone, L: Clone> Client<P, L> {
    /// The socket is open. One that reports something else first is closing already, and was open.
    pub fn handle_open(&mut self, connection: ConnectionId, now: u64) {
        if !self.is_connecting(connection) {
            return;
        }
        self.state = State::Open(Line::new(now));
        self.join_all(false);
        self.expire(now);
        self.flush(now);
        self.deliver_status(&Event::Connected);
    }

    /// The socket got a frame.
    pub fn handle_frame(&mut self, connection: ConnectionId, frame: Frame<'_, P>, now: u64) {
        self.infer_open(connection, now);
        let Some(line) = self.line(connection) else { return };
        if let Some(heartbeat) = &mut line.heartbeat {
            heartbeat.handle_frame(now);
        }
        let Frame { action, channel: name, seq, news, body } = frame;
        // A server that acknowledges begins with the answer to a join.
        if self.acks.is_none() && !matches!(news, News::Joined(_) | News::Error(_) | News::Internal)
        {
            self.handle_acks(false);
        }
        let mut gap = None;
        match news {
            News::None => {}
            News::Joined(joined) => gap = self.handle_joined(name, &joined, now),
            News::Internal => return,
            News::MalformedPresence => return self.outputs.push_back(Output::Warn(BAD_PRESENCE)),
            News::Error(refused) => return self.handle_error(name, &refused, body, now),
            News::Acked(id) => {
                self.retries.reset();
                if self.answer(&id, &body, now) {
                    return;
                }
            }
            News::History { page } => {
                if page || !self.pages {
                    self.answer_page(name, &body);
                }
                if page {
                    return;
                }
            }
            News::PresenceFull(full) => {
                let Some(channel) = self.channel(name) else { return };
                channel.roster.handle_full(full);
            }
            News::PresenceUpdate(update) => {
                let Some(channel) = self.channel(name) else { return };
                channel.roster.handle_update(update);
            }
        }
        if seq.is_some() && !self.take_publication(name, seq) {
            return;
        }
        let event = Event::Frame(body);
        for channel in &self.channels {
            if name.is_none_or(|name| name == &*channel.name) {
                channel.deliver(action, &event, &mut self.deliveries);
            }
        }
        if let Some(gap) = gap {
            self.deliver_gap(name, gap);
        }
    }

    /// The socket got what is no frame of this protocol.
    pub fn handle_malformed(&mut self, connection: ConnectionId, now: u64) {
        self.infer_open(connection, now);
        let Some(line) = self.line(connection) else { return };
        if let Some(heartbeat) = &mut line.heartbeat {
            heartbeat.handle_frame(now);
        }
        if !line.warned {
            line.warned = true;
            self.outputs.push_back(Output::Warn(BAD_FRAME));
        }
    }

    /// The socket is about to close: what it is given now would be lost.
    pub fn handle_closing(&mut self, connection: ConnectionId) {
        if let Some(line) = self.line(connection) {
            line.closing = true;
        }
    }

    /// The socket is closed, or never opened.
    pub fn handle_close(
        &mut self,
        connection: ConnectionId,
        (code, reason): (u16, &str),
        now: u64,
        random: f64,
    ) {
        if !matches!(code, ABNORMAL | TLS_FAILURE) {
            self.infer_open(connection, now);
        }
        if self.is_connecting(connection) || self.line(connection).is_some() {
            self.lose(code, reason, now, random);
        }
    }

    /// The application has given the token of an attempt, or none.
    pub fn handle_token(&mut self, connection: ConnectionId, token: Option<String>, now: u64) {
        if self.is_asking(connection) {
            self.set_token(token);
            self.open(now);
        }
    }

    /// The application failed to give the token of an attempt.
    pub fn handle_no_token(&mut self, connection: ConnectionId, now: u64, random: f64) {
        if self.is_asking(connection) {
            self.lose(ABNORMAL, NO_TOKEN, now, random);
        }
    }

    /// The browser does not open such a socket at all, now or later.
    pub fn handle_refused(&mut self, connection: ConnectionId, reason: &str) {
        if self.is_connecting(connection) {
            self.give_up(ABNORMAL);
            self.tell_disconnected(ABNORMAL, reason, None);
        }
    }

    /// The server answers a join; what was missed for good before it.
    fn handle_joined(&mut self, name: Option<&str>, joined: &Joined, now: u64) -> Option<Gap> {
        if let (State::Open(line), Some(interval)) = (&mut self.state, joined.ping) {
            line.heartbeat = Some(Heartbeat::new(interval.millis(), now));
        }
        self.retries.reset();
        self.handle_acks(joined.acks);
        self.pages = joined.pages;
        let channel = self.channel(name)?;
        let (gap, owed) = channel.handle_joined(joined);
        if owed {
            let channel = channel.name.clone();
            self.outputs.push_back(Output::Send(Outgoing::History { channel }));
        }
        self.settle_joining(name, &Event::Done);
        gap
    }

    /// The server refused something: the receipt hears of it and, unless it is only put off, so do
    /// the listeners for errors.
    fn handle_error(&mut self, name: Option<&str>, refused: &Refused, body: P, now: u64) {
        if let Some(id) = &refused.id {
            // What followed a join that was put off waits with it.
            let later = refused.later || self.channel(name).is_some_and(|channel| channel.put_off);
            if later && self.postpone(id, refused.retry_after, now) {
                return;
            }
            self.answer(id, &body, now);
        }
        match refused.action {
            Some(Action::Join) => {
                if let Some(channel) = self.channel(name) {
                    channel.handle_refused();
                    channel.put_off = refused.later;
                }
                if refused.later {
                    self.put_off(refused.retry_after, now);
                } else {
                    self.settle_joining(name, &Event::Frame(body.clone()));
                }
            }
            Some(Action::History) => self.answer_page(name, &body),
            _ => {}
        }
        self.deliver_error(name, Event::Frame(body));
    }

    /// Whether a publication is to be passed on; what it proves to be missing is asked for or told.
    fn take_publication(&mut self, name: Option<&str>, seq: Option<u64>) -> bool {
        let Some(channel) = self.channel(name) else { return true };
        if channel.idle {
            // It comes again with all that follows when the channel is joined again.
            return false;
        }
        match channel.reader.handle_publication(seq) {
            Step::Deliver => true,
            Step::Drop => false,
            Step::Repair => {
                let request = channel.rejoin();
                let channel = channel.name.clone();
                self.outputs.push_back(Output::Send(Outgoing::Join { channel, request }));
                false
            }
            Step::Tell(gap) => {
                self.deliver_gap(name, gap);
                true
            }
        }
    }

    fn deliver_gap(&mut self, name: Option<&str>, gap: Gap) {
        let channel = self.channels.iter().find(|channel| Some(&*channel.name) == name);
        let Some(channel) = channel else { return };
        let event = Event::Missed { channel: channel.name.clone(), gap };
        channel.deliver(GAP, &event, &mut self.deliveries);
    }

    /// Some sockets are over before anybody was told that they are open: `ws` for Node.js reports
    /// all of a short life in one go. What such a one is given now would be lost.
    fn infer_open(&mut self, connection: ConnectionId, now: u64) {
        if self.is_connecting(connection) {
            self.state = State::Open(Line { closing: true, ..Line::new(now) });
            self.deliver_status(&Event::Connected);
        }
    }

    fn deliver_error(&mut self, name: Option<&str>, event: Event<P>) {
        let mut taken = false;
        for channel in &self.channels {
            if name.is_none_or(|name| name == &*channel.name) {
                taken |= channel.deliver_error(None, &event, &mut self.deliveries);
            }
        }
        if !taken {
            self.outputs.push_back(Output::Untaken(event));
        }
    }
}

/// The action of what tells a gap. The SDK makes it itself; it is never on the wire.
const GAP: &str = "gap";
const BAD_FRAME: &str = "the server sent something that is no frame of this protocol; it is ignored, as are further ones on this connection";
const BAD_PRESENCE: &str = "the server sent a presence frame without valid members; it is ignored";
