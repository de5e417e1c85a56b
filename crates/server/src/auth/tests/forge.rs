//! Tokens as anybody may make them, and the identities they are held against.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use hub::Identity;
use protocol::{Permissions, RowId};
use rcgen::KeyPair;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use serde_json::json;

use super::super::{ClaimNames, ForeignIssuers, SigningKey, TokenError, Verified, Verifier};

/// What the server signs its tokens with.
pub(super) const OWN: SigningKey = SigningKey::from_random([7; 32]);
pub(super) const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A verifier of the own key alone.
pub(super) fn own() -> Verifier {
    verifier(&[], "")
}

pub(super) fn verifier(keys: &[PathBuf], names: &str) -> Verifier {
    let names = if names.is_empty() { Ok(ClaimNames::default()) } else { names.parse() };
    let names = names.expect("the names are right");
    let foreign = ForeignIssuers { keys: keys.to_vec(), names, ..ForeignIssuers::default() };
    Verifier::new(Arc::new(OWN.into()), foreign).expect("the keys are right")
}

pub(super) fn token(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let parts = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
    let message = parts.join(".");
    format!("{message}.{}", BASE64URL_NOPAD.encode(&sign(message.as_bytes())))
}

pub(super) fn hs256(key: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

pub(super) fn es256(key: &KeyPair) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, &key.serialize_der(), &random);
    let key = key.expect("the key is for P-256");
    move |message| key.sign(&random, message).expect("it can sign").as_ref().to_vec()
}

pub(super) fn eddsa(key: &KeyPair) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = Ed25519KeyPair::from_pkcs8(&key.serialize_der()).expect("the key is for Ed25519");
    move |message| key.sign(message).as_ref().to_vec()
}

/// A token of the server's own, with these claims.
pub(super) fn own_token(claims: &serde_json::Value) -> String {
    token(HS256, &claims.to_string(), hs256(OWN.as_bytes()))
}

pub(super) fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    i64::try_from(now).expect("it fits") + seconds
}

/// Right claims but for those that are given; null takes one out.
pub(super) fn claims_with(changes: &serde_json::Value) -> serde_json::Value {
    let mut claims = json!({
        "dbo_id": 1, "row_id": 5, "extras": { "name": "Loki" }, "exp": seconds_from_now(600),
    });
    for (name, value) in changes.as_object().expect("changes are an object") {
        match value.is_null() {
            true => drop(claims.as_object_mut().map(|claims| claims.remove(name))),
            false => claims[name] = value.clone(),
        }
    }
    claims
}

#[track_caller]
pub(super) fn check_identity(
    verified: Result<Verified, TokenError>,
    dbo_id: u64,
    row_id: RowId,
    extras: &str,
) {
    let identity = verified.map(|verified| verified.identity);
    let Ok(Identity::Authenticated { permissions, extras: found }) = identity else {
        panic!("the token is good: {identity:?}");
    };
    assert_eq!(permissions, Permissions { dbo_id, row_id });
    assert_eq!(found.get(), extras);
}

pub(super) fn text(id: &str) -> RowId {
    RowId::Text(id.to_owned())
}
