//! Access tokens for the Metadata API.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::body::{Id, JsonBody};
use super::meta::{Admin, Answer};
use crate::auth::{AccessSecret, Scope};
use crate::store::{AccessToken, NewAccessToken, Store};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenInput {
    name: String,
    scopes: BTreeSet<Scope>,
    /// Seconds.
    expires_in: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct TokenList {
    items: Vec<AccessToken>,
}

/// A new token, shown this once.
#[derive(Serialize)]
pub(super) struct NewToken {
    #[serde(flatten)]
    known: AccessToken,
    token: String,
}

pub(super) async fn list(State(admin): State<Admin>) -> Answer<TokenList> {
    let items = admin.ask(Store::access_tokens).await?;
    Ok(Json(TokenList { items }))
}

pub(super) async fn add(
    State(admin): State<Admin>,
    JsonBody(input): JsonBody<TokenInput>,
) -> Answer<NewToken> {
    let secret = AccessSecret::generate().map_err(|error| {
        tracing::error!(%error, "there are no random bytes for an access token");
        ApiError::Internal
    })?;
    let lifetime = input.expires_in.map(Duration::from_secs);
    let new = NewAccessToken { name: input.name, scopes: input.scopes, lifetime };
    let digest = secret.digest();
    let known =
        admin.block(move |store| store.add_access_token(new, &digest, SystemTime::now())).await??;
    Ok(Json(NewToken { known, token: secret.reveal().to_owned() }))
}

/// The answer's body is `null`, as that of every deletion.
pub(super) async fn delete(State(admin): State<Admin>, Id(id): Id) -> Answer<()> {
    let is_there = admin.ask(move |store| store.delete_access_token(id)).await?;
    is_there.then_some(Json(())).ok_or(ApiError::NotFound("access token with this id"))
}
