//! A hub, the smallest engine that keeps one channel in memory, and the logs of its members.

use std::hint::black_box;
use std::sync::Arc;

use hub::{
    AudienceClass, ChannelSettings, EngineCommand, EngineEvent, HistorySize, Hub, Identity, Joined,
    Ledger, Limits, Member, Now, Output, Past, SessionId, SessionKey, Settings, Tally,
};
use protocol::{ChannelName, Permissions, PresenceAction, RowId};

use crate::server::log::Log;

/// One hub and everything around it.
pub(crate) struct World {
    pub(crate) hub: Hub,
    ledger: Ledger<Arc<Member>>,
    logs: [Log; AudienceClass::COUNT],
    sessions: u32,
    scratch: Vec<u8>,
    /// Somebody gets presence updates.
    is_watched: bool,
}

impl World {
    /// A world whose channels keep `history` publications.
    pub(crate) fn new(history: u32) -> Self {
        let settings = Settings::new(HASH.to_owned(), vec![row(1, "room/*", history)]);
        Self {
            hub: Hub::new(Arc::new(settings), Limits::default(), Arc::new(Tally::default()), 7),
            ledger: Ledger::new("epoch-7".into()),
            logs: Default::default(),
            sessions: 0,
            scratch: Vec::new(),
            is_watched: false,
        }
    }

    /// A session with an identity.
    pub(crate) fn open(&mut self) -> SessionKey {
        let key = SessionKey { index: self.sessions, generation: 1 };
        self.sessions += 1;
        let mut id = [7; 16];
        id[..4].copy_from_slice(&key.index.to_le_bytes());
        let permissions =
            Permissions { dbo_id: 1, row_id: RowId::Number(u64::from(self.sessions)) };
        let extras = serde_json::from_str(r#"{"name":"Wanda Maximoff"}"#).expect("this is JSON");
        let identity = Identity::Authenticated { permissions, extras };
        self.hub.handle_open(key, (SessionId::from_random(id), &identity), HASH, None, NOW);
        key
    }

    /// A session that is in [`CHANNEL`].
    pub(crate) fn member(&mut self) -> SessionKey {
        let key = self.open();
        self.text(key, &join(CHANNEL, false));
        key
    }

    /// So many more of them.
    pub(crate) fn members(&mut self, count: usize) {
        for _ in 0..count {
            self.member();
        }
    }

    /// Does all that follows from a frame of a session.
    pub(crate) fn text(&mut self, key: SessionKey, text: &str) {
        self.hub.handle_text(key, text, NOW);
        self.settle();
    }

    /// Does all that follows from what the engine tells.
    pub(crate) fn tell(&mut self, event: EngineEvent) {
        self.hub.handle_engine(event);
        self.settle();
    }

    /// The number of the newest publication.
    pub(crate) fn position(&self) -> u64 {
        self.ledger.past(true, None, None).position.seq
    }

    fn settle(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Engine(command) => self.submit(command),
                Output::Publish { publication, .. } => {
                    for authenticated in [false, true] {
                        self.scratch.clear();
                        publication.write(authenticated, &mut self.scratch);
                        for presence in [false, true] {
                            let class = AudienceClass { authenticated, presence };
                            self.logs[class.index()].push_text(&self.scratch);
                        }
                    }
                    // Every reader has got it.
                    self.logs.iter_mut().for_each(|log| log.drop_until(log.head()));
                }
                Output::Attach { reading, .. } => self.is_watched |= reading.class.presence,
                Output::AnnouncePresence { change, .. } if self.is_watched => {
                    drop(black_box(change.frame()));
                }
                output => drop(black_box(output)),
            }
        }
    }

    fn submit(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Join {
                session,
                member,
                channel,
                history,
                presence,
                resume,
                batch,
                ..
            } => {
                if self.ledger.roster.insert(member.id, Arc::clone(&member)) {
                    let member = Arc::clone(&member);
                    let (channel, action) = (channel.clone(), PresenceAction::Join);
                    self.tell(EngineEvent::PresenceChanged { channel, action, member });
                }
                let Past { position, resumed, history } =
                    self.ledger.past(member.authenticated, resume.as_ref(), history);
                let presence = presence.then(|| self.ledger.roster.iter().cloned().collect());
                let joined =
                    Joined { session, channel, position, resumed, history, presence, batch };
                self.tell(EngineEvent::Joined(Box::new(joined)));
            }
            EngineCommand::Leave { session, member, channel } => {
                let member = self.ledger.roster.remove(member);
                if let Some(session) = session {
                    self.tell(EngineEvent::Left { session, channel: channel.clone() });
                }
                if let Some(member) = member {
                    let action = PresenceAction::Leave;
                    self.tell(EngineEvent::PresenceChanged { channel, action, member });
                }
            }
            EngineCommand::Publish { session, channel, publishing } => {
                let authenticated = publishing.authenticated;
                let request = publishing.request.clone();
                let now = publishing.draft.ts;
                let known = self.ledger.receipt(request.as_ref(), now);
                let receipt = known.unwrap_or_else(|| {
                    self.ledger
                        .admit(publishing.messages_per_minute, now)
                        .expect("no limit is set");
                    let publication = self.ledger.publish(publishing);
                    let receipt = publication.receipt(authenticated);
                    self.tell(EngineEvent::Published { channel: channel.clone(), publication });
                    receipt
                });
                if let Some(request) = request {
                    self.tell(EngineEvent::Acked { session, channel, request, receipt });
                }
            }
            EngineCommand::ReadHistory {
                session, authenticated, channel, limit, before, ..
            } => {
                let (publications, more) = self.ledger.page(authenticated, before, limit);
                let more = Some(more);
                self.tell(EngineEvent::History { session, channel, publications, more });
            }
            EngineCommand::SendPrivately { .. } => panic!("no part sends privately"),
        }
    }
}

/// The frame with which a session joins `channel`.
pub(crate) fn join(channel: &str, presence: bool) -> String {
    format!(
        r#"{{"action":"join","options":{{"channel":"{channel}"}},"payload":{{"history":false,"presence":{presence}}}}}"#
    )
}

/// A row that allows everything.
pub(crate) fn row(id: u64, pattern: &str, history: u32) -> ChannelSettings {
    ChannelSettings {
        id,
        pattern: pattern.to_owned(),
        wildcard: pattern.ends_with('*'),
        enabled: true,
        presence: true,
        history: HistorySize::try_from(history).expect("a size there is"),
        client_public_messaging: true,
        ..ChannelSettings::default()
    }
}

/// The channel that is counted in.
pub(crate) fn channel() -> ChannelName {
    ChannelName::parse(CHANNEL).expect("a legal name")
}

pub(crate) const CHANNEL: &str = "room/marvel-chat-room";
pub(crate) const HASH: &str = "the-hash";
pub(crate) const NOW: Now = Now { seconds: 7, millis: 7_000, unix_ms: 1_795_300_509_671 };
