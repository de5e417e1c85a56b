//! The text of every frame the server sends.

use std::sync::Arc;

use protocol::{
    AckPayload, Action, ErrorPayload, EventPayload, HistoryPayload, JoinAck, PresenceAction,
    PresenceFull, PresenceUpdate, RawPayload, Recipients, RequestId, ServerFrame, ServerOptions,
};
use serde::Serialize;

use crate::engine::Joined;
use crate::publication::{Publication, Receipt};
use crate::session::Member;
use crate::settings::ChannelSettings;

pub(crate) fn join_ack(
    member: &Member,
    joined: &Joined,
    settings: &ChannelSettings,
    ping_interval: u32,
) -> Vec<u8> {
    let session_id = member.id.to_string();
    let payload = JoinAck {
        session_id: session_id.as_str(),
        epoch: &*joined.position.epoch,
        seq: joined.position.seq,
        history: settings.history.get(),
        presence: settings.presence,
        resumed: joined.resumed.as_ref().map(Result::is_ok),
        reason: joined.resumed.as_ref().and_then(|resumed| resumed.as_ref().err().copied()),
        features: FEATURES.to_vec(),
        ping_interval,
    };
    channel_frame(Action::Join, &joined.channel, Some(member), payload)
}

pub(crate) fn leave_ack(channel: &str, member: &Member) -> Vec<u8> {
    channel_frame(Action::Leave, channel, Some(member), ())
}

/// `more` is told to who asked for a part.
pub(crate) fn history(
    channel: &str,
    authenticated: bool,
    publications: &[Arc<Publication>],
    more: Option<bool>,
) -> Vec<u8> {
    let empty = HistoryPayload::<()> { history: Vec::new(), more };
    let mut frame = channel_frame(Action::History, channel, None, empty);
    let start = b"\"history\":[";
    let at = frame.windows(start.len()).rposition(|window| window == start);
    let end = frame.split_off(at.map_or(frame.len(), |at| at + start.len()));
    frame.reserve(publications.iter().map(|publication| publication.size()).sum());
    for (n, publication) in publications.iter().enumerate() {
        if n > 0 {
            frame.push(b',');
        }
        publication.write(authenticated, &mut frame);
    }
    frame.extend_from_slice(&end);
    frame
}

pub(crate) fn publication(authenticated: bool, publication: &Publication) -> Vec<u8> {
    let mut frame = Vec::with_capacity(publication.size());
    publication.write(authenticated, &mut frame);
    frame
}

pub(crate) fn ack(channel: &str, request: &RequestId, receipt: &Receipt) -> Vec<u8> {
    let options = ServerOptions::Request { channel, id: request.as_str() };
    let payload = AckPayload { id: receipt.id.as_str(), seq: receipt.seq, ts: receipt.ts };
    text(&ServerFrame { action: Action::Ack, options, client: None::<()>, payload })
}

pub(crate) fn presence_full(channel: &str, members: &[Arc<Member>]) -> Vec<u8> {
    let presence = members.iter().map(|member| &member.info).collect();
    channel_frame(Action::PresenceFull, channel, None, PresenceFull { presence })
}

pub(crate) fn presence_update(channel: &str, action: PresenceAction, member: &Member) -> Vec<u8> {
    channel_frame(
        Action::PresenceUpdate,
        channel,
        None,
        PresenceUpdate { action, presence: &member.info },
    )
}

/// A message without its closing brace: the publication's own fields follow.
pub(crate) fn message_head(
    channel: &str,
    recipients: &Recipients,
    sender: &Member,
    payload: &RawPayload,
) -> Vec<u8> {
    let session_id = match recipients {
        Recipients::Session(session_id) => Some(session_id.as_str()),
        Recipients::Everyone | Recipients::Authenticated => None,
    };
    let authenticated = *recipients == Recipients::Authenticated;
    let options = ServerOptions::Message { authenticated, session_id, channel };
    let mut frame = text(&ServerFrame {
        action: Action::Message,
        options,
        client: Some(&sender.info),
        payload,
    });
    frame.pop();
    frame
}

/// An event without its closing brace, as [`message_head`].
pub(crate) fn event_head(channel: &str, payload: &EventPayload<&RawPayload>) -> Vec<u8> {
    let options = ServerOptions::Channel { channel };
    let mut frame =
        text(&ServerFrame { action: Action::Event, options, client: None::<()>, payload });
    frame.pop();
    frame
}

pub(crate) fn error(
    channel: Option<&str>,
    request: Option<&RequestId>,
    payload: ErrorPayload<'_>,
) -> Vec<u8> {
    let options = match (channel, request) {
        (None, _) => ServerOptions::Connection {},
        (Some(channel), None) => ServerOptions::Channel { channel },
        (Some(channel), Some(request)) => ServerOptions::Request { channel, id: request.as_str() },
    };
    text(&ServerFrame { action: Action::Error, options, client: None::<()>, payload })
}

pub(crate) fn pong() -> Vec<u8> {
    br#"{"action":"pong"}"#.to_vec()
}

fn channel_frame(
    action: Action,
    channel: &str,
    client: Option<&Member>,
    payload: impl Serialize,
) -> Vec<u8> {
    let client = client.map(|member| &member.info);
    text(&ServerFrame { action, options: ServerOptions::Channel { channel }, client, payload })
}

fn text(frame: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(frame).expect("frames have only string keys")
}

/// What this server can do beyond the first version of the protocol.
const FEATURES: [&str; 5] = ["ack", "batch", "history", "ping", "resume"];
