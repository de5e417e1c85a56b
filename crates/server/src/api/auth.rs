//! The default API group: people sign up, log in, and ask who they are.

mod cors;
mod error;
mod input;
mod password;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hub::Identity;
use protocol::{Permissions, RowId};
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::auth::{KeyRing, Verifier};
use crate::peer::PeerAddress;
use crate::rate_limit::RateLimit;
use crate::store::{NewUser, Store, StoreError, User};

use super::body::Object;
use error::AuthError;
use input::{LogIn, LogInInput, SignUp, SignUpInput};
use password::{Passwords, Verdict};

/// The people who have signed up, and what it takes to let them in.
#[derive(Clone)]
pub struct Accounts {
    parts: Arc<Parts>,
}

/// How people are let in.
#[derive(Clone, Copy, Debug)]
pub struct AccountOptions {
    /// How often one address may try to log in or sign up in a minute; 0 is as often as it likes.
    pub attempts: u32,
    /// Whether somebody new may come.
    pub sign_up: SignUpPolicy,
    /// How long the tokens last that people get.
    pub token_lifetime: Duration,
}

/// Whether somebody new may come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignUpPolicy {
    /// Everybody may sign up.
    Open,
    /// Who has signed up can log in, and nobody else.
    Closed,
}

/// There is no randomness to hash passwords with.
#[derive(Debug, thiserror::Error)]
#[error("cannot get ready for passwords")]
pub struct AccountsError(#[source] password::PasswordError);

struct Parts {
    store: Arc<Store>,
    keys: Arc<KeyRing>,
    verifier: Arc<Verifier>,
    options: AccountOptions,
    attempts: Mutex<Attempts>,
    passwords: Passwords,
}

/// Who has tried lately. Whoever has many networks has no more than [`NETWORKS_OF_A_SITE`] allowances,
/// and does not crowd others out of the limit's memory.
struct Attempts {
    networks: RateLimit,
    sites: RateLimit,
}

/// What opens everything else.
#[derive(Debug, Serialize)]
struct TokenAnswer {
    #[serde(rename = "authToken")]
    auth_token: String,
}

type Body<T> = Result<Json<Object<T>>, JsonRejection>;
type Answer<T> = Result<Json<T>, AuthError>;

/// The group's addresses, for everybody, from pages of any origin.
pub(crate) fn router(accounts: Accounts) -> Router {
    patient_router(accounts, PATIENCE)
}

fn patient_router(accounts: Accounts, patience: Duration) -> Router {
    Router::new()
        .route("/signup", post(sign_up))
        .route("/login", post(log_in))
        .route("/me", get(me))
        .fallback(|| async { AuthError::NotFound })
        .method_not_allowed_fallback(|| async { AuthError::NotFound })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(patience, in_time))
        .layer(middleware::from_fn(cors::for_everybody))
        .with_state(accounts)
}

/// Ends a request that is not done in time, most likely because it does not come whole.
async fn in_time(State(patience): State<Duration>, request: Request, next: Next) -> Response {
    match timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => AuthError::Slow.into_response(),
    }
}

async fn sign_up(
    State(accounts): State<Accounts>,
    Extension(peer): Extension<PeerAddress>,
    body: Body<SignUpInput>,
) -> Answer<TokenAnswer> {
    accounts.count_attempt(peer)?;
    let Json(Object(input)) = body?;
    accounts.sign_up(input.check()?).await.map(Json)
}

async fn log_in(
    State(accounts): State<Accounts>,
    Extension(peer): Extension<PeerAddress>,
    body: Body<LogInInput>,
) -> Answer<TokenAnswer> {
    accounts.count_attempt(peer)?;
    let Json(Object(input)) = body?;
    accounts.log_in(input.check()?).await.map(Json)
}

async fn me(State(accounts): State<Accounts>, headers: HeaderMap) -> Answer<User> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = given.and_then(|value| value.split_once(' ')).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Unauthorized);
    }
    accounts.bearer(token.trim()).await.map(Json)
}

impl Accounts {
    /// The people of `store`, whose tokens are signed with `keys`, which `verifier` knows as its own.
    pub fn new(
        store: Arc<Store>,
        keys: Arc<KeyRing>,
        verifier: Arc<Verifier>,
        options: AccountOptions,
    ) -> Result<Self, AccountsError> {
        let attempts = Mutex::new(Attempts::new(options.attempts));
        let passwords = Passwords::new().map_err(AccountsError)?;
        let parts = Parts { store, keys, verifier, options, attempts, passwords };
        Ok(Self { parts: Arc::new(parts) })
    }

