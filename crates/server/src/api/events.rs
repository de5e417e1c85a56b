//! Events that the backend pushes to clients: Xano's Realtime Event over HTTP.

use std::fmt;
use std::time::SystemTime;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use hub::{Draft, PublicationId};
use protocol::{ChannelName, ErrorCode, EventPayload, Permissions, RequestId, RowId};
use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::ApiError;
use super::body::{JsonBytes, Object, from_json};
use super::error::ErrorBody;
use super::meta::{Admin, Answer};
use crate::auth::parse_row_id;
use crate::engine::PushedEvent;
use crate::node::Node;

/// Says which of the two bodies it is.
#[derive(Deserialize)]
struct Shape {
    events: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchInput {
    events: Vec<Object<EventInput>>,
}

/// An event to push.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventInput {
    channel: String,
    data: Box<RawValue>,
    #[serde(default, deserialize_with = "table")]
    auth_table: u64,
    #[serde(default, deserialize_with = "row")]
    auth_id: Option<RowId>,
    idempotency_key: Option<String>,
}

/// What became of what was pushed.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EventAnswer {
    One(Delivered),
    Batch { results: Vec<BatchResult> },
}

#[derive(Serialize)]
pub(super) struct Delivered {
    delivered_local: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum BatchResult {
    Delivered(Delivered),
    Refused { error: ErrorBody },
}

pub(super) async fn push(
    State(admin): State<Admin>,
    JsonBytes(body): JsonBytes,
) -> Answer<EventAnswer> {
    match is_batch(&body) {
        true => push_batch(&admin, &body).await.map(Json),
        false => {
            let event = from_json::<EventInput>(&body)?.check()?;
            admin.push(event)?.delivered().await.map(EventAnswer::One).map(Json)
        }
    }
}

/// Pushes one event after the other, and waits for the disk once for all. Each is pushed or refused by
/// itself, unless the body is not what it should be: then none is.
async fn push_batch(admin: &Admin, body: &[u8]) -> Result<EventAnswer, ApiError> {
    let BatchInput { events } = from_json(body)?;
    if !(1..=MAX_BATCH).contains(&events.len()) {
        let message = format!("a batch has 1 to {MAX_BATCH} events, not {}", events.len());
        return Err(ApiError::field("events", message));
    }
    let check = |(index, Object(event)): (usize, Object<EventInput>)| {
        event.check().map_err(|error| error.within(&format!("events[{index}]")))
    };
    let events: Vec<_> = events.into_iter().enumerate().map(check).collect::<Result<_, _>>()?;
    let pushed: Vec<_> = events.into_iter().map(|event| admin.push(event)).collect();
    let mut results = Vec::with_capacity(pushed.len());
    for pushed in pushed {
        let result = match pushed {
            Ok(pushed) => pushed.delivered().await,
            Err(error) => Err(error),
        };
        results.push(match result {
            Ok(delivered) => BatchResult::Delivered(delivered),
            Err(error) => BatchResult::Refused { error: error.into_body() },
        });
    }
    Ok(EventAnswer::Batch { results })
}

/// An event whose fields are what they may be.
struct Event {
    channel: ChannelName,
    data: Box<RawValue>,
    target: Permissions,
    request: Option<RequestId>,
}

impl EventInput {
    fn check(self) -> Result<Event, ApiError> {
        let channel = ChannelName::parse(&self.channel)
            .map_err(|error| ApiError::field("channel", error.message()))?;
        let request = self.idempotency_key.map(|key| RequestId::for_event(&key)).transpose();
        let request = request.map_err(|error| ApiError::field("idempotency_key", error))?;
        if self.data.get().len() > MAX_DATA {
            return Err(ApiError::field("data", "has more than 1 MiB"));
        }
        if self.auth_table == 0 && self.auth_id.is_some() {
            let message = "names a record, so auth_table must name its table";
            return Err(ApiError::field("auth_id", message));
        }
        let row_id = self.auth_id.unwrap_or(RowId::NONE);
        let target = Permissions { dbo_id: self.auth_table, row_id };
        Ok(Event { channel, data: self.data, target, request })
    }
}

/// An event that is on its way.
struct Pushed(oneshot::Receiver<Result<usize, ErrorCode>>);

impl Pushed {
    async fn delivered(self) -> Result<Delivered, ApiError> {
        let delivered_local = self.0.await.map_err(|_| ApiError::Internal)??;
        Ok(Delivered { delivered_local })
    }
}

impl Admin {
    fn push(&self, event: Event) -> Result<Pushed, ApiError> {
        let Event { channel, data, target, request } = event;
        let node: &Node = self.node();
        let settings = node.settings();
        if settings.connection_hash.is_none() {
            return Err(ApiError::Input(SWITCHED_OFF.to_owned()));
        }
        let row = settings.channel(&channel).ok_or(ErrorCode::ChannelNotFound)?;
        let mut id = [0; 12];
        getrandom::fill(&mut id).map_err(|error| {
            tracing::error!(%error, "there are no random bytes for a publication's id");
            ApiError::Internal
        })?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ts = since.as_millis() as u64;
        let Permissions { dbo_id, row_id } = target.clone();
        let payload = EventPayload { data: &*data, dbo_id, row_id };
        let draft = Draft::event(&channel, &payload, PublicationId::from_random(id), ts);
        let event = PushedEvent { channel, draft, target, request, history: row.history.get() };
        let (answer, answered) = oneshot::channel();
        let tell = |result| {
            // Who asked may be gone by the time of the answer.
            let _ = answer.send(result);
        };
        node.push(event, Box::new(tell));
        Ok(Pushed(answered))
    }
}

fn is_batch(body: &Bytes) -> bool {
    serde_json::from_slice::<Shape>(body).is_ok_and(|shape| shape.events.is_some())
}

/// A table's number; 0, "" and null are none, as for Xano's own function.
fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match deserializer.deserialize_any(Named)? {
        None => Ok(0),
        Some(RowId::Number(number)) => Ok(number),
        Some(RowId::Text(_)) => {
            Err(serde::de::Error::custom("must be a table's number, not its name; 0 is none"))
        }
    }
}

/// A record's id; 0, "0", "" and null are none.
fn row<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RowId>, D::Error> {
    deserializer.deserialize_any(Named)
}

/// A number, or a text that may be one.
struct Named;

impl Visitor<'_> for Named {
    type Value = Option<RowId>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, a text, or null")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok((number != 0).then_some(RowId::Number(number)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "" | "0" => Ok(None),
            text => parse_row_id(text).map(Some).map_err(E::custom),
        }
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

const SWITCHED_OFF: &str =
    "realtime is switched off; PUT {\"enabled\": true} to the settings switches it on";
/// The most events of one batch.
const MAX_BATCH: usize = 100;
/// The most bytes of one event's data: what a client's message may have.
const MAX_DATA: usize = 1 << 20;
