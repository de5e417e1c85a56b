//! The settings of the workspace's realtime: on or off, under which hash, with which channels.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use hub::ChannelSettings;
use serde::Deserialize;

use super::ApiError;
use super::body::{JsonBody, Object};
use super::channels::{ChannelInput, MAX_CHANNELS, TOO_MANY_CHANNELS};
use super::meta::{Admin, Answer};
use crate::store::{Realtime, Store, random_text};

/// New settings; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealtimeInput {
    enabled: Option<bool>,
    hash: Option<String>,
    channels: Option<Vec<Object<ChannelInput>>>,
}

pub(super) async fn read(State(admin): State<Admin>) -> Answer<Realtime> {
    admin.ask(Store::realtime).await.map(Json)
}

pub(super) async fn write(
    State(admin): State<Admin>,
    JsonBody(input): JsonBody<RealtimeInput>,
) -> Answer<Realtime> {
    let hash = input.hash.map(check_hash).transpose()?;
    let channels = input.channels.map(check_channels).transpose()?;
    let change = move |store: &Store| {
        let now = store.realtime()?;
        store.replace(&Realtime {
            enabled: input.enabled.unwrap_or(now.enabled),
            hash: hash.unwrap_or(now.hash),
            channels: channels.unwrap_or(now.channels),
        })
    };
    admin.change(change).await.map(Json)
}

pub(super) async fn new_hash(State(admin): State<Admin>) -> Answer<Realtime> {
    let hash = random_text::<20>().map_err(|error| {
        tracing::error!(%error, "there are no random bytes for a connection hash");
        ApiError::Internal
    })?;
    let change = move |store: &Store| store.replace(&Realtime { hash, ..store.realtime()? });
    admin.change(change).await.map(Json)
}

fn check_channels(inputs: Vec<Object<ChannelInput>>) -> Result<Vec<ChannelSettings>, ApiError> {
    if inputs.len() > MAX_CHANNELS {
        return Err(ApiError::field("channels", TOO_MANY_CHANNELS));
    }
    let mut ids = HashMap::new();
    let mut channels = Vec::with_capacity(inputs.len());
    for (index, Object(input)) in inputs.into_iter().enumerate() {
        let here = format!("channels[{index}]");
        let channel = input.check().map_err(|error| error.within(&here))?;
        // Of two rows with one id only the second would be left.
        let same = (channel.id != 0).then(|| ids.insert(channel.id, index)).flatten();
        if let Some(other) = same {
            let message = format!("channels[{other}] has the same id");
            return Err(ApiError::field("id", message).within(&here));
        }
        channels.push(channel);
    }
    Ok(channels)
}

fn check_hash(hash: String) -> Result<String, ApiError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&hash.len()) && hash.bytes().all(legal) {
        return Ok(hash);
    }
    Err(ApiError::field("hash", "must have 1 to 64 letters, digits, - and _"))
}
