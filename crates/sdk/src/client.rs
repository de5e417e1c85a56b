//! The connection, the channels on it, and every decision about them.

mod idle;
mod page;
mod receive;
mod requests;

use std::collections::VecDeque;
use std::rc::Rc;

use protocol::{Action, CloseCode};

pub use self::requests::Moment;

use crate::channel::{Channel, push};
use crate::heartbeat::{Heartbeat, Verdict};
use crate::line::{Line, State};
use crate::queue::Queue;
use crate::{
    Backoff, ChannelId, ChannelOptions, ConnectionId, Continuity, Delivery, Event, Listener,
    Member, Outgoing, Output,
};

/// One application's realtime connection. `P` is a payload, `L` a listener; both are only passed on.
///
/// Times are milliseconds of a clock that never goes back; random numbers are in `[0, 1)`. After
/// every call, carry out `poll_output` until it is empty, call the listeners of `poll_delivery`,
/// and call `handle_timeout` when `poll_timeout` says so. A socket's reports carry the id it was
/// opened under, and those of any but the latest socket are ignored.
#[derive(Debug)]
pub struct Client<P, L> {
    token: Option<String>,
    /// The application is asked for the token before each attempt.
    asks: bool,
    channels: Vec<Channel<P, L>>,
    last_channel: ChannelId,
    connection: ConnectionId,
    state: State,
    backoff: Backoff,
    queue: Queue<L>,
    /// Whether the server acknowledges messages, as far as its answers have told.
    acks: Option<bool>,
    /// It answers requests for a part of a history as such.
    pages: bool,
    /// While the server has too much to do: when to send to it again, 0 when that is still open.
    retry: Option<u64>,
    retries: Backoff,
    /// What the channel objects asked for in vain and will be told in a turn of its own, so that a
    /// listener that asks again at once does not keep everything else waiting.
    refused: Vec<requests::Refused<P, L>>,
    waiters: Vec<requests::Waiter<L>>,
    outputs: VecDeque<Output<P>>,
    deliveries: VecDeque<Delivery<P, L>>,
}

impl<P, L> Default for Client<P, L> {
    /// A client that does nothing until a channel is opened.
    fn default() -> Self {
        Self {
            token: None,
            asks: false,
            channels: Vec::new(),
            last_channel: ChannelId(0),
            connection: ConnectionId::default(),
            state: State::Idle,
            backoff: Backoff::default(),
            queue: Queue::default(),
            acks: None,
            pages: false,
            retry: None,
            retries: Backoff::default(),
            refused: Vec::new(),
            waiters: Vec::new(),
            outputs: VecDeque::new(),
            deliveries: VecDeque::new(),
        }
    }
}

impl<P: Clone, L: Clone> Client<P, L> {
    /// How long an attempt to connect may take, in milliseconds.
    pub const CONNECT_DEADLINE: u64 = 10_000;
    /// How long the application may take to give a token, in milliseconds.
    pub const TOKEN_DEADLINE: u64 = 30_000;
    /// How many bytes of UTF-8 a frame of the application may have. The server takes no more, and
    /// ends the connection over it; what Xano's own takes is not known.
    pub const MAX_FRAME: usize = 1 << 20;

    /// Sets who the next connection is for.
    pub fn set_token(&mut self, token: Option<String>) {
        self.token = token.filter(|token| !token.is_empty());
    }

    /// Whether to ask the application who each connection is for, from the next one on.
    pub fn ask_for_token(&mut self, asks: bool) {
        self.asks = asks;
    }

    /// Whether the next connection is for somebody in particular.
    pub fn has_token(&self) -> bool {
        self.asks || self.token.is_some()
    }

