//! What frames mean, read field by field.
//!
//! Not by serde: its error texts alone, which nobody would see, make the module half as big again.

use js_sys::{Array, Reflect};
use protocol::{Action, PresenceAction, PresenceFull, PresenceUpdate, Resume};
use wasm_bindgen::prelude::*;

use crate::{Joined, Member, News, PingInterval, Refused};

/// What a frame means. Of most frames, which are for the listeners alone, nothing is read.
pub(super) fn news(action: Option<Action>, frame: &JsValue) -> News<JsValue> {
    if matches!(action, None | Some(Action::Message | Action::Event)) {
        return News::None;
    }
    let (options, payload) = (&field(frame, "options"), &field(frame, "payload"));
    match action {
        Some(Action::Join) => News::Joined(joined(payload)),
        Some(Action::Ack) => field(options, "id").as_string().map_or(News::None, News::Acked),
        Some(Action::History) => News::History { page: field(payload, "more").as_bool().is_some() },
        Some(Action::PresenceFull) => {
            full(payload).map_or(News::MalformedPresence, News::PresenceFull)
        }
        Some(Action::PresenceUpdate) => {
            update(payload).map_or(News::MalformedPresence, News::PresenceUpdate)
        }
        Some(Action::Error) => News::Error(refused(options, payload)),
        action => News::of(action),
    }
}

/// Xano's own server says nothing of all this.
fn joined(payload: &JsValue) -> Joined {
    let text = |name| field(payload, name).as_string();
    let Ok(features) = field(payload, "features").dyn_into::<Array>() else {
        return Joined::default();
    };
    let offers = |feature: &str| features.includes(&feature.into(), 0);
    let interval = field(payload, "pingInterval").as_f64();
    let place = || {
        let seq = number(&field(payload, "seq"))?;
        Some(Resume { epoch: text("epoch")?, seq })
    };
    Joined {
        ping: interval.and_then(|interval| PingInterval::parse(offers("ping"), interval)),
        acks: offers("ack"),
        pages: offers("history"),
        keeps: field(payload, "history").is_truthy(),
        position: if offers("resume") { place() } else { None },
        resumed: field(payload, "resumed").is_truthy(),
        reason: text("reason"),
    }
}

fn refused(options: &JsValue, payload: &JsValue) -> Refused {
    let text = |name| field(payload, name).as_string();
    Refused {
        action: text("action").and_then(|action| Action::parse(&action)),
        id: field(options, "id").as_string(),
        later: matches!(text("code").as_deref(), Some("overloaded" | "rate_limited")),
        retry_after: number(&field(payload, "retryAfter")).unwrap_or_default(),
    }
}

/// A count: not negative, and what is beyond a count's end is that end.
fn number(value: &JsValue) -> Option<u64> {
    value.as_f64().map(|number| number as u64)
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
    let value = Reflect::get(object, &name.into()).unwrap_or_default();
    if value.is_null() { JsValue::UNDEFINED } else { value }
}
