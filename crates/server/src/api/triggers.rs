//! The Metadata API's triggers: who is asked before something happens in a channel.

use axum::Json;
use axum::extract::State;
use hub::{Secret, TriggerActions};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::{Id, JsonBody, QueryOf};
use super::meta::{Admin, Answer};
use crate::outbound::{Reach, UrlError, parse_url};
use crate::store::{Store, StoreError, TriggerRow, TriggerSettings, random_text};
use crate::trigger::{SECRET_LENGTH, show};

/// A trigger as administrators write it: what is left out is empty or off, but `active`. What the
/// server decides may be there too and is ignored, so that what was read can be written back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TriggerInput {
    channel_id: u64,
    name: String,
    url: String,
    #[serde(default)]
    description: String,
    #[serde(default = "yes")]
    active: bool,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    actions: TriggerActions,
    #[serde(default, rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(default, rename = "created_at")]
    _created_at: Option<IgnoredAny>,
    #[serde(default, rename = "updated_at")]
    _updated_at: Option<IgnoredAny>,
    #[serde(default, rename = "guid")]
    _guid: Option<IgnoredAny>,
}

/// A trigger whose secret is new, and shown this once.
#[derive(Serialize)]
pub(super) struct WithSecret {
    #[serde(flatten)]
    trigger: TriggerRow,
    secret: String,
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Page {
    page: usize,
    per_page: usize,
    search: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TriggerPage {
    items: Vec<TriggerRow>,
    next_page: Option<usize>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    QueryOf(page): QueryOf<Page>,
) -> Answer<TriggerPage> {
    let triggers = admin.ask(Store::triggers).await?;
    let per_page = page.per_page.clamp(1, MAX_PER_PAGE);
    let start = page.page.saturating_sub(1).saturating_mul(per_page);
    let found = |trigger: &TriggerRow| trigger.settings.name.contains(&page.search);
    let mut rest = triggers.into_iter().filter(found).skip(start);
    let items = rest.by_ref().take(per_page).collect();
    let next_page = rest.next().map(|_| page.page + 1);
    Ok(Json(TriggerPage { items, next_page }))
}

pub(super) async fn add(
    State(admin): State<Admin>,
    JsonBody(input): JsonBody<TriggerInput>,
) -> Answer<WithSecret> {
    let (channel_id, settings) = input.check(admin.node().reach())?;
    let (secret, guid) = (random_secret()?, random_text::<20>().map_err(no_randomness)?);
    let shown = show(&secret);
    let change = move |store: &Store| {
        if let Some(error) = misplaced(store, channel_id, None)? {
            return Ok(Err(error));
        }
        store.add_trigger((channel_id, &settings), &guid, &secret).map(Ok)
    };
    let trigger = admin.change(change).await??.ok_or(MISSING)?;
    Ok(Json(WithSecret { trigger, secret: shown }))
}

pub(super) async fn read(State(admin): State<Admin>, Id(id): Id) -> Answer<TriggerRow> {
    let trigger = admin.ask(move |store| store.trigger(id)).await?;
    trigger.map(Json).ok_or(MISSING)
}

pub(super) async fn write(
    State(admin): State<Admin>,
    Id(id): Id,
    JsonBody(input): JsonBody<TriggerInput>,
) -> Answer<TriggerRow> {
    let (channel_id, settings) = input.check(admin.node().reach())?;
    let change = move |store: &Store| {
        if let Some(error) = misplaced(store, channel_id, Some(id))? {
            return Ok(Err(error));
        }
        store.put_trigger(id, (channel_id, &settings)).map(Ok)
    };
    admin.change(change).await??.map(Json).ok_or(MISSING)
}

pub(super) async fn delete(State(admin): State<Admin>, Id(id): Id) -> Answer<()> {
    let is_there = admin.change(move |store| store.delete_trigger(id)).await?;
    is_there.then_some(Json(())).ok_or(MISSING)
}

pub(super) async fn new_secret(State(admin): State<Admin>, Id(id): Id) -> Answer<WithSecret> {
    let secret = random_secret()?;
    let shown = show(&secret);
    let trigger = admin.change(move |store| store.put_trigger_secret(id, &secret)).await?;
    let trigger = trigger.ok_or(MISSING)?;
    Ok(Json(WithSecret { trigger, secret: shown }))
}

/// Why a trigger cannot be there, if it cannot; `id` is its own where it has one.
fn misplaced(
    store: &Store,
    channel_id: u64,
    id: Option<u64>,
) -> Result<Option<ApiError>, StoreError> {
    if store.channel(channel_id)?.is_none() {
        return Ok(Some(ApiError::Input(format!(
            "channel_id: there is no channel with the id {channel_id}; GET …/realtime/channel lists \
             them"
        ))));
    }
    let others = store.triggers()?.into_iter();
    let others = others.filter(|row| row.channel_id == channel_id && Some(row.id) != id).count();
    Ok((others >= MAX_TRIGGERS).then(|| {
        ApiError::Input(format!("channel {channel_id} has {others} triggers, and cannot have more"))
    }))
}

impl TriggerInput {
    fn check(self, reach: Reach) -> Result<(u64, TriggerSettings), ApiError> {
        check_length("name", &self.name, 1..=MAX_NAME)?;
        check_length("description", &self.description, 0..=MAX_DESCRIPTION)?;
        check_length("url", &self.url, 1..=MAX_URL)?;
        if self.tag.len() > MAX_TAGS {
            let message = format!("tag has {} entries; {MAX_TAGS} are allowed", self.tag.len());
            return Err(ApiError::Input(message));
        }
        for tag in &self.tag {
            check_length("tag", tag, 1..=MAX_NAME)?;
        }
        if let Err(error) = parse_url(&self.url, reach) {
            let hint = match error {
                UrlError::NotPublic(_) => {
                    "; start the server with --allow-private-triggers to allow it"
                }
                _ => "",
            };
            return Err(ApiError::Input(format!("url: {error}{hint}")));
        }
        let settings = TriggerSettings {
            name: self.name,
            description: self.description,
            active: self.active,
            tag: self.tag,
            actions: self.actions,
            url: self.url,
        };
        Ok((self.channel_id, settings))
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { page: 1, per_page: 50, search: String::new() }
    }
}

fn check_length(
    name: &str,
    text: &str,
    allowed: std::ops::RangeInclusive<usize>,
) -> Result<(), ApiError> {
    let length = text.chars().count();
    if allowed.contains(&length) {
        return Ok(());
    }
    let (least, most) = allowed.into_inner();
    Err(ApiError::Input(format!("{name} has {length} characters; {least} to {most} are allowed")))
}

fn random_secret() -> Result<Secret, ApiError> {
    let mut bytes = [0; SECRET_LENGTH];
    getrandom::fill(&mut bytes).map_err(no_randomness)?;
    Ok(Secret::new(bytes))
}

fn no_randomness(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "there are no random bytes for a trigger");
    ApiError::Internal
}

const fn yes() -> bool {
    true
}

const MISSING: ApiError = ApiError::NotFound("trigger with this id");
/// The most triggers of one row of channels: they are asked one after the other.
const MAX_TRIGGERS: usize = 10;
/// The most triggers one page lists.
const MAX_PER_PAGE: usize = 1_000;
/// The most characters of a name or a tag.
const MAX_NAME: usize = 255;
const MAX_DESCRIPTION: usize = 4_096;
const MAX_URL: usize = 2_048;
const MAX_TAGS: usize = 20;
