//! The Metadata API: its addresses, and who may use them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::{DefaultBodyLimit, Extension, OriginalUri, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use axum::{Json, Router};
use subtle::ConstantTimeEq;
use tokio::task::spawn_blocking;

use super::{ApiError, channels, events, keys, settings, tokens, triggers};
use crate::auth::{AccessSecret, KeyRing, Scope};
use crate::node::Node;
use crate::store::{self, SigningKeyError, Store, StoreError};

/// What an administrator's requests need.
#[derive(Clone)]
pub struct Admin {
    node: Arc<Node>,
    store: Arc<Store>,
    keys: Arc<KeyRing>,
    token: Arc<str>,
    /// One change at a time: what holds in the end is what is stored in the end.
    changing: Arc<Mutex<()>>,
}

pub(super) type Answer<T> = Result<Json<T>, ApiError>;

/// One address below that of the workspace's realtime.
struct Route {
    path: &'static str,
    methods: MethodRouter<Admin>,
    access: Access,
}

/// What it takes to use an address.
#[derive(Clone, Copy)]
enum Access {
    /// `read`, or `update` to change something.
    Settings,
    /// `publish`.
    Events,
    /// The admin token: no access token makes another, so revoking one is the end of it.
    Tokens,
}

/// Who asks.
#[derive(Clone, Debug)]
enum Caller {
    Admin,
    Bearer(BTreeSet<Scope>),
}

/// The API's addresses.
pub(crate) fn router(admin: Admin) -> Router {
    let mut realtime = Router::new();
    for Route { path, methods, access } in routes() {
        let permit = middleware::from_fn_with_state(access, permit);
        realtime = realtime.route(path, methods.route_layer(permit));
    }
    let realtime = realtime
        .method_not_allowed_fallback(|| async { ApiError::Method })
        .layer(middleware::from_fn_with_state(admin.clone(), authenticate))
        .with_state(admin);
    let document = || async { ([(CONTENT_TYPE, "application/json")], DOCUMENT) };
    Router::new()
        .route(DOCUMENT_PATH, get(document).fallback(|| async { ApiError::Method }))
        .nest(META, realtime)
        .route(&format!("{ROOT}/{{*rest}}"), any(nowhere))
}

fn routes() -> Vec<Route> {
    let large = DefaultBodyLimit::max(MAX_EVENTS_BODY);
    let route = |path, methods: MethodRouter<Admin>, access| Route {
        path,
        methods: methods.layer(DefaultBodyLimit::max(MAX_BODY)),
        access,
    };
    vec![
        route("/", get(settings::read).put(settings::write), Access::Settings),
        route("/hash", post(settings::new_hash), Access::Settings),
        route("/channel", get(channels::list).post(channels::add), Access::Settings),
        route(
            "/channel/{channel_id}",
            get(channels::read).put(channels::write).delete(channels::delete),
            Access::Settings,
        ),
        route("/channel/trigger", get(triggers::list).post(triggers::add), Access::Settings),
        route(
            "/channel/trigger/{trigger_id}",
            get(triggers::read).put(triggers::write).delete(triggers::delete),
            Access::Settings,
        ),
        route("/channel/trigger/{trigger_id}/secret", post(triggers::new_secret), Access::Settings),
        Route { path: "/event", methods: post(events::push).layer(large), access: Access::Events },
        route("/key", get(keys::list).post(keys::add), Access::Settings),
        route("/key/{key_id}", delete(keys::delete), Access::Settings),
        route("/token", get(tokens::list).post(tokens::add), Access::Tokens),
        route("/token/{token_id}", delete(tokens::delete), Access::Tokens),
    ]
}

/// Finds out who asks.
async fn authenticate(
    State(admin): State<Admin>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let caller = admin.caller(request.headers()).await?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

async fn permit(
    State(access): State<Access>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Caller::Bearer(scopes) = caller {
        let needed = access.scope(request.method()).ok_or(ApiError::NotAdmin)?;
        if !scopes.contains(&needed) {
            return Err(ApiError::MissingScope(needed));
        }
    }
    Ok(next.run(request).await)
}

/// Nothing is at an address that ends with a slash; without it there may be something.
async fn nowhere(OriginalUri(uri): OriginalUri) -> Response {
    match uri.path().strip_suffix('/') {
        Some(path) if !path.ends_with('/') => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            Redirect::permanent(&format!("{path}{query}")).into_response()
        }
        _ => ApiError::NotFound(NOTHING).into_response(),
    }
}

