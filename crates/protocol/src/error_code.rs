//! Codes inside error messages: what was refused and why; the connection lives on.

use serde::{Deserialize, Serialize};

/// Why the server refused something. The list is closed; PROTOCOL.md has cause and cure of each.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame was no JSON object with an `action`, or a field had the wrong type.
    MalformedFrame,
    /// No such action.
    UnknownAction,
    /// The channel name breaks the rules for names.
    InvalidChannelName,
    /// No enabled channel matches the name.
    ChannelNotFound,
    /// Anonymous clients may not join this channel.
    AnonymousJoinRefused,
    /// The session is not in the channel it acts on.
    NotJoined,
    /// The session is in as many channels as it may be.
    TooManyChannels,
    /// This kind of message is switched off in the channel.
    MessagingDisabled,
    /// Only authenticated clients may send this kind of message.
    AuthenticationRequired,
    /// The private message's recipient is not in the channel, or may not get it.
    RecipientNotFound,
    /// The channel keeps no history.
    HistoryDisabled,
    /// No such connection hash, or realtime is switched off.
    UnknownHash,
    /// The token is expired, or not one of this server's; the connection goes on as anonymous.
    InvalidToken,
    /// More came than may come in a time; this was not done.
    RateLimited,
    /// A trigger of the channel does not let the session in.
    JoinRefused,
    /// A trigger of the channel does not let the message through.
    MessageRefused,
    /// A trigger of the channel could not be asked, so nothing was done.
    TriggerFailed,
    /// The server has more to do than it may queue; the message was not sent.
    Overloaded,
    /// The server's disk takes nothing now; the message was not sent.
    StorageFailed,
    /// Made by the SDK itself, never on the wire: too much waits for a connection already.
    QueueFull,
    /// Made by the SDK itself, never on the wire: the frame is larger than a server takes.
    MessageTooLarge,
    /// Made by the SDK itself, never on the wire: the connection ended for good.
    ConnectionClosed,
}

/// The payload of an error message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ErrorPayload<'a> {
    /// One sentence for people.
    pub message: &'a str,
    /// The same for programs.
    pub code: ErrorCode,
    /// The refused message's action, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'a str>,
    /// After how many milliseconds the same would be allowed, where that is known.
    #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 22] = [
        Self::MalformedFrame,
        Self::UnknownAction,
        Self::InvalidChannelName,
        Self::ChannelNotFound,
        Self::AnonymousJoinRefused,
        Self::NotJoined,
        Self::TooManyChannels,
        Self::MessagingDisabled,
        Self::AuthenticationRequired,
        Self::RecipientNotFound,
        Self::HistoryDisabled,
        Self::UnknownHash,
        Self::InvalidToken,
        Self::RateLimited,
        Self::JoinRefused,
        Self::MessageRefused,
        Self::TriggerFailed,
        Self::Overloaded,
        Self::StorageFailed,
        Self::QueueFull,
        Self::MessageTooLarge,
        Self::ConnectionClosed,
    ];

    /// The sentence that goes with the code.
    pub const fn message(self) -> &'static str {
        match self {
            Self::MalformedFrame => "The frame is not a message of this protocol.",
            Self::UnknownAction => "Unknown action.",
            Self::InvalidChannelName => "The channel name is not valid.",
            Self::ChannelNotFound => "Channel not found.",
            Self::AnonymousJoinRefused => "Anonymous clients cannot join this channel.",
            Self::NotJoined => "You must join this channel before sending messages.",
            Self::TooManyChannels => "This connection is in too many channels.",
            Self::MessagingDisabled => "This kind of message is not enabled for this channel.",
            Self::AuthenticationRequired => {
                "Only authenticated clients can send this message in this channel."
            }
            Self::RecipientNotFound => "The recipient is not in this channel.",
            Self::HistoryDisabled => "Message history is not enabled for this channel.",
            Self::UnknownHash => "Unknown connection hash",
            Self::InvalidToken => "Invalid or expired authentication token.",
            Self::RateLimited => "Too many at once; this was not done. Try again later.",
            Self::JoinRefused => "You are not allowed to join this channel.",
            Self::MessageRefused => "This message was refused.",
            Self::TriggerFailed => "A trigger of this channel failed, so this was not done.",
            Self::Overloaded => "The server is overloaded; the message was not sent.",
            Self::StorageFailed => {
                "The server cannot store messages now; send this one again later."
            }
            Self::QueueFull => {
                "Too much waits for a connection already; this was not sent and will not be."
            }
            Self::MessageTooLarge => "The message is larger than 1 MiB and was not sent.",
            Self::ConnectionClosed => {
                "The connection was closed for good; nothing is sent until realtimeReconnect() or a new channel."
            }
        }
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;

    #[test]
    fn the_protocols_page_explains_every_code() {
        let page = include_str!("../../../PROTOCOL.md");
        for code in ErrorCode::ALL {
            let name = serde_json::to_string(&code).expect("a code is JSON").replace('"', "`");
            assert!(page.contains(&name), "{name} is missing");
        }
    }
}
