//! The declared channels, one by one.

use std::fmt;

use axum::Json;
use axum::extract::State;
use hub::{ChannelSettings, HistorySize};
use protocol::ChannelName;
use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize};

use super::body::{ChannelBody, Id, QueryOf};
use super::meta::{Admin, Answer};
use super::{ApiError, xanoscript};
use crate::store::Store;

/// A channel as administrators write it: what is left out is off, but `enabled`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelInput {
    #[serde(default)]
    id: u64,
    pattern: Option<String>,
    /// What Xano's channel endpoints call `pattern`.
    name: Option<String>,
    enabled: Option<bool>,
    /// What Xano's channel endpoints call `enabled`.
    active: Option<bool>,
    #[serde(default)]
    wildcard: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    anonymous_clients: bool,
    #[serde(default)]
    presence: bool,
    #[serde(default, deserialize_with = "history")]
    history: HistorySize,
    #[serde(default)]
    client_public_messaging: bool,
    #[serde(default)]
    client_public_messaging_authenticated_only: bool,
    #[serde(default)]
    client_authenticated_messaging: bool,
    #[serde(default)]
    client_private_messaging: bool,
    #[serde(default)]
    client_private_messaging_authenticated_only: bool,
    #[serde(default)]
    messages_per_minute: u32,
    xanoscript: Option<IgnoredAny>,
}

/// How an answer shall look.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    include_xanoscript: Flag,
}

/// Which part of the list. Other parameters, `branch` for one, mean nothing here and are ignored.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Page {
    page: usize,
    per_page: usize,
    search: String,
    include_xanoscript: Flag,
}

/// A flag in a query string.
#[derive(Clone, Copy, Default)]
struct Flag(bool);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelPage {
    items: Vec<ChannelView>,
    next_page: Option<usize>,
}

/// A channel as it is shown; with its script under the names that Xano's tools look for too.
#[derive(Serialize)]
pub(super) struct ChannelView {
    #[serde(flatten)]
    channel: ChannelSettings,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    script: Option<ScriptView>,
}

#[derive(Serialize)]
struct ScriptView {
    name: String,
    active: bool,
    xanoscript: Script,
}

#[derive(Serialize)]
struct Script {
    status: &'static str,
    value: String,
    message: &'static str,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    QueryOf(page): QueryOf<Page>,
) -> Answer<ChannelPage> {
    let (start, per_page) = page.range()?;
    let channels = admin.ask(Store::realtime).await?.channels;
    let search = page.search.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&search);
    let found = channels.into_iter().filter(|row| has(&row.pattern) || has(&row.description));
    let mut rest = found.skip(start);
    let items = rest.by_ref().take(per_page);
    let items = items.map(|row| ChannelView::new(row, page.include_xanoscript)).collect();
    let next_page = rest.next().map(|_| page.page + 1);
    Ok(Json(ChannelPage { items, next_page }))
}

pub(super) async fn add(
    State(admin): State<Admin>,
    QueryOf(view): QueryOf<View>,
    ChannelBody(channel): ChannelBody,
) -> Answer<ChannelView> {
    if channel.id != 0 {
        return Err(ApiError::field("id", "the server gives a new channel its id; leave it out"));
    }
    let change = move |store: &Store| {
        let room = store.realtime()?.channels.len() < MAX_CHANNELS;
        room.then(|| store.put_channel(&channel)).transpose()
    };
    let added = admin.change(change).await?;
    let added = added.ok_or_else(|| ApiError::Input(TOO_MANY_CHANNELS.to_owned()))?;
    Ok(Json(ChannelView::new(added, view.include_xanoscript)))
}

pub(super) async fn read(
    State(admin): State<Admin>,
    QueryOf(view): QueryOf<View>,
    Id(id): Id,
) -> Answer<ChannelView> {
    let channel = admin.ask(move |store| store.channel(id)).await?.ok_or(NO_CHANNEL)?;
    Ok(Json(ChannelView::new(channel, view.include_xanoscript)))
}

pub(super) async fn write(
    State(admin): State<Admin>,
    QueryOf(view): QueryOf<View>,
    Id(id): Id,
    ChannelBody(channel): ChannelBody,
) -> Answer<ChannelView> {
    if channel.id != 0 && channel.id != id {
        let message = format!("is {}, but the address is that of channel {id}", channel.id);
        return Err(ApiError::field("id", message));
    }
    let channel = ChannelSettings { id, ..channel };
    let change = move |store: &Store| match store.channel(id)? {
        Some(_) => store.put_channel(&channel).map(Some),
        None => Ok(None),
    };
    let written = admin.change(change).await?.ok_or(NO_CHANNEL)?;
    Ok(Json(ChannelView::new(written, view.include_xanoscript)))
}

/// The answer's body is `null`: Xano's own tools read JSON from every answer.
pub(super) async fn delete(State(admin): State<Admin>, Id(id): Id) -> Answer<()> {
    let is_there = admin.change(move |store| store.delete_channel(id)).await?;
    is_there.then_some(Json(())).ok_or(NO_CHANNEL)
}

