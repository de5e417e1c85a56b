//! The connection, the channels on it, and every decision about them.

use std::collections::VecDeque;
use std::rc::Rc;

use protocol::{Action, CloseCode};

use crate::channel::{Channel, push};
use crate::heartbeat::{Heartbeat, Verdict};
use crate::line::{Line, State};
use crate::queue::{Full, Queue, Waiting};
use crate::{
    Backoff, ChannelId, ChannelOptions, Config, ConfigError, ConnectionId, Delivery, Event, Frame,
    Listener, Member, News, Outgoing, Output, Refusal,
};

/// One application's realtime connection. `P` is a payload, `L` a listener; both are only passed on.
///
/// Times are milliseconds of a clock that never goes back; random numbers are in `[0, 1)`. After
/// every call, carry out `poll_output` until it is empty, call the listeners of `poll_delivery`,
/// and call `handle_timeout` when `poll_timeout` says so. A socket's reports carry the id it was
/// opened under, and those of any but the latest socket are ignored.
#[derive(Debug)]
pub struct Client<P, L> {
    address: Result<Rc<str>, ConfigError>,
    token: Option<String>,
    channels: Vec<Channel<P, L>>,
    last_channel: ChannelId,
    connection: ConnectionId,
    state: State,
    backoff: Backoff,
    queue: Queue,
    /// What the channel objects asked for in vain and will be told in a turn of its own, so that a
    /// listener that asks again at once does not keep everything else waiting.
    refused: VecDeque<(ChannelId, Action, Refusal)>,
    outputs: VecDeque<Output<P>>,
    deliveries: VecDeque<Delivery<P, L>>,
}

impl<P: Clone, L: Clone> Client<P, L> {
    /// How long an attempt to connect may take, in milliseconds.
    pub const CONNECT_DEADLINE: u64 = 10_000;
    /// How many bytes of UTF-8 a frame of the application may have. The server takes no more, and
    /// ends the connection over it; what Xano's own takes is not known.
    pub const MAX_FRAME: usize = 1 << 20;

    /// A client that does nothing until a channel is opened.
    pub fn new(config: Config) -> Self {
        Self {
            address: config.address().map(Rc::from),
            token: config.realtime_auth_token.filter(|token| !token.is_empty()),
            channels: Vec::new(),
            last_channel: ChannelId(0),
            connection: ConnectionId::default(),
            state: State::Idle,
            backoff: Backoff::default(),
            queue: Queue::default(),
            refused: VecDeque::new(),
            outputs: VecDeque::new(),
            deliveries: VecDeque::new(),
        }
    }

    /// Whether there is somewhere to connect to.
    pub fn check_config(&self) -> Result<(), ConfigError> {
        self.address.as_ref().map(|_| ()).map_err(|error| *error)
    }

    /// Sets who the next connection is for.
    pub fn set_token(&mut self, token: Option<String>) {
        self.token = token.filter(|token| !token.is_empty());
    }

    /// Whether the next connection is for somebody in particular.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether any channel is in use.
    pub fn is_active(&self) -> bool {
        !self.channels.is_empty()
    }

    /// Whether this channel object is in use.
    pub fn has_channel(&self, id: ChannelId) -> bool {
        self.channels.iter().any(|channel| channel.has(id))
    }

    /// Takes a channel into use: connects if there is no connection, and joins.
    pub fn open_channel(&mut self, name: &str, options: ChannelOptions, now: u64) -> ChannelId {
        self.last_channel.0 += 1;
        let id = self.last_channel;
        match self.channels.iter_mut().find(|channel| &*channel.name == name) {
            Some(channel) => channel.open(id, options),
            None => {
                let mut channel = Channel::new(name.into());
                channel.open(id, options);
                self.channels.push(channel);
            }
        }
        match self.state {
            State::Idle | State::Closed { .. } => self.connect(now),
            State::Open(_) => self.join(name, options),
            State::Connecting { .. } | State::Waiting { .. } => {}
        }
        id
    }