    fn count_attempt(&self, peer: PeerAddress) -> Result<(), AuthError> {
        let mut attempts = self.parts.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.take(peer, Instant::now()).map_err(|wait| {
            tracing::debug!(peer.address = %peer.ip(), "too many attempts to log in or sign up");
            AuthError::TooMany(wait)
        })
    }

    async fn sign_up(&self, wish: SignUp) -> Result<TokenAnswer, AuthError> {
        if self.parts.options.sign_up == SignUpPolicy::Closed {
            return Err(AuthError::Closed);
        }
        let SignUp { name, email, password } = wish;
        // Who asks will hear it anyway; a hash for the answer would be work for nothing.
        let key = email.key.clone();
        if self.ask(move |store| store.user_of_email(&key)).await?.is_some() {
            return Err(AuthError::Taken);
        }
        let password_hash = self.parts.passwords.hash(password).await?;
        let created_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let user = NewUser {
            created_at: created_at.unwrap_or_default().as_millis() as u64,
            name: name.clone(),
            email: email.text,
            email_key: email.key,
            password_hash,
        };
        let id = self.ask(move |store| store.add_user(&user)).await?.ok_or(AuthError::Taken)?;
        tracing::debug!(user.id = id, "somebody signed up");
        self.token(id, &name)
    }

    /// Nobody learns from the answer, or from how long it takes, who has signed up.
    async fn log_in(&self, wish: LogIn) -> Result<TokenAnswer, AuthError> {
        let key = wish.email.key;
        let found = self.ask(move |store| store.user_of_email(&key)).await?;
        let stored = found.as_ref().map(|(_, hash)| hash.clone());
        let verdict = self.parts.passwords.verify(wish.password, stored).await?;
        let Some((user, old)) = found else { return Err(AuthError::Credentials) };
        match verdict {
            Verdict::Wrong => return Err(AuthError::Credentials),
            Verdict::Right => {}
            Verdict::Outdated(new) => {
                let id = user.id;
                self.ask(move |store| store.change_password_hash(id, &old, &new)).await?;
            }
        }
        self.token(user.id, &user.name)
    }

    /// Who holds a token that was given out here.
    async fn bearer(&self, token: &str) -> Result<User, AuthError> {
        let verified = self.parts.verifier.verify_own(token.as_bytes()).map_err(|reason| {
            tracing::debug!(%reason, "an authToken was refused");
            AuthError::Unauthorized
        })?;
        let Identity::Authenticated { permissions, .. } = verified.identity else {
            return Err(AuthError::Unauthorized);
        };
        let Permissions { dbo_id: TABLE, row_id: RowId::Number(id) } = permissions else {
            return Err(AuthError::Unauthorized);
        };
        self.ask(move |store| store.user(id)).await?.ok_or(AuthError::Unauthorized)
    }

    fn token(&self, id: u64, name: &str) -> Result<TokenAnswer, AuthError> {
        let Parts { keys, options, .. } = &*self.parts;
        let permissions = Permissions { dbo_id: TABLE, row_id: RowId::Number(id) };
        let extras = json!({ "name": name }).to_string().parse().map_err(internal)?;
        let expires = SystemTime::now() + options.token_lifetime;
        let auth_token = keys.issue(&permissions, &extras, expires).map_err(internal)?;
        Ok(TokenAnswer { auth_token })
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let store = Arc::clone(&self.parts.store);
        Ok(spawn_blocking(move || ask(&store)).await.map_err(|_| AuthError::Internal)??)
    }
}

impl Attempts {
    fn new(a_minute: u32) -> Self {
        let now = Instant::now();
        let networks = RateLimit::new(a_minute, now);
        let sites = RateLimit::new(a_minute.saturating_mul(NETWORKS_OF_A_SITE), now);
        Self { networks, sites }
    }

    fn take(&mut self, peer: PeerAddress, now: Instant) -> Result<(), Duration> {
        peer.site().map_or(Ok(()), |site| self.sites.take(site, now))?;
        self.networks.take(peer.network(), now)
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}

fn internal(error: impl std::error::Error + 'static) -> AuthError {
    tracing::error!(error = &error as &dyn std::error::Error, "no token could be made");
    AuthError::Internal
}

/// The table that people who sign up here are records of.
const TABLE: u64 = 1;
/// How many of a site's networks may use their whole allowance.
const NETWORKS_OF_A_SITE: u32 = 16;
/// How long a request may take, from its head to its answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest body of a request, in bytes.
const MAX_BODY: usize = 16 << 10;
