//! A client's frame from JSON text to a type that cannot be wrong. The payload stays text.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object::object;
use crate::{
    Action, ChannelName, ChannelNameError, ClientOptions, ErrorCode, HistoryRequest, JoinRequest,
};

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
        /// What its sender calls it, if it wants to hear that it has arrived.
        id: Option<RequestId>,
    },
    /// Read a channel's kept publications.
    History {
        /// Which.
        channel: ChannelName,
        /// Which part; `None` for all.
        page: Option<HistoryRequest>,
    },
    /// Show that the connection lives.
    Ping,
}

/// What a client calls one of its messages: 1 to 64 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestId(Arc<str>);

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
    /// The channel as the frame has it, where it could be read: not always a legal name.
    pub channel: Option<String>,
    /// What the sender calls the message, where it is one and that could be read.
    pub request: Option<RequestId>,
}

impl<'a> ClientMessage<'a> {
    /// Reads one frame.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let frame = if text.trim_start().starts_with('[') {
            // serde would take an array for an object's fields in their order.
            Err(serde::de::Error::custom("an array, expected an object with an `action`"))
        } else {
            serde_json::from_str::<ClientFrame<'a>>(text)
        };
        let frame = frame.map_err(|error| {
            let message = format!("The frame is not a message of this protocol: {error}.");
            DecodeError::malformed(None, None, message)
        })?;
        let Some(action) = Action::parse(&frame.action) else { return Err(frame.unknown_action()) };
        match action {
            Action::Ping => return Ok(Self::Ping),
            Action::Join | Action::Leave | Action::Message | Action::History => {}
            _ => return Err(frame.unknown_action()),
        }
        let channel = frame.channel().map_err(|error| frame.invalid_channel(action, error))?;
        let malformed = |message| DecodeError::malformed(Some(action), Some(&channel), message);
        let invalid_payload = |error| {
            malformed(format!("The payload of the {} is not valid: {error}.", action.name()))
        };
        match action {
            Action::Join => {
                let request = read_payload(frame.payload).map_err(invalid_payload)?;
                Ok(Self::Join { request: request.unwrap_or_default(), channel })
            }
            Action::History => {
                let page = read_payload(frame.payload).map_err(invalid_payload)?;
                Ok(Self::History { page, channel })
            }
            Action::Leave => Ok(Self::Leave { channel }),
            _ => {
                let options = frame.options.unwrap_or_default();
                let id =
                    options.id.map(|id| RequestId::parse(&id)).transpose().map_err(malformed)?;
                let recipients = match options.session_id {
                    Some(session_id) => Recipients::Session(session_id.0.into_owned()),
                    None if options.authenticated == Some(true) => Recipients::Authenticated,
                    None => Recipients::Everyone,
                };
                Ok(Self::Message {
                    recipients,
                    payload: frame.payload.unwrap_or(RawValue::NULL),
                    id,
                    channel,
                })
            }
        }
    }
}

impl RequestId {
    /// The longest id, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Checks the length of `text`; the error is one sentence for its sender.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if (1..=Self::MAX_LENGTH).contains(&length) {
            return Ok(Self(text.into()));
        }
        Err(format!("options.id has {length} characters; 1 to {} are allowed.", Self::MAX_LENGTH))
    }

    /// What the backend calls an event, so that pushing it again is no second one. No client can
    /// take the name: its own are shorter.
    pub fn for_event(key: &str) -> Result<Self, String> {
        let length = key.chars().count();
        if (1..=Self::MAX_LENGTH).contains(&length) {
            return Ok(Self(format!("{:1$}{key}", "", Self::MAX_LENGTH).into()));
        }
        Err(format!("has {length} characters; 1 to {} are allowed", Self::MAX_LENGTH))
    }

    /// An id that was kept as [`as_str`](Self::as_str) tells it: a client's, or an event's.
    pub fn restore(text: &str) -> Option<Self> {
        (1..=2 * Self::MAX_LENGTH).contains(&text.chars().count()).then(|| Self(text.into()))
    }

    /// The id as its sender wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClientFrame<'_> {
    fn channel(&self) -> Result<ChannelName, ChannelNameError> {
        let name = self.options.as_ref().and_then(|options| options.channel.as_deref());
        ChannelName::parse(name.unwrap_or_default())
    }

    /// The name as it was sent, all of it: clients look for the listener to the error by the whole
    /// name. It is no longer than the frame that it came in.
    fn channel_as_written(&self) -> Option<String> {
        self.options.as_ref()?.channel.as_deref().map(str::to_owned)
    }

    fn request(&self) -> Option<RequestId> {
        RequestId::parse(self.options.as_ref()?.id.as_deref()?).ok()
    }

    fn invalid_channel(&self, action: Action, error: ChannelNameError) -> DecodeError {
        DecodeError {
            code: ErrorCode::InvalidChannelName,
            message: error.message().to_owned(),
            action: Some(action.name().to_owned()),
            channel: self.channel_as_written(),
            request: self.request().filter(|_| action == Action::Message),
        }
    }

    fn unknown_action(&self) -> DecodeError {
        DecodeError {
            code: ErrorCode::UnknownAction,
            message: ErrorCode::UnknownAction.message().to_owned(),
            channel: self.channel_as_written(),
            request: None,
            action: Some(self.action.chars().take(MAX_ECHOED_ACTION).collect()),
        }
    }
}

