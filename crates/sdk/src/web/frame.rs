//! What goes out: frames as JSON text, events as the values listeners get.

use js_sys::{JSON, JsString, Object, Reflect};
use protocol::{Action, ClientFrame, JoinRequest};
use serde::Serialize;
use serde_wasm_bindgen::{preserve, to_value};
use wasm_bindgen::prelude::*;

use crate::{Event, Outgoing, Refusal};

/// What a listener is called with.
pub(super) fn to_js(event: &Event<JsValue>) -> JsValue {
    let (action, options, payload) = match event {
        Event::Frame(body) => return body.clone(),
        Event::Connected => {
            (Action::ConnectionStatus, Fields::new(), Fields::new().with("status", "connected"))
        }
        Event::Disconnected { code, reason, retry_in } => {
            let status = Fields::new().with("status", "disconnected");
            let mut status = status.with("code", *code).with("reason", &**reason);
            if let Some(delay) = retry_in {
                status = status.with("retryIn", *delay as u32);
            }
            (Action::ConnectionStatus, Fields::new(), status)
        }
        Event::Refused { channel, action, refusal } => {
            let code = refusal.code();
            let mut message = JsString::from(code.message());
            if let Refusal::Closed(number) = refusal {
                message = message.concat(&" Close code: ".into()).concat(&(*number).into());
            }
            let error = Fields::new().with("message", message);
            let error = error.with("code", to_value(&code).unwrap_or_default());
            (Action::Error, place(channel), error.with("action", action.name()))
        }
    };
    let seen = Seen {
        action: action.name().to_owned(),
        options: options.0,
        payload: payload.0,
        ..Seen::default()
    };
    to_value(&seen).unwrap_or_default()
}

/// The text of a frame to the server.
pub(super) fn encode(outgoing: Outgoing) -> Result<String, JsValue> {
    let (action, channel, payload) = match outgoing {
        Outgoing::Encoded(text) => return Ok(text),
        Outgoing::Ping => return stringify(Action::Ping, None, None),
        Outgoing::Join { channel, request } => {
            // The client never asks to resume.
            let JoinRequest { history, presence, resume: _ } = request;
            let flags = Fields::new().with("history", history).with("presence", presence);
            (Action::Join, channel, flags.0)
        }
        Outgoing::Leave { channel } => (Action::Leave, channel, JsValue::NULL),
        Outgoing::History { channel } => (Action::History, channel, JsValue::NULL),
    };
    stringify(action, Some(place(&channel).0), Some(payload))
}

/// The text of what the application asks for. Its options go along, but the channel's name is ours.
/// Fails with what `JSON.stringify` throws.
pub(super) fn encode_request(
    action: Action,
    channel: &str,
    options: &JsValue,
    payload: JsValue,
) -> Result<String, JsValue> {
    let place = Object::new();
    if options.is_object() {
        Object::assign(&place, options.unchecked_ref());
    }
    let place = Fields(place.into()).with("channel", channel);
    let payload = if payload.is_undefined() { JsValue::NULL } else { payload };
    stringify(action, Some(place.0), Some(payload))
}

fn place(channel: &str) -> Fields {
    Fields::new().with("channel", channel)
}

fn stringify(
    action: Action,
    options: Option<JsValue>,
    payload: Option<JsValue>,
) -> Result<String, JsValue> {
    let frame = ClientFrame { action, options: options.map(Js), payload: payload.map(Js) };
    JSON::stringify(&to_value(&frame)?).map(String::from)
}

/// A value that crosses as it is.
#[derive(Serialize)]
#[serde(transparent)]
struct Js(#[serde(with = "preserve")] JsValue);

/// A frame of the server, as far as listeners see it.
#[derive(Default, Serialize)]
pub(super) struct Seen {
    pub(super) action: String,
    #[serde(with = "preserve")]
    pub(super) client: JsValue,
    #[serde(with = "preserve")]
    pub(super) options: JsValue,
    #[serde(with = "preserve")]
    pub(super) payload: JsValue,
    #[serde(skip_serializing_if = "JsValue::is_undefined", with = "preserve")]
    pub(super) id: JsValue,
    #[serde(skip_serializing_if = "JsValue::is_undefined", with = "preserve")]
    pub(super) ts: JsValue,
    #[serde(skip_serializing_if = "JsValue::is_undefined", with = "preserve")]
    pub(super) seq: JsValue,
}

/// A small object, without serde: each type that it serializes adds some hundred bytes to the module,
/// and the 64 bits of a position, which no join has yet, more than a KB.
struct Fields(JsValue);

impl Fields {
    fn new() -> Self {
        Self(Object::new().into())
    }

    fn with(self, name: &str, value: impl Into<JsValue>) -> Self {
        self.set(name, &value.into());
        self
    }

    /// Apart from `with`, because that is compiled once for each type of value.
    fn set(&self, name: &str, value: &JsValue) {
        // Setting a property of an object of our own cannot fail.
        let _ = Reflect::set(&self.0, &name.into(), value);
    }
}