    /// How the connection is.
    pub fn status(&self) -> &'static str {
        match self.state {
            State::Idle => "idle",
            State::Closed { .. } => "closed",
            State::Asking { .. } | State::Connecting { .. } => "connecting",
            State::Open(_) => "connected",
            State::Waiting { .. } => "waiting",
        }
    }

    /// Whether any channel is in use, and not idle.
    pub fn is_active(&self) -> bool {
        self.channels.iter().any(|channel| !channel.idle)
    }

    /// Takes a channel into use: connects if there is no connection, and joins.
    pub fn open_channel(&mut self, name: &str, options: ChannelOptions, now: u64) -> ChannelId {
        self.last_channel.0 += 1;
        let id = self.last_channel;
        match self.channels.iter_mut().find(|channel| &*channel.name == name) {
            Some(channel) => channel.open(id, options, now),
            None => {
                let mut channel = Channel::new(name.into());
                channel.open(id, options, now);
                self.channels.push(channel);
            }
        }
        self.start(name, options.history, now);
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

    /// Ends what `listen` began with the same action and function.
    pub fn unlisten(&mut self, id: ChannelId, gone: &Listener<L>)
    where
        L: PartialEq,
    {
        let Some(channel) = self.channels.iter_mut().find(|channel| channel.has(id)) else {
            return;
        };
        if !channel.unlisten(id, gone) {
            self.deliveries.retain(|delivery| {
                delivery.channel != id || Some(&delivery.listener) != gone.on_action.as_ref()
            });
        }
    }

    /// Ends the use of a channel object: from now on none of its listeners is called. The last one
    /// of a name leaves the channel, the last one of all closes the connection.
    pub fn close_channel(&mut self, id: ChannelId) {
        let Some(index) = self.channels.iter().position(|channel| channel.has(id)) else { return };
        self.deliveries.retain(|delivery| delivery.channel != id);
        self.drop_requests(id);
        if !self.channels[index].close(id) {
            return;
        }
        let channel = self.channels.remove(index);
        if !channel.idle {
            self.leave(channel.name);
        }
    }

    /// Ends the use of all channel objects.
    pub fn close_all(&mut self) {
        while let Some(id) = self.channels.first().and_then(Channel::first) {
            self.close_channel(id);
        }
    }

    /// Who is in a channel, as far as a channel object in use asked.
    pub fn presence(&self, id: ChannelId) -> &[Member<P>] {
        let channel = self.channels.iter().find(|channel| channel.has(id));
        channel.map_or(&[], |channel| channel.roster.members())
    }

    /// Whether a channel object has missed anything since its channel was last joined.
    pub fn continuity(&self, id: ChannelId) -> Continuity {
        let channel = self.channels.iter().find(|channel| channel.has(id));
        channel.map_or(Continuity::Unknown, |channel| channel.reader.continuity())
    }

    /// Replaces the connection at once, for a new token say.
    pub fn reconnect(&mut self, now: u64) {
        if !self.is_active() {
            return;
        }
        self.give_back();
        self.connect(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: u64, random: f64) {
        self.expire(now);
        self.leave_idle(now);
        self.deliver_refused();
        self.handle_retry(now, random);
        match &mut self.state {
            State::Idle | State::Closed { .. } => {}
            State::Waiting { until } if now >= *until => self.connect(now),
            State::Connecting { until } if now >= *until => {
                self.outputs.push_back(Output::Close { code: CloseCode::Normal.number() });
                self.lose(ABNORMAL, NO_ANSWER, now, random);
            }
            State::Asking { until } if now >= *until => self.lose(ABNORMAL, NO_TOKEN, now, random),
            State::Waiting { .. } | State::Asking { .. } | State::Connecting { .. } => {}
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

    /// Whether there is anything to do.
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
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
        let due = match &self.state {
            State::Idle | State::Closed { .. } => return None,
            State::Asking { until } | State::Connecting { until } | State::Waiting { until } => {
                *until
            }
            State::Open(line) => {
                let beat = line.heartbeat.as_ref().map_or(u64::MAX, Heartbeat::poll_timeout);
                beat.min(self.retry.unwrap_or(u64::MAX))
            }
        };
        let due = self.channels.iter().fold(due, |due, channel| due.min(channel.idle_at));
        (due < u64::MAX).then_some(due)
    }

    fn connect(&mut self, now: u64) {
        self.connection.0 += 1;
        if self.asks {
            self.state = State::Asking { until: now + Self::TOKEN_DEADLINE };
            let connection = self.connection;
            return self.outputs.push_back(Output::Ask { connection });
        }
        self.open(now);
    }

    fn open(&mut self, now: u64) {
        self.state = State::Connecting { until: now + Self::CONNECT_DEADLINE };
        let (connection, token) = (self.connection, self.token.clone());
        self.outputs.push_back(Output::Open { connection, token });
    }

    /// Joins all channels that are not idle, or only those whose join was put off.
    fn join_all(&mut self, only_put_off: bool) {
        for channel in &mut self.channels {
            if only_put_off && !std::mem::take(&mut channel.put_off) {
                continue;
            }
            if let Some(request) = channel.join() {
                let channel = channel.name.clone();
                self.outputs.push_back(Output::Send(Outgoing::Join { channel, request }));
            }
        }
    }

    /// Connects if there is no connection, and joins.
    fn start(&mut self, name: &str, history: bool, now: u64) {
        match self.state {
            State::Idle | State::Closed { .. } => self.connect(now),
            State::Open(_) => self.join(name, history),
            State::Asking { .. } | State::Connecting { .. } | State::Waiting { .. } => {}
        }
    }

    /// Leaves a channel that nobody uses, and hangs up behind the last one.
    fn leave(&mut self, channel: Rc<str>) {
        if matches!(self.state, State::Open(_)) {
            self.outputs.push_back(Output::Send(Outgoing::Leave { channel }));
        }
        if !self.is_active() {
            self.hang_up(CloseCode::Normal.number());
        }
    }

    /// Joins for a channel object that came to an open connection.
    fn join(&mut self, name: &str, history: bool) {
        let Some(channel) = self.channel(Some(name)) else { return };
        let name = channel.name.clone();
        let outgoing = match channel.join() {
            Some(request) => Outgoing::Join { channel: name, request },
            // The join was sent for another object of the name, which has its history.
            None if history => {
                channel.owed = false;
                Outgoing::History { channel: name }
            }
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
        self.handle_disconnect();
    }

    /// The same where another one is to follow.
    fn give_back(&mut self) {
        if matches!(self.state, State::Open(_)) {
            self.tell_disconnected(RECONNECT, "", Some(0));
        }
        self.hang_up(RECONNECT);
    }

    /// Goes on after a connection or an attempt ended that nobody asked to end.
    fn lose(&mut self, code: u16, reason: &str, now: u64, random: f64) {
        if matches!(&self.state, State::Open(line) if now - line.since >= Backoff::STABLE) {
            self.backoff.reset();
        }
        // Who can get another token comes back with it.
        let comes_back = CloseCode::reconnects(code) || (self.asks && code == TOKEN_EXPIRED);
        let retry_in = comes_back.then(|| self.backoff.next_delay(random));
        match retry_in {
            Some(delay) => self.state = State::Waiting { until: now + delay },
            None => self.give_up(code),
        }
        self.handle_disconnect();
        self.tell_disconnected(code, reason, retry_in);
    }

    /// Forgets what held for a connection that is gone.
    fn handle_disconnect(&mut self) {
        for channel in &mut self.channels {
            channel.handle_disconnect();
        }
        self.requeue();
    }

    fn tell_disconnected(&mut self, code: u16, reason: &str, retry_in: Option<u64>) {
        self.deliver_status(&Event::Disconnected { code, reason: reason.into(), retry_in });
    }

    fn deliver_status(&mut self, event: &Event<P>) {
        for channel in &self.channels {
            channel.deliver(Action::ConnectionStatus.name(), event, &mut self.deliveries);
        }
    }

    /// Whether this attempt to connect is still open.
    pub fn is_connecting(&self, connection: ConnectionId) -> bool {
        connection == self.connection && matches!(self.state, State::Connecting { .. })
    }

    fn is_asking(&self, connection: ConnectionId) -> bool {
        connection == self.connection && matches!(self.state, State::Asking { .. })
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
/// The code of a close that comes with the end of a token.
const TOKEN_EXPIRED: u16 = 4401;
/// The code of a close that makes room for a new connection.
const RECONNECT: u16 = 4000;

const NO_ANSWER: &str = "no answer within 10 seconds";
const NO_TOKEN: &str = "realtimeAuthToken() gave no token";
const SILENT: &str = "the server stopped answering";
