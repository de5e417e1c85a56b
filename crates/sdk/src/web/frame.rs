//! What goes out: frames as JSON text, events as the values listeners get.

use js_sys::{JSON, Object, Reflect};
use protocol::{Action, ClientFrame, ClientOptions, ErrorCode, ErrorPayload};
use serde::Serialize;
use serde_wasm_bindgen::{preserve, to_value};
use wasm_bindgen::prelude::*;

use crate::{Event, Outgoing};

/// What a listener is called with.
pub(super) fn to_js(event: &Event<JsValue>) -> JsValue {
    let (action, options, payload) = match event {
        Event::Frame(body) => return body.clone(),
        Event::Connected => {
            let status = Status { status: "connected", code: None, reason: None, retry_in: None };
            (Action::ConnectionStatus, Object::new().into(), to_value(&status))
        }
        Event::Disconnected { code, reason, retry_in } => {
            let status = Status {
                status: "disconnected",
                code: Some(*code),
                reason: Some(reason),
                retry_in: retry_in.map(|delay| delay as u32),
            };
            (Action::ConnectionStatus, Object::new().into(), to_value(&status))
        }
        Event::QueueFull { channel, action } => {
            let code = ErrorCode::QueueFull;
            let error = ErrorPayload { message: code.message(), code, action: Some(action.name()) };
            (Action::Error, place(channel).unwrap_or_default(), to_value(&error))
        }
    };
    let seen = Seen {
        action: action.name().to_owned(),
        options,
        payload: payload.unwrap_or_default(),
        ..Seen::default()
    };
    to_value(&seen).unwrap_or_default()
}

/// The text of a frame to the server.
pub(super) fn encode(outgoing: Outgoing) -> Result<String, JsValue> {
    let (action, channel, payload) = match outgoing {
        Outgoing::Encoded(text) => return Ok(text),
        Outgoing::Ping => return stringify(Action::Ping, None, None),
        Outgoing::Join { channel, request } => (Action::Join, channel, to_value(&request)?),
        Outgoing::Leave { channel } => (Action::Leave, channel, JsValue::NULL),
        Outgoing::History { channel } => (Action::History, channel, JsValue::NULL),
    };
    stringify(action, Some(place(&channel)?), Some(payload))
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
    Reflect::set(&place, &"channel".into(), &channel.into())?;
    let payload = if payload.is_undefined() { JsValue::NULL } else { payload };
    stringify(action, Some(place.into()), Some(payload))
}

fn place(channel: &str) -> Result<JsValue, JsValue> {
    let options = ClientOptions { channel: Some(channel), ..ClientOptions::default() };
    to_value(&options).map_err(JsValue::from)
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

/// The payload of a connection status.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in: Option<u32>,
}
