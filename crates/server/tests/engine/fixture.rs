//! Engines, sessions that act on them, and what these were told, in words.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hub::{
    Draft, EngineCommand, EngineEvent, Identity, Joined, Member, PublicationId, Publishing,
    SessionId, SessionKey,
};
use mio::{Poll, Token};
use protocol::{Action, ChannelName, Permissions, PresenceAction, RequestId, RowId};
use server::{Engine, Event, Inbox, MemoryEngine, PushedEvent, ShardId};
use tempfile::TempDir;

pub(crate) const A: ShardId = ShardId(0);
pub(crate) const B: ShardId = ShardId(1);

/// Two shards on one engine, and what each was told.
pub(crate) struct Fixture {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) inboxes: Vec<Arc<Inbox>>,
    // Inboxes wake a poll, which must live as long as they do.
    _polls: Vec<Poll>,
    directory: Option<Directory>,
}

/// A session that acts, with the shard it lives on.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) shard: ShardId,
    pub(crate) key: SessionKey,
    pub(crate) member: Arc<Member>,
}

/// One of each.
pub(crate) fn engines() -> Vec<Fixture> {
    vec![
        Fixture::new(|inboxes| Arc::new(MemoryEngine::new(inboxes))),
        Fixture::open(&Directory::new()),
    ]
}

/// A directory for a journal, deleted when dropped.
#[derive(Clone)]
pub(crate) struct Directory(Arc<TempDir>);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(Arc::new(TempDir::new().expect("a temporary directory can be made")))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

pub(crate) fn actor(shard: ShardId, number: u8) -> Actor {
    let member = Member::new(SessionId::from_random([number; 16]), &Identity::Anonymous);
    Actor {
        shard,
        key: SessionKey { index: number.into(), generation: 1 },
        member: Arc::new(member),
    }
}

pub(crate) fn name(channel: &str) -> ChannelName {
    ChannelName::parse(channel).expect("the test names a legal channel")
}

impl Fixture {
    pub(crate) fn new(engine: impl FnOnce(Vec<Arc<Inbox>>) -> Arc<dyn Engine>) -> Self {
        let polls: Vec<_> = (0..2).map(|_| Poll::new().expect("a poll can be made")).collect();
        let inbox = |poll: &Poll| {
            Arc::new(Inbox::new(poll.registry(), Token(0)).expect("an inbox can be made"))
        };
        let inboxes: Vec<_> = polls.iter().map(inbox).collect();
        Self { engine: engine(inboxes.clone()), inboxes, _polls: polls, directory: None }
    }

    /// An engine that goes on with the journal in `directory`.
    pub(crate) fn open(directory: &Directory) -> Self {
        let open =
            |inboxes| MemoryEngine::open(inboxes, directory.path(), MemoryEngine::MAX_KEPT_BYTES);
        let engine = Self::new(|inboxes| open(inboxes).expect("the journal can be read"));
        Self { directory: Some(directory.clone()), ..engine }
    }

    /// Waits until what was published so far is safe: then its senders are told.
    fn settle(&self) {
        let (tell, told) = mpsc::channel();
        let event = PushedEvent {
            channel: name("settle"),
            draft: draft("settle"),
            target: Permissions { dbo_id: 0, row_id: RowId::NONE },
            request: None,
            history: 25,
        };
        self.engine.push(event, Box::new(move |result| tell.send(result).expect("the test waits")));
        let result = told.recv_timeout(PATIENCE).expect("the disk answers");
        result.expect("the journal has room");
    }

    pub(crate) fn join(&self, actor: &Actor, channel: &str, history: Option<u32>) {
        let command = EngineCommand::Join {
            session: actor.key,
            member: Arc::clone(&actor.member),
            channel: name(channel),
            history,
            presence: true,
            resume: None,
            batch: false,
            announce: true,
        };
        self.engine.submit(actor.shard, command);
    }