impl Access {
    /// The scope that a request needs; `None` where no scope is enough.
    fn scope(self, method: &Method) -> Option<Scope> {
        match self {
            Self::Settings if *method == Method::GET || *method == Method::HEAD => {
                Some(Scope::Read)
            }
            Self::Settings => Some(Scope::Update),
            Self::Events => Some(Scope::Publish),
            Self::Tokens => None,
        }
    }
}

impl Admin {
    /// The API over `store` for whoever brings `token`; changes hold in `node` and in `keys` at once.
    pub fn new(node: Arc<Node>, store: Arc<Store>, keys: Arc<KeyRing>, token: &str) -> Self {
        Self { node, store, keys, token: token.into(), changing: Arc::default() }
    }

    /// Whether a request with these headers brings the admin token, or an access token to read with.
    pub(crate) async fn may_read(&self, headers: &HeaderMap) -> bool {
        match self.caller(headers).await {
            Ok(Caller::Admin) => true,
            Ok(Caller::Bearer(scopes)) => scopes.contains(&Scope::Read),
            Err(_) => false,
        }
    }

    /// Who asks. What cannot be a token costs no look into the store.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = given.and_then(|value| value.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiError::Unauthorized);
        }
        if bool::from(token.as_bytes().ct_eq(self.token.as_bytes())) {
            return Ok(Caller::Admin);
        }
        let digest = AccessSecret::parse(token).ok_or(ApiError::Unauthorized)?.digest();
        let now = SystemTime::now();
        let known = self.ask(move |store| store.use_access_token(&digest, now)).await?;
        match known.ok_or(ApiError::Unauthorized)? {
            store::Access::Scopes(scopes) => Ok(Caller::Bearer(scopes)),
            store::Access::Expired => Err(ApiError::Expired),
        }
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Asks the store, on a thread that may wait for the disk.
    pub(super) async fn block<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.store);
        spawn_blocking(move || ask(&store)).await.map_err(|_| ApiError::Internal)
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        Ok(self.block(ask).await??)
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

    /// Changes the signing keys, and lets them hold.
    pub(super) async fn change_keys<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Store) -> Result<T, SigningKeyError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (keys, changing) = (Arc::clone(&self.keys), Arc::clone(&self.changing));
        let changed = self.block(move |store| {
            let _one_at_a_time = changing.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(store)?;
            if let Some(now) = store.own_keys()? {
                keys.replace(now);
            }
            Ok::<_, SigningKeyError>(result)
        });
        Ok(changed.await??)
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}

/// Where the Metadata API is; there is one workspace.
const META: &str = "/api:meta/workspace/1/realtime";
/// The same as the document says it.
#[cfg(test)]
const META_IN_DOCUMENT: &str = "/workspace/{workspace_id}/realtime";
const ROOT: &str = "/api:meta";
const DOCUMENT_PATH: &str = "/api:meta/openapi.json";
/// Says all of this to programs.
const DOCUMENT: &str = include_str!("openapi.json");
const NOTHING: &str = "such address; what there is starts with /api:meta/workspace/1/realtime";
/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;
/// The largest body of a request with events.
const MAX_EVENTS_BODY: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_address_and_no_other() {
        let document: serde_json::Value =
            serde_json::from_str(DOCUMENT).expect("the document is JSON");
        let paths = document["paths"].as_object().expect("it has paths");
        let described: BTreeSet<_> = paths.keys().cloned().collect();
        let here = routes().into_iter().map(|route| {
            format!("{META_IN_DOCUMENT}{}", route.path.strip_suffix('/').unwrap_or(route.path))
        });
        let here = here.chain([DOCUMENT_PATH.replacen(ROOT, "", 1)]);
        assert_eq!(described, here.collect());
    }
}
