//! A hub with clients that remember what they read, and the smallest engine that keeps the contract.

mod asked;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use hub::{
    AudienceClass, ChannelKey, ChannelSettings, EngineCommand, EngineEvent, HistorySize, Hub,
    Identity, Joined, Ledger, Limit, Limits, Member, Now, Output, Past, Publication, Receipt,
    SessionId, SessionKey, Settings, Tally,
};
use protocol::{
    Action, ChannelName, CloseCode, ErrorCode, Permissions, PresenceAction, RequestId, RowId,
};
use serde_json::Value;

pub(crate) use self::asked::Asked;

/// A client of the world, by number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Client(usize);

/// One hub and everything around it.
pub(crate) struct World {
    hub: Hub,
    settings: Arc<Settings>,
    limits: Limits,
    tally: Arc<Tally>,
    now: Now,
    engine: HashMap<String, Channel>,
    held: Option<VecDeque<EngineCommand>>,
    calls: VecDeque<Asked>,
    clients: Vec<Person>,
    free: Vec<u32>,
    generation: u32,
    reached: Vec<Limit>,
}

type Channel = Ledger<(SessionKey, Arc<Member>, bool)>;

struct Person {
    key: SessionKey,
    id: SessionId,
    frames: Vec<String>,
    listens: HashMap<ChannelKey, AudienceClass>,
    pings: usize,
    closed: Option<CloseCode>,
}

const HASH: &str = "the-hash";

impl World {
    pub(crate) const CHANNELS_PER_SESSION: usize = 5;
    /// When every story begins, in milliseconds since 1970.
    pub(crate) const START_MS: u64 = 1_000;
    pub(crate) const WAITING: usize = 6;
    pub(crate) const WAITING_BYTES: usize = 1_000;

    pub(crate) fn new(channels: Vec<ChannelSettings>) -> Self {
        Self::limited(channels, Limits::default())
    }

    pub(crate) fn limited(channels: Vec<ChannelSettings>, limits: Limits) -> Self {
        let limits = Limits {
            channels_per_session: Self::CHANNELS_PER_SESSION,
            waiting_per_session: Self::WAITING,
            waiting_bytes: Self::WAITING_BYTES,
            ..limits
        };
        Self::of(Arc::new(Settings::new(HASH.to_owned(), channels)), limits, Arc::default())
    }

    /// Another hub of the same node, with clients and an engine of its own.
    pub(crate) fn beside(&self) -> Self {
        Self::of(Arc::clone(&self.settings), self.limits, Arc::clone(&self.tally))
    }

    fn of(settings: Arc<Settings>, limits: Limits, tally: Arc<Tally>) -> Self {
        Self {
            hub: Hub::new(Arc::clone(&settings), limits, Arc::clone(&tally), 7),
            settings,
            limits,
            tally,
            now: Now { seconds: 0, millis: 0, unix_ms: Self::START_MS },
            engine: HashMap::new(),
            held: None,
            calls: VecDeque::new(),
            clients: Vec::new(),
            free: Vec::new(),
            generation: 0,
            reached: Vec::new(),
        }
    }

    pub(crate) fn channel(
        pattern: &str,
        change: impl FnOnce(&mut ChannelSettings),
    ) -> ChannelSettings {
        let mut row = ChannelSettings {
            pattern: pattern.to_owned(),
            enabled: true,
            ..ChannelSettings::default()
        };
        change(&mut row);
        row
    }

    pub(crate) fn history(size: u32) -> HistorySize {
        HistorySize::try_from(size).expect("the test names a size there is")
    }

    pub(crate) fn anonymous(&mut self) -> Client {
        self.open(&Identity::Anonymous, HASH)
    }

