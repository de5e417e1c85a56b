//! The Metadata API: settings, channels, and events pushed by the backend.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use hub::{ChannelSettings, Draft, HistorySize, PublicationId};
use protocol::{ChannelName, ErrorCode, EventPayload, Permissions, RequestId, RowId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::{ApiError, triggers};
use crate::auth::{RowIdError, parse_row_id};
use crate::engine::PushedEvent;
use crate::node::Node;
use crate::store::{Realtime, Store, StoreError, random_text};

/// What an administrator's requests need.
#[derive(Clone)]
pub struct Admin {
    node: Arc<Node>,
    store: Arc<Store>,
    token: Arc<str>,
    /// One change at a time: what holds in the end is what is stored in the end.
    changing: Arc<Mutex<()>>,
}

/// New settings; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RealtimeInput {
    enabled: Option<bool>,
    hash: Option<String>,
    channels: Option<Vec<ChannelInput>>,
}

/// A channel as administrators write it: what is left out is off, but `enabled`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelInput {
    #[serde(default)]
    id: u64,
    pattern: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    wildcard: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    anonymous_clients: bool,
    #[serde(default)]
    presence: bool,
    #[serde(default)]
    history: HistoryInput,
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
}

/// A history size; Xano's own tools write it as text too.
#[derive(Deserialize)]
#[serde(untagged)]
enum HistoryInput {
    Number(u32),
    Text(String),
}

#[derive(Deserialize)]
#[serde(default)]
struct Page {
    page: usize,
    per_page: usize,
    search: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChannelPage {
    items: Vec<ChannelSettings>,
    next_page: Option<usize>,
}

/// An event to push.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventInput {
    channel: String,
    data: Box<RawValue>,
    #[serde(default)]
    auth_table: u64,
    auth_id: Option<RowId>,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct EventAnswer {
    delivered_local: usize,
}

type Body<T> = Result<Json<T>, JsonRejection>;
type Answer<T> = Result<Json<T>, ApiError>;

/// The API's addresses, for whoever has the admin token.
pub(crate) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(read).put(write))
        .route("/hash", post(new_hash))
        .route("/channel", get(list_channels).post(add_channel))
        .route("/channel/{id}", get(read_channel).put(write_channel).delete(delete_channel))
        .route("/event", post(push_event))
        .merge(triggers::router())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(admin.clone(), authorize))
        .with_state(admin)
}

async fn authorize(
    State(admin): State<Admin>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !admin.allows(request.headers()) {
        return Err(ApiError::Unauthorized);
    }
    Ok(next.run(request).await)
}

async fn read(State(admin): State<Admin>) -> Answer<Realtime> {
    admin.ask(Store::realtime).await.map(Json)
}