impl DecodeError {
    fn malformed(
        action: Option<Action>,
        channel: Option<&ChannelName>,
        mut message: String,
    ) -> Self {
        // The reason may quote what it found, which may be nearly the whole frame.
        if let Some((end, _)) = message.char_indices().nth(MAX_REASON) {
            message.replace_range(end.., "…");
        }
        let action = action.map(|action| action.name().to_owned());
        Self {
            code: ErrorCode::MalformedFrame,
            message,
            action,
            channel: channel.map(|channel| channel.as_str().to_owned()),
            request: None,
        }
    }
}

/// What a payload holds; `None` where it is missing or null.
fn read_payload<'a, T: Deserialize<'a>>(
    payload: Option<&'a RawValue>,
) -> Result<Option<T>, serde_json::Error> {
    let read =
        |payload: &'a RawValue| object(&mut serde_json::Deserializer::from_str(payload.get()));
    payload.map_or(Ok(None), read)
}

#[derive(Deserialize)]
#[serde(expecting = "an object with an `action`")]
struct ClientFrame<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "object")]
    options: Option<ClientOptions<Text<'a>>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// A text of the frame, copied only where it has escapes: a bare `Cow` is copied wherever it is not
/// the field itself.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
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
    fn an_array_is_no_object() {
        assert_eq!(refusal(r#" ["ping"]"#).0, ErrorCode::MalformedFrame);
        for (action, options, payload) in [
            ("join", r#"[null,"a"]"#, "null"),
            ("message", "[]", "null"),
            ("message", "7", "null"),
            ("join", r#"{"channel":"a"}"#, "[true]"),
            ("join", r#"{"channel":"a"}"#, r#""all""#),
            ("join", r#"{"channel":"a"}"#, r#"{"resume":["x",0]}"#),
            ("history", r#"{"channel":"a"}"#, "[1,2]"),
        ] {
            let text =
                format!(r#"{{"action":"{action}","options":{options},"payload":{payload}}}"#);
            let (code, message) = refusal(&text);
            assert_eq!(code, ErrorCode::MalformedFrame, "{text}");
            assert!(message.contains(", expected an object at line 1"), "{message}");
        }
    }

    #[test]
    fn flags_are_what_javascript_takes_them_for() {
        for (value, flag) in [
            ("1", true),
            ("0", false),
            ("null", false),
            ("\"\"", false),
            ("\"no\"", true),
            ("[]", true),
            ("{\"a\":[1]}", true),
            ("0.5", true),
        ] {
            let text = format!(
                r#"{{"action":"join","options":{{"channel":"a"}},"payload":{{"history":{value}}}}}"#
            );
            let message = ClientMessage::decode(&text).expect("the frame is a join");
            assert!(
                matches!(message, ClientMessage::Join { request, .. } if request.history == flag),
                "{value}"
            );
        }
    }

    #[test]
    fn an_id_that_is_no_text_is_the_applications_own() {
        for id in ["5", "null", "{\"a\":1}"] {
            let text = format!(r#"{{"action":"message","options":{{"channel":"a","id":{id}}}}}"#);
            assert!(
                matches!(ClientMessage::decode(&text), Ok(ClientMessage::Message { id: None, .. })),
                "{id}"
            );
        }
        let message =
            ClientMessage::decode(r#"{"action":"message","options":{"channel":"a","id":"x"}}"#);
        assert!(
            matches!(message, Ok(ClientMessage::Message { id: Some(id), .. }) if id.as_str() == "x")
        );
    }

    #[test]
    fn an_error_about_a_name_is_for_whoever_uses_it() {
        let long = "ä".repeat(10_000);
        for name in [" a", &long] {
            for (action, code) in
                [("join", ErrorCode::InvalidChannelName), ("dance", ErrorCode::UnknownAction)]
            {
                let text = format!(r#"{{"action":"{action}","options":{{"channel":"{name}"}}}}"#);
                let error = ClientMessage::decode(&text).expect_err("the frame is no message");
                assert_eq!((error.code, error.channel.as_deref()), (code, Some(name)));
            }
        }
    }

    #[test]
    fn an_error_about_the_name_of_a_channel_names_the_message_too() {
        let refused = |frame: &str| ClientMessage::decode(frame).expect_err("no channel").request;
        let message = r#"{"action":"message","options":{"channel":"a|b","id":"x"}}"#;
        assert_eq!(refused(message).as_ref().map(RequestId::as_str), Some("x"));
        for other in [
            r#"{"action":"message","options":{"channel":"a|b","id":""}}"#,
            r#"{"action":"join","options":{"channel":"a|b","id":"x"}}"#,
            r#"{"action":"message"}"#,
        ] {
            assert_eq!(refused(other), None, "{other}");
        }
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