    pub(crate) fn authenticated(&mut self, row: u64) -> Client {
        let permissions = Permissions { dbo_id: 1, row_id: RowId::Number(row) };
        let extras = serde_json::from_str(r#"{"name":"hero"}"#).expect("the extras are JSON");
        self.open(&Identity::Authenticated { permissions, extras }, HASH)
    }

    pub(crate) fn connect_to(&mut self, hash: &str) -> Client {
        self.open(&Identity::Anonymous, hash)
    }

    fn open(&mut self, identity: &Identity, hash: &str) -> Client {
        let index = self.free.pop().unwrap_or(self.clients.len() as u32);
        self.generation += 1;
        let key = SessionKey { index, generation: self.generation };
        let id = SessionId::from_random([self.generation as u8; 16]);
        let person =
            Person { key, id, frames: vec![], listens: HashMap::new(), pings: 0, closed: None };
        self.clients.push(person);
        self.hub.handle_open(key, (id, identity), hash, None, self.now);
        self.settle();
        Client(self.clients.len() - 1)
    }

    pub(crate) fn text(&mut self, client: Client, text: &str) {
        self.hub.handle_text(self.clients[client.0].key, text, self.now);
        self.settle();
    }

    pub(crate) fn join(&mut self, client: Client, channel: &str) {
        self.join_with(client, channel, r#"{"history":false,"presence":false}"#);
    }

    pub(crate) fn join_with(&mut self, client: Client, channel: &str, payload: &str) {
        self.text(
            client,
            &format!(
                r#"{{"action":"join","options":{{"channel":"{channel}"}},"payload":{payload}}}"#
            ),
        );
    }

    pub(crate) fn leave(&mut self, client: Client, channel: &str) {
        self.text(
            client,
            &format!(r#"{{"action":"leave","options":{{"channel":"{channel}"}},"payload":null}}"#),
        );
    }

    /// `more` continues the options: `,"authenticated":true`, say.
    pub(crate) fn message(&mut self, client: Client, channel: &str, more: &str, payload: &str) {
        let options = format!(r#"{{"channel":"{channel}"{more}}}"#);
        self.text(
            client,
            &format!(r#"{{"action":"message","options":{options},"payload":{payload}}}"#),
        );
    }

    pub(crate) fn disconnect(&mut self, client: Client) {
        let key = self.clients[client.0].key;
        self.hub.handle_close(key);
        self.settle();
        self.free.push(key.index);
    }

    pub(crate) fn change_settings(&mut self, channels: Vec<ChannelSettings>) {
        self.hub.handle_settings(Arc::new(Settings::new(HASH.to_owned(), channels)));
        self.settle();
    }

    pub(crate) fn switch_off(&mut self) {
        self.hub.handle_settings(Arc::new(Settings::default()));
        self.settle();
    }

    pub(crate) fn drain(&mut self, passed: f64) {
        self.hub.handle_drain(passed);
        self.settle();
    }

    pub(crate) fn tick(&mut self, second: u32) {
        let millis = u64::from(second) * 1_000;
        self.now = Now { seconds: second, millis, unix_ms: Self::START_MS + millis };
        self.hub.handle_tick(self.now);
        self.settle();
    }

    /// Lets time pass without a tick.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.millis += millis;
        self.now.unix_ms += millis;
        self.now.seconds = (self.now.millis / 1_000) as u32;
    }

    /// The bytes of requests that wait for triggers, on all of the node.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.tally.waiting_bytes()
    }

    /// The limits that were reached since this was last asked.
    pub(crate) fn take_reached(&mut self) -> Vec<Limit> {
        std::mem::take(&mut self.reached)
    }

    /// The client's identity ends when this many seconds have ticked.
    pub(crate) fn expire(&mut self, client: Client, second: u64) {
        let key = self.clients[client.0].key;
        self.hub.handle_expiry(key, Self::START_MS + second * 1_000);
        self.settle();
    }

    pub(crate) fn sign_of_life(&mut self, client: Client) {
        self.hub.handle_sign_of_life(self.clients[client.0].key, self.now);
    }

    /// Lets commands wait, as they do when the engine is on another machine.
    pub(crate) fn hold_engine(&mut self) {
        self.held = Some(VecDeque::new());
    }

    /// The engine refuses a message that the client has sent to a channel.
    pub(crate) fn refuse(&mut self, client: Client, channel: &str, code: ErrorCode) {
        let (session, action) = (self.clients[client.0].key, Action::Message);
        let channel = ChannelName::parse(channel).expect("the test names a legal channel");
        let refusal = code.into();
        self.hub.handle_engine(EngineEvent::Refused {
            session,
            channel,
            action,
            refusal,
            request: None,
        });
        self.settle();
    }

    pub(crate) fn release_engine(&mut self) {
        for command in self.held.take().unwrap_or_default() {
            self.carry_out(command);
        }
        self.settle();
    }

    /// What the client has read since it was last asked.
    pub(crate) fn read(&mut self, client: Client) -> Vec<String> {
        std::mem::take(&mut self.clients[client.0].frames)
    }

    pub(crate) fn clear(&mut self) {
        self.clients.iter_mut().for_each(|client| client.frames.clear());
    }

    pub(crate) fn take_pings(&mut self, client: Client) -> usize {
        std::mem::take(&mut self.clients[client.0].pings)
    }

    pub(crate) fn closed(&self, client: Client) -> Option<CloseCode> {
        self.clients[client.0].closed
    }

    pub(crate) fn id(&self, client: Client) -> SessionId {
        self.clients[client.0].id
    }

    pub(crate) fn place(&self, client: Client) -> u32 {
        self.clients[client.0].key.index
    }

    pub(crate) fn is_empty(&self, channel: &str) -> bool {
        self.engine.get(channel).is_none_or(|channel| channel.roster.is_empty())
    }

    fn settle(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Reply { session, frame }
                | Output::Push { session, frame }
                | Output::Refuse { session, frame, .. } => {
                    self.deliver(session, frame);
                }
                Output::Attach { session, channel, reading } => {
                    self.person(session).listens.insert(channel, reading.class);
                }
                Output::Detach { session, channel } => {
                    self.person(session).listens.remove(&channel);
                }
                Output::Publish { channel, publication } => self.publish(channel, &publication),
                Output::AnnouncePresence { channel, change } => {
                    let frame = change.frame();
                    for person in &mut self.clients {
                        if person.listens.get(&channel).is_some_and(|class| class.presence) {
                            person
                                .frames
                                .push(String::from_utf8(frame.clone()).expect("frames are text"));
                        }
                    }
                }
                Output::Engine(command) => match &mut self.held {
                    Some(held) => held.push_back(command),
                    None => self.carry_out(command),
                },
                Output::LimitReached(limit) => self.reached.push(limit),
                Output::Call { call, trigger, input } => {
                    let input = serde_json::from_slice(&input).expect("the input is JSON");
                    self.calls.push_back(Asked { call, trigger: trigger.id, input });
                }
                Output::Resume(session) => {
                    while self.hub.handle_waiting(session, self.now) {
                        self.settle();
                    }
                }
                Output::Ping(session) => self.person(session).pings += 1,
                Output::Close { session, code } => self.person(session).closed = Some(code),
            }
        }
    }

    fn publish(&mut self, channel: ChannelKey, publication: &Publication) {
        for person in &mut self.clients {
            let Some(class) = person.listens.get(&channel) else { continue };
            let mut frame = Vec::new();
            if publication.write(class.authenticated, &mut frame) {
                person.frames.push(String::from_utf8(frame).expect("frames are text"));
            }
        }
    }

    fn deliver(&mut self, session: SessionKey, frame: Vec<u8>) {
        self.person(session).frames.push(String::from_utf8(frame).expect("frames are text"));
    }

    fn person(&mut self, key: SessionKey) -> &mut Person {
        self.clients
            .iter_mut()
            .find(|person| person.key == key)
            .expect("the session was opened here")
    }

    fn carry_out(&mut self, command: EngineCommand) {
        for event in self.answer(command) {
            self.hub.handle_engine(event);
        }
    }

    fn answer(&mut self, command: EngineCommand) -> Vec<EngineEvent> {
        let mut events = Vec::new();
        match command {
            EngineCommand::Join {
                session,
                member,
                channel: name,
                history,
                presence,
                announce,
                resume,
                batch,
            } => {
                let channel = ledger(&mut self.engine, &name);
                if channel.roster.insert(member.id, (session, Arc::clone(&member), announce))
                    && announce
                {
                    let (channel, action, member) =
                        (name.clone(), PresenceAction::Join, Arc::clone(&member));
                    events.push(EngineEvent::PresenceChanged { channel, action, member });
                }
                let Past { position, resumed, history } =
                    channel.past(member.authenticated, resume.as_ref(), history);
                let members = channel.roster.iter().map(|(_, member, _)| member.clone());
                let presence = presence.then(|| members.collect());
                let joined =
                    Joined { session, channel: name, position, resumed, history, presence, batch };
                events.push(EngineEvent::Joined(Box::new(joined)));
            }
            EngineCommand::Leave { session, member, channel: name } => {
                let left = ledger(&mut self.engine, &name).roster.remove(member);
                events.extend(
                    session.map(|session| EngineEvent::Left { session, channel: name.clone() }),
                );
                if let Some((_, member, true)) = left {
                    let action = PresenceAction::Leave;
                    events.push(EngineEvent::PresenceChanged { channel: name, action, member });
                }
            }
            EngineCommand::Publish { session, channel: name, publishing } => {
                let channel = ledger(&mut self.engine, &name);
                let (request, authenticated) =
                    (publishing.request.clone(), publishing.authenticated);
                let mut receipt = channel.receipt(request.as_ref(), publishing.draft.ts);
                if receipt.is_none() {
                    let (per_minute, now) = (publishing.messages_per_minute, publishing.draft.ts);
                    if let Err(refusal) = channel.admit(per_minute, now) {
                        let action = Action::Message;
                        return vec![EngineEvent::Refused {
                            session,
                            channel: name,
                            action,
                            refusal,
                            request,
                        }];
                    }
                    let publication = channel.publish(publishing);
                    receipt = Some(publication.receipt(authenticated));
                    events.push(EngineEvent::Published { channel: name.clone(), publication });
                }
                events.extend(acked(session, name, request, receipt));
            }
            EngineCommand::SendPrivately {
                session,
                channel: name,
                recipient,
                draft,
                request,
                messages_per_minute,
                ..
            } => {
                let channel = ledger(&mut self.engine, &name);
                if let Err(refusal) = channel.admit(messages_per_minute, draft.ts) {
                    let action = Action::Message;
                    return vec![EngineEvent::Refused {
                        session,
                        channel: name,
                        action,
                        refusal,
                        request,
                    }];
                }
                let Some((recipient, ..)) = channel.roster.get(recipient).cloned() else {
                    let action = Action::Message;
                    let refusal = ErrorCode::RecipientNotFound.into();
                    return vec![EngineEvent::Refused {
                        session,
                        channel: name,
                        action,
                        refusal,
                        request,
                    }];
                };
                let receipt = channel.note_private(&draft, request.clone());
                events.push(EngineEvent::Private {
                    session: recipient,
                    frame: draft.into_private_frame(),
                });
                events.extend(acked(session, name, request, receipt));
            }
            EngineCommand::ReadHistory {
                session,
                authenticated,
                channel: name,
                limit,
                before,
                is_page,
            } => {
                let (publications, more) =
                    ledger(&mut self.engine, &name).page(authenticated, before, limit);
                let more = is_page.then_some(more);
                events.push(EngineEvent::History { session, channel: name, publications, more });
            }
        }
        events
    }
}

fn ledger<'a>(engine: &'a mut HashMap<String, Channel>, name: &str) -> &'a mut Channel {
    engine.entry(name.to_owned()).or_insert_with(|| Ledger::new("epoch".into()))
}

