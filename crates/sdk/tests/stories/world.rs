//! Everything around the client.

use protocol::{Action, ClientFrame, ClientOptions, JoinRequest, Resume};
use sdk::{
    ChannelId, ChannelOptions, Client, ConnectionId, Event, Frame, Joined, Listener, Moment, News,
    Outgoing, Output, PingInterval, Refused, Request,
};
use serde_json::json;

pub(crate) const QUIET: ChannelOptions = ChannelOptions {
    history: false,
    presence: false,
    queue_offline_actions: true,
    idle_timeout: u64::MAX,
};

/// Payloads and listeners are just names.
pub(crate) struct World {
    pub(crate) client: Client<&'static str, &'static str>,
    pub(crate) now: u64,
    /// What comes of the next dice.
    pub(crate) random: f64,
    /// The latest socket, until the client closes it.
    pub(crate) socket: Option<ConnectionId>,
    /// Each attempt's token.
    pub(crate) opened: Vec<Option<String>>,
    /// Each attempt whose token was asked for.
    pub(crate) asked: Vec<ConnectionId>,
    sent: Vec<String>,
    warnings: Vec<&'static str>,
    untaken: Vec<Event<&'static str>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            client: Client::default(),
            now: 1_000_000,
            random: 0.5,
            socket: None,
            opened: Vec::new(),
            asked: Vec::new(),
            sent: Vec::new(),
            warnings: Vec::new(),
            untaken: Vec::new(),
        }
    }

    /// A channel object with one listener for everything that is no error.
    pub(crate) fn on(&mut self, name: &str, options: ChannelOptions, l: &'static str) -> ChannelId {
        let id = self.open_channel(name, options);
        self.listen(id, None, Some(l), None);
        id
    }

    pub(crate) fn open_channel(&mut self, name: &str, options: ChannelOptions) -> ChannelId {
        let id = self.client.open_channel(name, options, self.now);
        self.drain();
        id
    }

    pub(crate) fn listen(
        &mut self,
        id: ChannelId,
        action: Option<&str>,
        on_action: Option<&'static str>,
        on_error: Option<&'static str>,
    ) {
        self.client.listen(id, Listener { action: action.map(str::to_owned), on_action, on_error });
        self.drain();
    }

    pub(crate) fn off(&mut self, id: ChannelId, action: Option<&str>, on_action: &'static str) {
        let action = action.map(str::to_owned);
        let gone = Listener { action, on_action: Some(on_action), on_error: None };
        self.client.unlisten(id, &gone);
    }

    pub(crate) fn wait(&mut self, id: ChannelId, moment: Moment, receipt: &'static str) {
        self.client.wait(id, moment, receipt);
        self.drain();
    }

    /// The application answers the latest question for a token.
    pub(crate) fn give_token(&mut self, token: Option<&str>) {
        let attempt = *self.asked.last().unwrap();
        self.client.handle_token(attempt, token.map(str::to_owned), self.now);
        self.drain();
    }

    /// The application uses a channel object in any way.
    pub(crate) fn use_channel(&mut self, id: ChannelId) -> bool {
        let is_used = self.client.use_channel(id, self.now);
        self.drain();
        is_used
    }

    pub(crate) fn destroy(&mut self, id: ChannelId) {
        self.client.close_channel(id);
        self.drain();
    }

    pub(crate) fn message(&mut self, id: ChannelId, text: &str) {
        self.ask(id, Action::Message, text, None);
    }

    /// A request without a name, as to a server that answers none.
    pub(crate) fn ask(
        &mut self,
        id: ChannelId,
        action: Action,
        text: &str,
        receipt: Option<&'static str>,
    ) {
        let request = Request { action, text: text.to_owned(), id: None, receipt };
        self.client.send(id, request, self.now);
        self.drain();
    }

    /// A message whose name is its text, and the listener's that waits for the receipt.
    pub(crate) fn named(&mut self, channel: ChannelId, text: &'static str) {
        let id = Some(text.to_owned());
        let text = text.to_owned();
        let receipt = Some("receipt");
        let request = Request { action: Action::Message, text, id, receipt };
        self.client.send(channel, request, self.now);
        self.drain();
    }

    /// The server acknowledges a message.
    pub(crate) fn ack(&mut self, channel: &str, id: &'static str) {
        self.news("ack", Some(channel), id, News::Acked(id.to_owned()));
    }

    /// The server refuses a message for now, or for good.
    pub(crate) fn refuse(&mut self, channel: &str, id: &'static str, later: Option<u64>) {
        let refused = Refused {
            action: Some(Action::Message),
            id: Some(id.to_owned()),
            later: later.is_some(),
            retry_after: later.unwrap_or_default(),
        };
        self.news("error", Some(channel), id, News::Error(refused));
    }

    /// A publication with its number.
    pub(crate) fn publication(&mut self, channel: &str, seq: u64, body: &'static str) {
        let frame = Frame {
            action: "message",
            channel: Some(channel),
            seq: Some(seq),
            news: News::None,
            body,
        };
        self.client.handle_frame(self.socket.unwrap(), frame, self.now);
        self.drain();
    }

    /// A server with all extensions answers the join.
    pub(crate) fn joined(&mut self, channel: &str, epoch: &str, seq: u64) {
        self.answer_join(channel, answer(epoch, seq));
    }

    pub(crate) fn answer_join(&mut self, channel: &str, joined: Joined) {
        self.news("join", Some(channel), "joined", News::Joined(joined));
    }

    pub(crate) fn reconnect(&mut self) {
        self.client.reconnect(self.now);
        self.drain();
    }

    /// The browser reports that the latest socket is open.
    pub(crate) fn accept(&mut self) -> ConnectionId {
        let socket = self.socket.unwrap();
        self.client.handle_open(socket, self.now);
        self.drain();
        socket
    }

    /// A socket reports its end.
    pub(crate) fn close(&mut self, socket: ConnectionId, code: u16) {
        self.client.handle_close(socket, (code, "why"), self.now, self.random);
        self.drain();
    }

    /// The latest socket's end.
    pub(crate) fn lose(&mut self, code: u16) {
        let socket = self.socket.unwrap();
        self.close(socket, code);
    }

    pub(crate) fn frame(&mut self, action: &str, channel: Option<&str>, body: &'static str) {
        self.news(action, channel, body, News::of(Action::parse(action)));
    }

    pub(crate) fn news(
        &mut self,
        action: &str,
        channel: Option<&str>,
        body: &'static str,
        news: News<&'static str>,
    ) {
        let socket = self.socket.unwrap();
        self.news_on(socket, action, channel, body, news);
    }

    pub(crate) fn news_on(
        &mut self,
        socket: ConnectionId,
        action: &str,
        channel: Option<&str>,
        body: &'static str,
        news: News<&'static str>,
    ) {
        let frame = Frame { action, channel, seq: None, news, body };
        self.client.handle_frame(socket, frame, self.now);
        self.drain();
    }

    /// The server answers the join and offers pings.
    pub(crate) fn offer_pings(&mut self, channel: &str, interval: u32) {
        let ping = PingInterval::parse(true, f64::from(interval));
        self.answer_join(channel, Joined { ping, ..Joined::default() });
    }

    pub(crate) fn freeze(&mut self) {
        self.client.handle_freeze(self.now);
        self.drain();
    }

    pub(crate) fn wake(&mut self) {
        self.client.handle_wake(self.now);
        self.drain();
    }

    /// Time passes; every timer rings when it is due.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.client.handle_timeout(self.now, self.random);
            self.drain();
        }
        self.now = end;
    }

    /// Time passes while the page sleeps: the timer rings at the end of it.
    pub(crate) fn sleep(&mut self, millis: u64) {
        self.now += millis;
        self.client.handle_timeout(self.now, self.random);
        self.drain();
    }

    /// What was sent since the last time, as text.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    /// The warnings since the last time.
    pub(crate) fn warnings(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.warnings)
    }

    /// The errors nobody took, since the last time.
    pub(crate) fn untaken(&mut self) -> Vec<Event<&'static str>> {
        std::mem::take(&mut self.untaken)
    }

    /// What listeners heard since the last time: `listener: what`.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(delivery) = self.client.poll_delivery() {
            let what = match delivery.event {
                Event::Frame(body) => body.to_owned(),
                Event::Connected => "connected".to_owned(),
                Event::Disconnected { code, retry_in: Some(delay), .. } => {
                    format!("disconnected {code}, again in {delay}")
                }
                Event::Disconnected { code, retry_in: None, .. } => {
                    format!("disconnected {code} for good")
                }
                Event::Refused { channel, action, refusal } => {
                    format!("{refusal:?}: {} in {channel}", action.name())
                }
                Event::Missed { channel, gap } => {
                    let missed = gap.missed.map_or("?".to_owned(), |missed| missed.to_string());
                    format!("{missed} missed in {channel}: {}", gap.reason)
                }
                Event::Done => "done".to_owned(),
            };
            heard.push(format!("{}: {what}", delivery.listener));
        }
        heard
    }

    /// The same in the next turn, when the client tells what it refused.
    pub(crate) fn refusals(&mut self) -> Vec<String> {
        self.pass(0);
        self.heard()
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Open { connection, token } => {
                    self.socket = Some(connection);
                    self.opened.push(token);
                }
                Output::Ask { connection } => self.asked.push(connection),
                Output::Send(outgoing) => {
                    assert!(self.socket.is_some(), "sent {outgoing:?} without a socket");
                    self.sent.push(text(&outgoing));
                }
                Output::Close { code } => {
                    assert!(self.socket.take().is_some(), "closed what is not open");
                    self.sent.push(format!("close {code}"));
                }
                Output::Warn(warning) => self.warnings.push(warning),
                Output::Untaken(event) => self.untaken.push(event),
            }
        }
    }
}

