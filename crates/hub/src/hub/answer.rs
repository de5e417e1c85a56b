//! What the engine says: put into frames for whom it concerns.

use std::sync::Arc;

use protocol::{ChannelName, ErrorCode};

use super::Hub;
use crate::batch;
use crate::channel::{AudienceClass, Reading};
use crate::encode;
use crate::engine::{EngineEvent, Joined};
use crate::limit::Limit;
use crate::output::Output;
use crate::presence::PresenceChange;
use crate::session::{Member, Session, SessionKey};

impl Hub {
    /// The engine answered, or tells something new.
    pub fn handle_engine(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Joined(joined) => self.handle_joined(&joined),
            EngineEvent::Left { session, channel } => self.handle_left(session, &channel),
            EngineEvent::Published { channel, publication } => {
                if let Some(&channel) = self.names.get(&channel) {
                    self.outputs.push_back(Output::Publish { channel, publication });
                }
            }
            EngineEvent::PresenceChanged { channel, action, member } => {
                if let Some(&key) = self.names.get(&channel) {
                    let change = PresenceChange { channel, action, member };
                    self.outputs.push_back(Output::AnnouncePresence { channel: key, change });
                }
            }
            EngineEvent::Private { session, frame } => {
                if self.session(session).is_some() {
                    self.outputs.push_back(Output::Push { session, frame });
                }
            }
            EngineEvent::History { session, channel, publications, more } => {
                if let Some(member) = self.member(session) {
                    let frame =
                        encode::history(&channel, member.authenticated, &publications, more);
                    self.outputs.push_back(Output::Reply { session, frame });
                }
            }
            EngineEvent::Acked { session, channel, request, receipt } => {
                if self.session(session).is_some() {
                    let frame = encode::ack(&channel, &request, &receipt);
                    self.outputs.push_back(Output::Reply { session, frame });
                }
            }
            EngineEvent::Refused { session, channel, action, refusal, request } => {
                let limit = match refusal.code {
                    ErrorCode::RateLimited => Some(Limit::MessagesPerMinute),
                    ErrorCode::Overloaded => Some(Limit::Queue),
                    _ => None,
                };
                self.outputs.extend(limit.map(Output::LimitReached));
                self.refuse(session, (Some(&channel), request.as_ref()), Some(action), refusal);
            }
        }
    }

    fn handle_joined(&mut self, joined: &Joined) {
        let Some(&channel) = self.names.get(&joined.channel) else { return };
        let settings = Arc::clone(&self.channels[channel.0 as usize].settings);
        let ping_interval = self.limits.ping_after * 1_000;
        let session = joined.session;
        let Some(member) = self.member(session) else { return };
        let authenticated = member.authenticated;
        let mut reply = |frame| self.outputs.push_back(Output::Reply { session, frame });
        reply(encode::join_ack(&member, joined, &settings, ping_interval));
        let missed = joined.resumed.iter().flatten().flatten();
        let missed = missed.map(|publication| encode::publication(authenticated, publication));
        match joined.batch {
            true => batch::messages(missed).into_iter().for_each(&mut reply),
            false => missed.for_each(&mut reply),
        }
        if let Some(publications) = &joined.history {
            reply(encode::history(&joined.channel, authenticated, publications, None));
        }
        if let Some(members) = &joined.presence {
            reply(encode::presence_full(&joined.channel, members));
        }
        let class = AudienceClass { authenticated, presence: joined.presence.is_some() };
        let reading = Reading { class, batch: joined.batch };
        self.outputs.push_back(Output::Attach { session, channel, reading });
    }

    fn handle_left(&mut self, session: SessionKey, name: &ChannelName) {
        let Some(&channel) = self.names.get(name) else { return };
        self.exit(session, channel);
        let Some(member) = self.member(session) else { return };
        let frame = encode::leave_ack(name, &member);
        self.outputs.push_back(Output::Reply { session, frame });
    }

    fn member(&mut self, session: SessionKey) -> Option<Arc<Member>> {
        self.session(session).map(|Session { member, .. }| Arc::clone(member))
    }
}