async fn write(State(admin): State<Admin>, body: Body<RealtimeInput>) -> Answer<Realtime> {
    let Json(input) = body?;
    let hash = input.hash.map(check_hash).transpose()?;
    let check =
        |channels: Vec<_>| channels.into_iter().map(ChannelInput::check).collect::<Result<_, _>>();
    let channels = input.channels.map(check).transpose()?;
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

async fn new_hash(State(admin): State<Admin>) -> Answer<Realtime> {
    let hash = random_text::<20>().map_err(|error| {
        tracing::error!(%error, "there are no random bytes for a connection hash");
        ApiError::Internal
    })?;
    let change = move |store: &Store| store.replace(&Realtime { hash, ..store.realtime()? });
    admin.change(change).await.map(Json)
}

async fn list_channels(
    State(admin): State<Admin>,
    Query(page): Query<Page>,
) -> Answer<ChannelPage> {
    let channels = admin.ask(Store::realtime).await?.channels;
    let per_page = page.per_page.clamp(1, MAX_PER_PAGE);
    let start = page.page.saturating_sub(1).saturating_mul(per_page);
    let found = channels.into_iter().filter(|channel| channel.pattern.contains(&page.search));
    let mut rest = found.skip(start);
    let items = rest.by_ref().take(per_page).collect();
    let next_page = rest.next().map(|_| page.page + 1);
    Ok(Json(ChannelPage { items, next_page }))
}

async fn add_channel(
    State(admin): State<Admin>,
    body: Body<ChannelInput>,
) -> Result<(StatusCode, Json<ChannelSettings>), ApiError> {
    let Json(input) = body?;
    let channel = ChannelSettings { id: 0, ..input.check()? };
    let added = admin.change(move |store| store.put_channel(&channel)).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

async fn read_channel(State(admin): State<Admin>, Path(id): Path<u64>) -> Answer<ChannelSettings> {
    let channel = admin.ask(move |store| store.channel(id)).await?;
    channel.map(Json).ok_or(ApiError::NotFound("channel with this id"))
}

async fn write_channel(
    State(admin): State<Admin>,
    Path(id): Path<u64>,
    body: Body<ChannelInput>,
) -> Answer<ChannelSettings> {
    let Json(input) = body?;
    let channel = ChannelSettings { id, ..input.check()? };
    if admin.ask(move |store| store.channel(id)).await?.is_none() {
        return Err(ApiError::NotFound("channel with this id"));
    }
    admin.change(move |store| store.put_channel(&channel)).await.map(Json)
}

async fn delete_channel(
    State(admin): State<Admin>,
    Path(id): Path<u64>,
) -> Result<StatusCode, ApiError> {
    match admin.change(move |store| store.delete_channel(id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound("channel with this id")),
    }
}

async fn push_event(State(admin): State<Admin>, body: Body<EventInput>) -> Answer<EventAnswer> {
    let Json(input) = body?;
    let channel = ChannelName::parse(&input.channel)
        .map_err(|error| ApiError::Input(error.message().to_owned()))?;
    let settings = admin.node.settings();
    let row = settings.channel(&channel).ok_or(ErrorCode::ChannelNotFound)?;
    let request = input.idempotency_key.map(|key| RequestId::parse(&key));
    let request = request
        .transpose()
        .map_err(|error| ApiError::Input(error.replace("options.id", "idempotency_key")))?;
    let row_id = read_auth_id(input.auth_id)?;
    if input.auth_table == 0 && row_id != RowId::NONE {
        return Err(ApiError::Input(
            "auth_id names a record, so auth_table must name its table".to_owned(),
        ));
    }
    let mut id = [0; 12];
    getrandom::fill(&mut id).map_err(|error| {
        tracing::error!(%error, "there are no random bytes for a publication's id");
        ApiError::Internal
    })?;
    let ts =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
            as u64;
    let payload =
        EventPayload { data: &*input.data, dbo_id: input.auth_table, row_id: row_id.clone() };
    let draft = Draft::event(&channel, &payload, PublicationId::from_random(id), ts);
    let target = Permissions { dbo_id: input.auth_table, row_id };
    let event = PushedEvent { channel, draft, target, request, history: row.history.get() };
    let (answer, answered) = oneshot::channel();
    let tell = |result| {
        // Who asked may be gone by the time of the answer.
        let _ = answer.send(result);
    };
    admin.node.push(event, Box::new(tell));
    let delivered_local = answered.await.map_err(|_| ApiError::Internal)??;
    Ok(Json(EventAnswer { delivered_local }))
}

impl Admin {
    /// The API over `store` for whoever brings `token`; changes hold in `node` at once.
    pub fn new(node: Arc<Node>, store: Arc<Store>, token: &str) -> Self {
        Self { node, store, token: token.into(), changing: Arc::default() }
    }

    /// Whether a request with these headers brings the admin token.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        given.as_bytes().ct_eq(self.token.as_bytes()).into()
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.store);
        Ok(spawn_blocking(move || ask(&store)).await.map_err(|_| ApiError::Internal)??)
    }

    /// Changes the settings, and lets them hold.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (node, changing) = (Arc::clone(&self.node), Arc::clone(&self.changing));
        self.ask(move |store| {
            let _one_at_a_time = changing.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(store)?;
            node.change_settings(store.settings()?);
            Ok(result)
        })
        .await
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}

impl ChannelInput {
    fn check(self) -> Result<ChannelSettings, ApiError> {
        if let Err(error) = ChannelName::parse(&self.pattern) {
            return Err(ApiError::Input(format!(
                "pattern {:?}: {}",
                self.pattern,
                error.message()
            )));
        }
        let history = match self.history {
            HistoryInput::Number(number) => Some(number),
            HistoryInput::Text(text) => text.parse().ok(),
        };
        let history = history.and_then(|size| HistorySize::try_from(size).ok());
        let sizes = "0, 25, 50, 100, 250 and 1000";
        let history =
            history.ok_or_else(|| ApiError::Input(format!("history must be one of {sizes}")))?;
        Ok(ChannelSettings {
            id: self.id,
            pattern: self.pattern,
            enabled: self.enabled,
            wildcard: self.wildcard,
            description: self.description,
            anonymous_clients: self.anonymous_clients,
            presence: self.presence,
            history,
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

impl Default for HistoryInput {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { page: 1, per_page: 50, search: String::new() }
    }
}

/// Which record an event is for, as tokens write it: `"7"` is record 7. Nothing leaves it open, and
/// so does an empty text or a zero.
fn read_auth_id(auth_id: Option<RowId>) -> Result<RowId, ApiError> {
    match auth_id {
        None => Ok(RowId::NONE),
        Some(RowId::Text(text)) => match parse_row_id(&text) {
            Ok(row_id) => Ok(row_id),
            Err(RowIdError::Nobody) => Ok(RowId::NONE),
            Err(error @ RowIdError::TooLong) => Err(ApiError::Input(format!("auth_id is {error}"))),
        },
        Some(number) => Ok(number),
    }
}

fn check_hash(hash: String) -> Result<String, ApiError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&hash.len()) && hash.bytes().all(legal) {
        return Ok(hash);
    }
    Err(ApiError::Input("hash must have 1 to 64 letters, digits, - and _".to_owned()))
}

const fn yes() -> bool {
    true
}

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;
/// The most channels one page lists.
const MAX_PER_PAGE: usize = 1_000;