fn acked(
    session: SessionKey,
    channel: ChannelName,
    request: Option<RequestId>,
    receipt: Option<Receipt>,
) -> Option<EngineEvent> {
    Some(EngineEvent::Acked { session, channel, request: request?, receipt: receipt? })
}

/// Frames as the contract has them.
impl World {
    fn client(&self, client: Client) -> String {
        let id = self.id(client);
        format!(r#"{{"socketId":"{id}","extras":{{}},"permissions":{{"dbo_id":0,"row_id":0}}}}"#)
    }

    /// A public message as it reads without its `id`, which is random: see [`same`].
    pub(crate) fn message_frame(
        &self,
        sender: Client,
        channel: &str,
        text: &str,
        seq: u64,
    ) -> Frame {
        let client = self.client(sender);
        Frame(format!(
            r#"{{"action":"message","options":{{"authenticated":false,"socketId":null,"channel":"{channel}"}},"client":{client},"payload":"{text}","ts":1000,"seq":{seq}}}"#
        ))
    }

    pub(crate) fn history_frame(channel: &str, entries: &[Frame]) -> String {
        let entries = entries.iter().map(|frame| frame.0.as_str()).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"action":"history","options":{{"channel":"{channel}"}},"client":null,"payload":{{"history":[{entries}]}}}}"#
        )
    }

    pub(crate) fn presence_full(&self, channel: &str, members: &[Client]) -> String {
        let members =
            members.iter().map(|member| self.client(*member)).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"action":"presence_full","options":{{"channel":"{channel}"}},"client":null,"payload":{{"presence":[{members}]}}}}"#
        )
    }

    pub(crate) fn presence_update(&self, channel: &str, action: &str, member: Client) -> String {
        let member = self.client(member);
        format!(
            r#"{{"action":"presence_update","options":{{"channel":"{channel}"}},"client":null,"payload":{{"action":"{action}","presence":{member}}}}}"#
        )
    }

    pub(crate) fn leave_ack(&self, channel: &str, leaver: Client) -> String {
        let client = self.client(leaver);
        format!(
            r#"{{"action":"leave","options":{{"channel":"{channel}"}},"client":{client},"payload":null}}"#
        )
    }
}