    pub(crate) fn leave(&self, actor: &Actor, channel: &str) {
        let (session, member) = (Some(actor.key), actor.member.id);
        self.engine
            .submit(actor.shard, EngineCommand::Leave { session, member, channel: name(channel) });
    }

    pub(crate) fn publish(
        &self,
        actor: &Actor,
        channel: &str,
        text: &str,
        authenticated_only: bool,
    ) {
        let command = EngineCommand::Publish {
            session: actor.key,
            channel: name(channel),
            publishing: publishing(draft(text), None, authenticated_only),
        };
        self.engine.submit(actor.shard, command);
    }

    /// Publishes where nothing is kept.
    pub(crate) fn publish_unkept(&self, actor: &Actor, channel: &str, text: &str) {
        let publishing = Publishing { history: 0, ..publishing(draft(text), None, false) };
        let (session, channel) = (actor.key, name(channel));
        self.engine.submit(actor.shard, EngineCommand::Publish { session, channel, publishing });
    }

    /// What the shard was told since it was last asked, in words.
    pub(crate) fn told(&self, shard: ShardId) -> Vec<String> {
        if self.directory.is_some() {
            self.settle();
        }
        let mut events = Vec::new();
        self.inboxes[shard.0].take(&mut events);
        events.into_iter().map(words).collect()
    }
}

pub(crate) fn draft(text: &str) -> Draft {
    Draft::new(
        PublicationId::from_random([0; 12]),
        5,
        format!(r#"{{"payload":"{text}""#).into_bytes(),
    )
}

pub(crate) fn publishing(
    draft: Draft,
    request: Option<RequestId>,
    authenticated_only: bool,
) -> Publishing {
    Publishing {
        draft,
        request,
        authenticated: false,
        authenticated_only,
        history: 25,
        messages_per_minute: 0,
    }
}

fn words(event: Event) -> String {
    let Event::Engine(event) = event else { panic!("engines send engine events") };
    let numbers = |publications: &[Arc<hub::Publication>]| {
        let frame = |publication: &Arc<hub::Publication>| {
            let mut frame = Vec::new();
            publication.write(false, &mut frame);
            short(&frame)
        };
        publications.iter().map(frame).collect::<Vec<_>>().join(" ")
    };
    match event {
        EngineEvent::Joined(joined) => {
            let Joined { session, position, history, presence, .. } = *joined;
            let history =
                history.map_or("none".to_owned(), |history| format!("[{}]", numbers(&history)));
            let here = presence.map_or(0, |members| members.len());
            format!("{} joined at {}, history {history}, {here} here", session.index, position.seq)
        }
        EngineEvent::Left { session, .. } => format!("{} left", session.index),
        EngineEvent::Published { publication, .. } => numbers(&[publication]),
        EngineEvent::PresenceChanged { action, member, .. } => {
            let action = if action == PresenceAction::Join { "came" } else { "went" };
            format!("{} {action}", if member.id == actor(A, 1).member.id { "1" } else { "another" })
        }
        EngineEvent::Private { session, frame } => {
            format!("{} gets {}", session.index, short(&frame))
        }
        EngineEvent::History { session, publications, .. } => {
            format!("{} reads [{}]", session.index, numbers(&publications))
        }
        EngineEvent::Acked { session, request, receipt, .. } => {
            format!("{} acked {}: {:?}", session.index, request.as_str(), receipt.seq)
        }
        EngineEvent::Refused { session, action, refusal, .. } => {
            assert_eq!(action, Action::Message);
            format!("{} refused: {:?}", session.index, refusal.code)
        }
    }
}

/// A publication's text and number: `hi#1`; `-` for one the reader may not see.
fn short(frame: &[u8]) -> String {
    if frame.is_empty() {
        return "-".to_owned();
    }
    let frame: serde_json::Value = serde_json::from_slice(frame).expect("frames are JSON");
    let text = frame["payload"].as_str().expect("the test sends text");
    frame["seq"].as_u64().map_or(text.to_owned(), |seq| format!("{text}#{seq}"))
}

const PATIENCE: Duration = Duration::from_secs(10);