    /// Adds a listener. If there is a connection, it hears so first.
    pub fn listen(&mut self, id: ChannelId, listener: Listener<L>) {
        if matches!(self.state, State::Open(_)) {
            let taker = listener.taker(Action::ConnectionStatus.name());
            push(id, taker, &Event::Connected, &mut self.deliveries);
        }
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.has(id)) {
            channel.listen(id, listener);
        }
    }

    /// Sends a frame of the application, or keeps it until there is a connection. What can be
    /// neither sent nor kept is refused, and the channel object's listeners for errors hear it.
    pub fn send(&mut self, id: ChannelId, action: Action, text: String) {
        if text.len() > Self::MAX_FRAME {
            return self.refused.push_back((id, action, Refusal::TooLarge));
        }
        match &self.state {
            State::Open(line) if !line.closing => {
                return self.outputs.push_back(Output::Send(Outgoing::Encoded(text)));
            }
            State::Closed { code } => {
                return self.refused.push_back((id, action, Refusal::Closed(*code)));
            }
            _ => {}
        }
        let Some(channel) = self.channels.iter().find(|channel| channel.has(id)) else { return };
        if !channel.queues(id) {
            return self.outputs.push_back(Output::Warn(NOT_QUEUED));
        }
        if self.queue.push(Waiting { channel: id, action, text }) == Err(Full) {
            self.refused.push_back((id, action, Refusal::QueueFull));
        }
    }

    /// Ends the use of a channel object: from now on none of its listeners is called. The last one
    /// of a name leaves the channel, the last one of all closes the connection.
    pub fn close_channel(&mut self, id: ChannelId) {
        let Some(index) = self.channels.iter().position(|channel| channel.has(id)) else { return };
        self.deliveries.retain(|delivery| delivery.channel != id);
        if self.queue.remove(id) {
            self.outputs.push_back(Output::Warn(UNSENT));
        }
        if !self.channels[index].close(id) {
            return;
        }
        let channel = self.channels.remove(index).name;
        if matches!(self.state, State::Open(_)) {
            self.outputs.push_back(Output::Send(Outgoing::Leave { channel }));
        }
        if self.channels.is_empty() {
            self.hang_up(CloseCode::Normal.number());
        }
    }

    /// Who is in a channel, as far as a channel object in use asked.
    pub fn presence(&self, id: ChannelId) -> &[Member<P>] {
        let channel = self.channels.iter().find(|channel| channel.has(id));
        channel.map_or(&[], |channel| channel.roster.members())
    }

    /// Replaces the connection at once, for a new token say.
    pub fn reconnect(&mut self, now: u64) {
        if self.channels.is_empty() {
            return;
        }
        if matches!(self.state, State::Open(_)) {
            self.tell_disconnected(RECONNECT, "", Some(0));
        }
        self.hang_up(RECONNECT);
        self.connect(now);
    }

    /// The socket is open. One that reports something else first is closing already, and was open.
    pub fn handle_open(&mut self, connection: ConnectionId, now: u64) {
        if !self.is_connecting(connection) {
            return;
        }
        self.state = State::Open(Line::new(now));
        for channel in &mut self.channels {
            if let Some(request) = channel.join() {
                let channel = channel.name.clone();
                self.outputs.push_back(Output::Send(Outgoing::Join { channel, request }));
            }
        }
        while let Some(frame) = self.queue.pop() {
            self.outputs.push_back(Output::Send(Outgoing::Encoded(frame.text)));
        }
        self.deliver_status(&Event::Connected);
    }

    /// The socket got a frame.
    pub fn handle_frame(&mut self, connection: ConnectionId, frame: Frame<P>, now: u64) {
        self.infer_open(connection, now);
        let Some(line) = self.line(connection) else { return };
        if let Some(heartbeat) = &mut line.heartbeat {
            heartbeat.handle_frame(now);
        }
        if let News::Joined { ping: Some(interval) } = &frame.news {
            line.heartbeat = Some(Heartbeat::new(interval.millis(), now));
        }
        let Frame { action, channel: name, news, body } = frame;
        let name = name.as_deref();
        match news {
            News::None | News::Joined { .. } => {}
            News::Internal => return,
            News::MalformedPresence => return self.outputs.push_back(Output::Warn(BAD_PRESENCE)),
            News::Error => return self.deliver_error(name, Event::Frame(body)),
            News::JoinRefused => {
                if let Some(channel) = self.channel(name) {
                    channel.handle_refused();
                }
                return self.deliver_error(name, Event::Frame(body));
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
        let event = Event::Frame(body);
        for channel in &self.channels {
            if name.is_none_or(|name| name == &*channel.name) {
                channel.deliver(&action, &event, &mut self.deliveries);
            }
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

    /// The browser does not open such a socket at all, now or later.
    pub fn handle_refused(&mut self, connection: ConnectionId, reason: &str) {
        if self.is_connecting(connection) {
            self.give_up(ABNORMAL);
            self.tell_disconnected(ABNORMAL, reason, None);
        }
    }

    /// The network or the page came back: what waits need not wait longer.
    pub fn handle_wake(&mut self, now: u64) {
        match &mut self.state {
            State::Waiting { .. } => self.connect(now),
            State::Open(line) => {
                let verdict = line.heartbeat.as_mut().map(|heartbeat| heartbeat.handle_wake(now));
                if verdict == Some(Verdict::Ping) {
                    self.outputs.push_back(Output::Send(Outgoing::Ping));
                }
            }
            State::Idle | State::Closed { .. } | State::Connecting { .. } => {}
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: u64, random: f64) {
        self.deliver_refused();
        match &mut self.state {
            State::Idle | State::Closed { .. } => {}
            State::Waiting { until } if now >= *until => self.connect(now),
            State::Connecting { until } if now >= *until => {
                self.outputs.push_back(Output::Close { code: CloseCode::Normal.number() });
                self.lose(ABNORMAL, NO_ANSWER, now, random);
            }
            State::Waiting { .. } | State::Connecting { .. } => {}
            State::Open(line) => {
                let verdict =
                    line.heartbeat.as_mut().map(|heartbeat| heartbeat.handle_timeout(now));
                match verdict {
                    Some(Verdict::Ping) => self.outputs.push_back(Output::Send(Outgoing::Ping)),
                    Some(Verdict::Dead) => {
                        self.outputs.push_back(Output::Close { code: RECONNECT });
                        self.lose(ABNORMAL, SILENT, now, random);
                    }
                    Some(Verdict::Wait) | None => {}
                }
            }
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// The next listener to call.
    pub fn poll_delivery(&mut self) -> Option<Delivery<P, L>> {
        self.deliveries.pop_front()
    }

    /// Whether a listener is to be called.
    pub fn has_delivery(&self) -> bool {
        !self.deliveries.is_empty()
    }

    /// When to call `handle_timeout` at the latest; earlier does no harm.
    pub fn poll_timeout(&self) -> Option<u64> {
        if !self.refused.is_empty() {
            return Some(0);
        }
        match &self.state {
            State::Idle | State::Closed { .. } => None,
            State::Connecting { until } | State::Waiting { until } => Some(*until),
            State::Open(line) => line.heartbeat.as_ref().map(Heartbeat::poll_timeout),
        }
    }

    fn connect(&mut self, now: u64) {
        let Ok(url) = self.address.clone() else { return };
        self.connection.0 += 1;
        self.state = State::Connecting { until: now + Self::CONNECT_DEADLINE };
        let (connection, token) = (self.connection, self.token.clone());
        self.outputs.push_back(Output::Open { connection, url, token });
    }

    /// Joins for a channel object that came to an open connection.
    fn join(&mut self, name: &str, options: ChannelOptions) {
        let Some(channel) = self.channel(Some(name)) else { return };
        let name = channel.name.clone();
        let outgoing = match channel.join() {
            Some(request) => Outgoing::Join { channel: name, request },
            // The join was sent for another object of the name, which has its history.
            None if options.history => Outgoing::History { channel: name },
            None => return,
        };
        self.outputs.push_back(Output::Send(outgoing));
    }

    /// Ends the socket, if there is one, because the application wants it.
    fn hang_up(&mut self, code: u16) {
        if matches!(self.state, State::Connecting { .. } | State::Open(_)) {
            self.outputs.push_back(Output::Close { code });
        }
        self.state = State::Idle;
        for channel in &mut self.channels {
            channel.handle_disconnect();
        }
    }

    /// Goes on after a connection or an attempt ended that nobody asked to end.
    fn lose(&mut self, code: u16, reason: &str, now: u64, random: f64) {
        if matches!(&self.state, State::Open(line) if now - line.since >= Backoff::STABLE) {
            self.backoff.reset();
        }
        let retry_in = CloseCode::reconnects(code).then(|| self.backoff.next_delay(random));
        match retry_in {
            Some(delay) => self.state = State::Waiting { until: now + delay },
            None => self.give_up(code),
        }
        for channel in &mut self.channels {
            channel.handle_disconnect();
        }
        self.tell_disconnected(code, reason, retry_in);
    }

    /// Ends the attempts to connect, and what waits for one.
    fn give_up(&mut self, code: u16) {
        self.state = State::Closed { code };
        while let Some(frame) = self.queue.pop() {
            self.refused.push_back((frame.channel, frame.action, Refusal::Closed(code)));
        }
    }

    /// Some sockets are over before anybody was told that they are open: `ws` for Node.js reports
    /// all of a short life in one go. What such a one is given now would be lost.
    fn infer_open(&mut self, connection: ConnectionId, now: u64) {
        if self.is_connecting(connection) {
            self.state = State::Open(Line { closing: true, ..Line::new(now) });
            self.deliver_status(&Event::Connected);
        }
    }

    fn tell_disconnected(&mut self, code: u16, reason: &str, retry_in: Option<u64>) {
        self.deliver_status(&Event::Disconnected { code, reason: reason.into(), retry_in });
    }

    fn deliver_status(&mut self, event: &Event<P>) {
        for channel in &self.channels {
            channel.deliver(Action::ConnectionStatus.name(), event, &mut self.deliveries);
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

    fn deliver_refused(&mut self) {
        while let Some((id, action, refusal)) = self.refused.pop_front() {
            let Some(channel) = self.channels.iter().find(|channel| channel.has(id)) else {
                self.outputs.push_back(Output::Warn(UNSENT));
                continue;
            };
            let event = Event::Refused { channel: channel.name.clone(), action, refusal };
            if !channel.deliver_error(Some(id), &event, &mut self.deliveries) {
                self.outputs.push_back(Output::Untaken(event));
            }
        }
    }

    fn is_connecting(&self, connection: ConnectionId) -> bool {
        connection == self.connection && matches!(self.state, State::Connecting { .. })
    }

    fn line(&mut self, connection: ConnectionId) -> Option<&mut Line> {
        match &mut self.state {
            State::Open(line) if connection == self.connection => Some(line),
            _ => None,
        }
    }

    fn channel(&mut self, name: Option<&str>) -> Option<&mut Channel<P, L>> {
        self.channels.iter_mut().find(|channel| Some(&*channel.name) == name)
    }
}

/// The code that browsers report for a connection that was lost or never came to be.
const ABNORMAL: u16 = 1006;
/// The code that some browsers report where there was no TLS connection.
const TLS_FAILURE: u16 = 1015;
/// The code of a close that makes room for a new connection.
const RECONNECT: u16 = 4000;

const BAD_FRAME: &str = "the server sent something that is no frame of this protocol; it is ignored, as are further ones on this connection";
const BAD_PRESENCE: &str = "the server sent a presence frame without valid members; it is ignored";
const NOT_QUEUED: &str =
    "there is no connection and queueOfflineActions is false, so this was not sent and will not be";
const UNSENT: &str = "a channel was destroyed before what it had queued could be sent";
const NO_ANSWER: &str = "no answer within 10 seconds";
const SILENT: &str = "the server stopped answering";