/// A frame to compare with, apart from publication ids.
#[derive(Clone, Debug)]
pub(crate) struct Frame(String);

impl PartialEq<Frame> for String {
    fn eq(&self, other: &Frame) -> bool {
        same(self, &other.0)
    }
}

/// Whether two frames are the same, apart from publication ids.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let strip = |text: &str| {
        let mut value: Value = serde_json::from_str(text).expect("frames are JSON");
        let entries =
            value.pointer_mut("/payload/history").and_then(Value::as_array_mut).map(std::mem::take);
        let mut frames: Vec<Value> = entries.unwrap_or_default();
        frames.push(value);
        for frame in &mut frames {
            let id = frame.as_object_mut().and_then(|frame| frame.remove("id"));
            assert!(
                id.is_none_or(|id| id.as_str().is_some_and(|id| id.len() == 16)),
                "an id has 16 characters"
            );
        }
        frames
    };
    strip(a) == strip(b)
}

/// The frames' actions.
pub(crate) fn actions(frames: &[String]) -> Vec<String> {
    let action = |frame: &String| {
        let value: Value = serde_json::from_str(frame).expect("frames are JSON");
        value["action"].as_str().expect("every frame has an action").to_owned()
    };
    frames.iter().map(action).collect()
}

/// The text payloads of messages, each with its `seq`.
pub(crate) fn sequence(frames: &[String]) -> Vec<(&str, u64)> {
    let part = |frame: &'_ str, from: &str, to: &str| {
        let start = frame.find(from).expect("the field is there") + from.len();
        start..start + frame[start..].find(to).expect("the field ends")
    };
    let entry = |frame: &'_ String| {
        let seq = frame[part(frame, "\"seq\":", "}")].parse().expect("a seq is a number");
        (part(frame, "\"payload\":\"", "\""), seq)
    };
    frames
        .iter()
        .map(|frame| (entry(frame), frame))
        .map(|((text, seq), frame)| (&frame[text], seq))
        .collect()
}
