//! A client's frame from JSON text to a type that cannot be wrong. The payload stays text.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Action, ChannelName, ChannelNameError, ClientOptions, ErrorCode, JoinRequest};

/// A payload as the sender wrote it: valid JSON, never taken apart.
pub type RawPayload = RawValue;

/// What a client asks for.
#[derive(Debug)]
pub enum ClientMessage<'a> {
    /// Be in a channel; again while in it means with these flags.
    Join {
        /// Which.
        channel: ChannelName,
        /// What to send at once.
        request: JoinRequest,
    },
    /// No longer be in a channel.
    Leave {
        /// Which.
        channel: ChannelName,
    },
    /// Send something.
    Message {
        /// Where.
        channel: ChannelName,
        /// To whom.
        recipients: Recipients,
        /// What.
        payload: &'a RawPayload,
    },
    /// Read a channel's kept publications.
    History {
        /// Which.
        channel: ChannelName,
    },
    /// Show that the connection lives.
    Ping,
}

/// Who a client's message is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Recipients {
    /// Everybody in the channel.
    Everyone,
    /// The authenticated members.
    Authenticated,
    /// One session in the channel.
    Session(String),
}

/// Why a frame is no message: what the error message to its sender holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecodeError {
    /// The reason for programs.
    pub code: ErrorCode,
    /// The reason for people.
    pub message: String,
    /// The frame's action, where it could be read.
    pub action: Option<String>,
    /// The frame's channel, where it could be read and is a legal name.
    pub channel: Option<ChannelName>,
}

impl<'a> ClientMessage<'a> {
    /// Reads one frame.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let frame: ClientFrame<'a> = serde_json::from_str(text).map_err(|error| {
            DecodeError::malformed(
                None,
                format!("The frame is not a message of this protocol: {error}."),
            )
        })?;
        let name = frame.action;
        let action = Action::deserialize(serde::de::value::StrDeserializer::<
            serde::de::value::Error,
        >::new(&name));
        let options = frame.options.unwrap_or_default();
        let channel = || match ChannelName::parse(options.channel.as_deref().unwrap_or_default()) {
            Ok(channel) => Ok(channel),
            Err(error) => Err(DecodeError::channel_name(&name, error)),
        };
        match action {
            Ok(Action::Join) => {
                let channel = channel()?;
                let request = frame
                    .payload
                    .map_or(Ok(None), |payload| {
                        serde_json::from_str::<Option<JoinRequest>>(payload.get())
                    })
                    .map_err(|error| DecodeError {
                        channel: Some(channel.clone()),
                        ..DecodeError::malformed(
                            Some(&name),
                            format!("The payload of the join is not valid: {error}."),
                        )
                    })?;
                Ok(Self::Join { channel, request: request.unwrap_or_default() })
            }
            Ok(Action::Leave) => Ok(Self::Leave { channel: channel()? }),
            Ok(Action::Message) => Ok(Self::Message {
                channel: channel()?,
                recipients: match options.session_id {
                    Some(session_id) => Recipients::Session(session_id.into_owned()),
                    None if options.authenticated == Some(true) => Recipients::Authenticated,
                    None => Recipients::Everyone,
                },
                payload: frame.payload.unwrap_or(RawValue::NULL),
            }),
            Ok(Action::History) => Ok(Self::History { channel: channel()? }),
            Ok(Action::Ping) => Ok(Self::Ping),
            _ => Err(DecodeError {
                code: ErrorCode::UnknownAction,
                message: ErrorCode::UnknownAction.message().to_owned(),
                channel: channel().ok(),
                action: Some(name.chars().take(MAX_ECHOED_ACTION).collect()),
            }),
        }
    }
}

impl DecodeError {
    fn malformed(action: Option<&str>, mut message: String) -> Self {
        // The reason may quote what it found, which may be nearly the whole frame.
        if let Some((end, _)) = message.char_indices().nth(MAX_REASON) {
            message.replace_range(end.., "…");
        }
        Self {
            code: ErrorCode::MalformedFrame,
            message,
            action: action.map(str::to_owned),
            channel: None,
        }
    }

    fn channel_name(action: &str, error: ChannelNameError) -> Self {
        Self {
            code: ErrorCode::InvalidChannelName,
            message: error.message().to_owned(),
            action: Some(action.to_owned()),
            channel: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object with an `action`")]
struct ClientFrame<'a> {
    #[serde(borrow)]
    action: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    options: Option<ClientOptions<std::borrow::Cow<'a, str>>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// How long a reason may be, in characters.
const MAX_REASON: usize = 200;
/// How much of an unknown action's name goes back to its sender, in characters.
const MAX_ECHOED_ACTION: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (ErrorCode, String) {
        let error = ClientMessage::decode(text).expect_err("the frame is no message");
        (error.code, error.message)
    }

    #[test]
    fn a_refusal_says_where_and_does_not_repeat_everything() {
        let (code, message) = refusal(r#"{"action":"join","options":7}"#);
        assert_eq!(code, ErrorCode::MalformedFrame);
        assert!(message.contains("at line 1 column"), "{message}");
        let (_, message) =
            refusal(&format!(r#"{{"action":"join","options":"{}"}}"#, "ä".repeat(10_000)));
        assert_eq!(message.chars().count(), MAX_REASON + 1);
        assert!(message.ends_with('…'));
    }

    #[test]
    fn what_older_clients_leave_out_counts_as_nothing() {
        let text = r#"{"action":"join","options":{"channel":"a","authenticated":null,"socketId":null,"more":1}}"#;
        let message = ClientMessage::decode(text).expect("the frame is a join");
        assert!(
            matches!(message, ClientMessage::Join { request, .. } if request == JoinRequest::default())
        );
        let message = ClientMessage::decode(r#"{"action":"message","options":{"channel":"a"}}"#);
        assert!(
            matches!(message, Ok(ClientMessage::Message { payload, .. }) if payload.get() == "null")
        );
    }
}
