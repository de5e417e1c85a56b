//! The text of every frame the server sends.

use std::sync::Arc;

use protocol::{
    Action, ErrorCode, ErrorPayload, HistoryPayload, JoinAck, PresenceAction, PresenceFull,
    PresenceUpdate, RawPayload, Recipients, ServerFrame, ServerOptions,
};
use serde::Serialize;

use crate::engine::Joined;
use crate::publication::Publication;
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
        features: FEATURES.to_vec(),
        ping_interval,
    };
    channel_frame(Action::Join, &joined.channel, Some(member), payload)
}

pub(crate) fn leave_ack(channel: &str, member: &Member) -> Vec<u8> {
    channel_frame(Action::Leave, channel, Some(member), ())
}

pub(crate) fn history(
    channel: &str,
    authenticated: bool,
    publications: &[Arc<Publication>],
) -> Vec<u8> {
    let empty = HistoryPayload::<()> { history: Vec::new() };
    let mut frame = channel_frame(Action::History, channel, None, empty);
    let end = frame.split_off(frame.len() - b"]}}".len());
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

pub(crate) fn error(
    channel: Option<&str>,
    code: ErrorCode,
    message: &str,
    action: Option<&str>,
) -> Vec<u8> {
    let options =
        channel.map_or(ServerOptions::Connection {}, |channel| ServerOptions::Channel { channel });
    let payload = ErrorPayload { message, code, action };
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
const FEATURES: [&str; 1] = ["ping"];
