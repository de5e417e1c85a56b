//! What comes in: settings, options and frames, read field by field.
//!
//! Not by serde: its error texts alone, which nobody would see, make the module half as big again.

use js_sys::{Array, JSON, Reflect};
use protocol::{Action, PresenceAction, PresenceFull, PresenceUpdate};
use serde_wasm_bindgen::to_value;
use wasm_bindgen::prelude::*;

use super::frame::Seen;
use crate::{ChannelOptions, Config, Frame, Member, News, PingInterval};

/// The settings of an application; what is no text counts as not set.
pub(super) fn config(value: &JsValue) -> Config {
    let setting = |name| field(value, name).as_string();
    Config {
        instance_base_url: setting("instanceBaseUrl"),
        instance_base_url_by_docs: setting("instanceBaseURL"),
        api_group_base_url: setting("apiGroupBaseUrl"),
        realtime_connection_canonical: setting("realtimeConnectionCanonical"),
        realtime_canonical: setting("realtimeCanonical"),
        realtime_connection_hash: setting("realtimeConnectionHash"),
        realtime_auth_token: setting("realtimeAuthToken"),
    }
}

/// The options of a channel. A flag that is set to anything counts as JavaScript has it; one that
/// is not set keeps its default.
pub(super) fn channel_options(value: &JsValue) -> ChannelOptions {
    let flag = |name, default| {
        let flag = field(value, name);
        if flag.is_undefined() { default } else { flag.is_truthy() }
    };
    let usual = ChannelOptions::default();
    ChannelOptions {
        history: flag("history", usual.history),
        presence: flag("presence", usual.presence),
        queue_offline_actions: flag("queueOfflineActions", usual.queue_offline_actions),
    }
}

/// A frame of the server; `None` when the text is none.
pub(super) fn frame(text: &str) -> Option<Frame<JsValue>> {
    let frame = JSON::parse(text).ok().filter(JsValue::is_object)?.unchecked_into::<Envelope>();
    let seen = Seen {
        action: frame.action().as_string()?,
        client: present(frame.client()),
        options: present(frame.options()),
        // The one field in which null and nothing are not the same.
        payload: frame.payload(),
        id: present(frame.id()),
        ts: present(frame.ts()),
        seq: present(frame.seq()),
    };
    let channel = match seen.options.is_object() {
        true => present(seen.options.unchecked_ref::<Envelope>().channel()),
        false => JsValue::UNDEFINED,
    };
    let channel = if channel.is_undefined() { None } else { Some(channel.as_string()?) };
    let news = news(Action::parse(&seen.action), &seen.payload);
    Some(Frame { body: to_value(&seen).ok()?, action: seen.action, channel, news })
}

fn news(action: Option<Action>, payload: &JsValue) -> News<JsValue> {
    match action {
        Some(Action::Join) => News::Joined { ping: ping(payload) },
        Some(Action::PresenceFull) => {
            full(payload).map_or(News::MalformedPresence, News::PresenceFull)
        }
        Some(Action::PresenceUpdate) => {
            update(payload).map_or(News::MalformedPresence, News::PresenceUpdate)
        }
        Some(Action::Error) if is_about_a_join(payload) => News::JoinRefused,
        action => News::of(action),
    }
}

fn is_about_a_join(payload: &JsValue) -> bool {
    field(payload, "action").as_string().as_deref() == Some(Action::Join.name())
}

/// Xano's own server sends nothing of the kind, and offers nothing with it.
fn ping(payload: &JsValue) -> Option<PingInterval> {
    let features = field(payload, "features").dyn_into::<Array>().ok()?;
    let offered = features.includes(&"ping".into(), 0);
    PingInterval::parse(offered, field(payload, "pingInterval").as_f64()?)
}

fn full(payload: &JsValue) -> Option<PresenceFull<Member<JsValue>>> {
    let members = field(payload, "presence").dyn_into::<Array>().ok()?;
    let mut presence = Vec::new();
    for info in members.iter() {
        presence.push(member(info)?);
    }
    Some(PresenceFull { presence })
}

fn update(payload: &JsValue) -> Option<PresenceUpdate<Member<JsValue>>> {
    let action = match field(payload, "action").as_string()?.as_str() {
        "join" => PresenceAction::Join,
        "leave" => PresenceAction::Leave,
        _ => return None,
    };
    Some(PresenceUpdate { action, presence: member(field(payload, "presence"))? })
}

fn member(info: JsValue) -> Option<Member<JsValue>> {
    Some(Member { session_id: field(&info, "socketId").as_string()?, info })
}

/// A field of an object; `undefined` where it is null, or missing, or there is no object.
fn field(object: &JsValue, name: &str) -> JsValue {
    present(Reflect::get(object, &name.into()).unwrap_or_default())
}

fn present(value: JsValue) -> JsValue {
    if value.is_null() { JsValue::UNDEFINED } else { value }
}

#[wasm_bindgen]
extern "C" {
    /// What every frame has. Getters of their own, as these are read for every frame: a getter by
    /// name would carry the name over each time.
    type Envelope;

    #[wasm_bindgen(method, getter)]
    fn action(this: &Envelope) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn client(this: &Envelope) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn options(this: &Envelope) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn payload(this: &Envelope) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn id(this: &Envelope) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn ts(this: &Envelope) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn seq(this: &Envelope) -> JsValue;

    /// Of the options.
    #[wasm_bindgen(method, getter)]
    fn channel(this: &Envelope) -> JsValue;
}
