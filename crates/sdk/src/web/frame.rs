//! What goes out: frames as JSON text, events as the values listeners get.

use js_sys::{Function, JSON, JsString, Object, Reflect};
use protocol::{Action, ClientFrame, JoinRequest};
use serde::Serialize;
use serde_wasm_bindgen::{preserve, to_value};
use wasm_bindgen::prelude::*;

use crate::{Event, Outgoing, Refusal, Request};

/// What a listener is called with.
pub(super) fn to_js(event: &Event<JsValue>) -> JsValue {
    let (action, options, payload) = match event {
        Event::Frame(body) => return body.clone(),
        Event::Connected => {
            let status = Fields::new().with("status", "connected");
            (Action::ConnectionStatus.name(), Fields::new(), status)
        }
        Event::Disconnected { code, reason, retry_in } => {
            let status = Fields::new().with("status", "disconnected");
            let mut status = status.with("code", *code).with("reason", &**reason);
            if let Some(delay) = retry_in {
                status = status.with("retryIn", *delay as u32);
            }
            (Action::ConnectionStatus.name(), Fields::new(), status)
        }
        Event::Refused { channel, action, refusal } => {
            let mut message = JsString::from(refusal.message());
            if let Refusal::Closed(number) = refusal {
                message = message.concat(&" Close code: ".into()).concat(&(*number).into());
            }
            let error = Fields::new().with("message", message);
            let error = error.with("code", refusal.code());
            (Action::Error.name(), place(channel), error.with("action", action.name()))
        }
        Event::Missed { channel, gap } => {
            let missed = Fields::new().with("reason", &gap.reason);
            let mut missed = missed.with("from", gap.from as f64).with("to", gap.to as f64);
            if let Some(count) = gap.missed {
                missed = missed.with("missed", count as f64);
            }
            ("gap", place(channel), missed)
        }
        Event::Done => (Action::Ack.name(), Fields::new(), Fields::new()),
    };
    let seen = Seen { action, options: Js(options.0), payload: Js(payload.0) };
    to_value(&seen).unwrap_or_default()
}

/// The text of a frame to the server.
pub(super) fn encode(outgoing: Outgoing) -> Result<String, JsValue> {
    let (action, channel, payload) = match outgoing {
        Outgoing::Encoded(text) => return Ok(text),
        Outgoing::Ping => return stringify(Action::Ping, None, None),
        Outgoing::Join { channel, request } => {
            let JoinRequest { history, presence, resume, .. } = request;
            let mut flags = Fields::new().with("history", history).with("presence", presence);
            if let Some(read) = resume {
                let read = Fields::new().with("epoch", &read.epoch).with("seq", read.seq as f64);
                flags = flags.with("resume", read.0);
            }
            (Action::Join, channel, flags.0)
        }
        Outgoing::Leave { channel } => (Action::Leave, channel, JsValue::NULL),
        Outgoing::History { channel } => (Action::History, channel, JsValue::NULL),
    };
    stringify(action, Some(place(&channel).0), Some(payload))
}

/// What the application asks for. Its options go along, but the channel's name is ours, and so is the
/// `id`, unless it has one of its own. Fails with what `JSON.stringify` throws.
pub(super) fn request(
    action: Action,
    channel: &str,
    asked: Asked<'_>,
) -> Result<Request<Function>, JsValue> {
    let place = Object::new();
    if asked.options.is_object() {
        Object::assign(&place, asked.options.unchecked_ref());
    }
    let mut place = Fields(place.into()).with("channel", channel);
    if let (Some(id), false) = (asked.id, Reflect::has(&place.0, &"id".into())?) {
        place = place.with("id", id);
    }
    let id = Reflect::get(&place.0, &"id".into())?.as_string();
    let payload = if asked.payload.is_undefined() { JsValue::NULL } else { asked.payload };
    let text = stringify(action, Some(place.0), Some(payload))?;
    Ok(Request { action, text, id, receipt: asked.receipt.dyn_into().ok() })
}

/// What an application asks for, as it comes.
pub(super) struct Asked<'a> {
    pub(super) options: &'a JsValue,
    pub(super) payload: JsValue,
    /// A name for a message that shall have one.
    pub(super) id: Option<String>,
    pub(super) receipt: JsValue,
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

/// What listeners see of an event of the SDK's own.
#[derive(Serialize)]
struct Seen {
    action: &'static str,
    options: Js,
    payload: Js,
}

/// A small object, without serde: each type that it serializes adds some hundred bytes to the module,
/// and the 64 bits of a position more than a KB.
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