/// The frame as the wire has it, by the same types that the browser's side uses.
fn text(outgoing: &Outgoing) -> String {
    let (action, channel, payload) = match outgoing {
        Outgoing::Encoded(text) => return text.clone(),
        Outgoing::Ping => {
            let ping = ClientFrame::<(), ()> { action: Action::Ping, options: None, payload: None };
            return serde_json::to_string(&ping).unwrap();
        }
        Outgoing::Join { channel, request } => {
            assert!(request.batch, "every join takes what comes together as one message");
            let request = JoinRequest { batch: false, ..request.clone() };
            (Action::Join, channel, serde_json::to_value(request).unwrap())
        }
        Outgoing::Leave { channel } => (Action::Leave, channel, json!(null)),
        Outgoing::History { channel } => (Action::History, channel, json!(null)),
    };
    let options = ClientOptions { channel: Some(&**channel), ..ClientOptions::default() };
    let frame = ClientFrame { action, options: Some(options), payload: Some(payload) };
    serde_json::to_string(&frame).unwrap()
}

/// The server refuses a join.
pub(crate) fn refused_join() -> News<&'static str> {
    News::Error(Refused { action: Some(Action::Join), ..Refused::default() })
}

/// The server has too much to do for a join.
pub(crate) fn join_put_off(retry_after: u64) -> News<&'static str> {
    let action = Some(Action::Join);
    News::Error(Refused { action, later: true, retry_after, ..Refused::default() })
}

/// The answer of a server with all extensions to a join that did not resume.
pub(crate) fn answer(epoch: &str, seq: u64) -> Joined {
    let position = Some(Resume { epoch: epoch.to_owned(), seq });
    Joined { acks: true, pages: true, keeps: true, position, ..Joined::default() }
}

pub(crate) fn join(channel: &str, history: bool, presence: bool) -> String {
    format!(
        r#"{{"action":"join","options":{{"channel":"{channel}"}},"payload":{{"history":{history},"presence":{presence}}}}}"#
    )
}

pub(crate) fn leave(channel: &str) -> String {
    format!(r#"{{"action":"leave","options":{{"channel":"{channel}"}},"payload":null}}"#)
}