impl ChannelInput {
    /// The same, if every field is what it may be.
    pub(super) fn check(self) -> Result<ChannelSettings, ApiError> {
        if !is_possible(self.id) {
            return Err(ApiError::field("id", "ids are at most 2^53 - 1"));
        }
        if self.xanoscript.is_some() {
            let message = "a script is written as the body, with Content-Type text/x-xanoscript";
            return Err(ApiError::field("xanoscript", message));
        }
        let pattern = one_of("pattern", self.pattern, "name", self.name)?;
        let pattern = pattern.ok_or_else(|| ApiError::field("pattern", "is missing"))?;
        if let Err(error) = ChannelName::parse(&pattern) {
            return Err(ApiError::field("pattern", format!("{pattern:?}: {}", error.message())));
        }
        let enabled = one_of("enabled", self.enabled, "active", self.active)?;
        check_description(&self.description)?;
        Ok(ChannelSettings {
            id: self.id,
            pattern,
            enabled: enabled.unwrap_or(true),
            wildcard: self.wildcard,
            description: self.description,
            anonymous_clients: self.anonymous_clients,
            presence: self.presence,
            history: self.history,
            client_public_messaging: self.client_public_messaging,
            client_public_messaging_authenticated_only: self
                .client_public_messaging_authenticated_only,
            client_authenticated_messaging: self.client_authenticated_messaging,
            client_private_messaging: self.client_private_messaging,
            client_private_messaging_authenticated_only: self
                .client_private_messaging_authenticated_only,
            messages_per_minute: self.messages_per_minute,
        })
    }
}

impl ChannelView {
    fn new(channel: ChannelSettings, Flag(include_xanoscript): Flag) -> Self {
        let script = include_xanoscript.then(|| ScriptView {
            name: channel.pattern.clone(),
            active: channel.enabled,
            xanoscript: Script { status: "ok", value: xanoscript::print(&channel), message: "" },
        });
        Self { channel, script }
    }
}

impl Page {
    /// How many channels come before it, and the most there are on it.
    fn range(&self) -> Result<(usize, usize), ApiError> {
        if self.page == 0 {
            return Err(ApiError::field("page", "pages count from 1"));
        }
        if !(1..=MAX_PER_PAGE).contains(&self.per_page) {
            return Err(ApiError::field("per_page", format!("must be 1 to {MAX_PER_PAGE}")));
        }
        Ok(((self.page - 1).saturating_mul(self.per_page), self.per_page))
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { page: 1, per_page: 50, search: String::new(), include_xanoscript: Flag(false) }
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "true" | "1" => Ok(Self(true)),
            "false" | "0" | "" => Ok(Self(false)),
            _ => Err(serde::de::Error::custom("must be true or false")),
        }
    }
}

pub(super) fn check_description(description: &str) -> Result<(), ApiError> {
    let length = description.chars().count();
    match length <= MAX_DESCRIPTION {
        true => Ok(()),
        false => Err(ApiError::field(
            "description",
            format!("has {length} characters; {MAX_DESCRIPTION} are allowed"),
        )),
    }
}

/// The value of a field that has two names, unless they disagree.
fn one_of<T: PartialEq>(
    name: &str,
    value: Option<T>,
    other_name: &str,
    other: Option<T>,
) -> Result<Option<T>, ApiError> {
    match (value, other) {
        (Some(value), Some(other)) if value != other => {
            let message = format!("is another name for `{name}`, and they differ; leave one out");
            Err(ApiError::field(other_name, message))
        }
        (value, other) => Ok(value.or(other)),
    }
}

/// A history size; Xano's own tools write it as text too.
fn history<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HistorySize, D::Error> {
    struct Size;

    impl Visitor<'_> for Size {
        type Value = HistorySize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one of 0, 25, 50, 100, 250 and 1000")
        }

        fn visit_u64<E: serde::de::Error>(self, size: u64) -> Result<HistorySize, E> {
            let size = u32::try_from(size).ok().and_then(|size| size.try_into().ok());
            size.ok_or_else(|| E::custom("must be one of 0, 25, 50, 100, 250 and 1000"))
        }

        fn visit_str<E: serde::de::Error>(self, size: &str) -> Result<HistorySize, E> {
            self.visit_u64(size.parse().unwrap_or(u64::MAX))
        }
    }

    deserializer.deserialize_any(Size)
}

/// Whether a row can have this id: JavaScript must be able to tell it from its neighbours.
pub(super) const fn is_possible(id: u64) -> bool {
    id < 1 << 53
}

const NO_CHANNEL: ApiError = ApiError::NotFound("channel with this id");
/// The most channels that may be declared.
pub(super) const MAX_CHANNELS: usize = 10_000;
/// What is told to whoever wants more.
pub(super) const TOO_MANY_CHANNELS: &str =
    "at most 10000 channels may be declared; a pattern with nested channels stands for many names";
/// The most characters of a description.
const MAX_DESCRIPTION: usize = 4_096;
/// The most channels one page lists.
const MAX_PER_PAGE: usize = 1_000;
