//! The keys that the server signs its own tokens with.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::ApiError;
use super::body::Id;
use super::meta::{Admin, Answer};
use crate::auth::SigningKey;
use crate::store::{SigningKeyRow, Store};

/// What may be known of them: never a key itself.
#[derive(Serialize)]
pub(super) struct KeyList {
    items: Vec<SigningKeyRow>,
}

pub(super) async fn list(State(admin): State<Admin>) -> Answer<KeyList> {
    let items = admin.ask(Store::signing_keys).await?;
    Ok(Json(KeyList { items }))
}

/// Makes a key that signs from now on.
pub(super) async fn add(State(admin): State<Admin>) -> Answer<SigningKeyRow> {
    let key = SigningKey::generate().map_err(|error| {
        tracing::error!(%error, "there are no random bytes for a signing key");
        ApiError::Internal
    })?;
    let added = admin.change_keys(move |store| store.add_signing_key(&key, SystemTime::now()));
    let row = added.await?;
    tracing::info!(key.id = row.id, key.kid = row.kid, "a new key signs tokens");
    Ok(Json(row))
}

/// The answer's body is `null`, as that of every deletion.
pub(super) async fn delete(State(admin): State<Admin>, Id(id): Id) -> Answer<()> {
    admin.change_keys(move |store| store.delete_signing_key(id)).await?;
    tracing::info!(key.id = id, "a signing key was removed, and its tokens are refused");
    Ok(Json(()))
}
