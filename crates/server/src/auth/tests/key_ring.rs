//! Keys that change: which of them signs, and whose tokens are good.

use std::time::{Duration, SystemTime};

use protocol::{Permissions, RowId};
use serde_json::json;

use super::super::*;
use super::forge::*;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_random([byte; 32])
}

fn keys(signs: u8, retired: &[u8]) -> OwnKeys {
    OwnKeys { signs: key(signs), retired: retired.iter().copied().map(key).collect() }
}

fn verifier_of(ring: &Arc<KeyRing>) -> Verifier {
    Verifier::new(Arc::clone(ring), ForeignIssuers::default()).expect("there are no others")
}

fn issued(ring: &KeyRing) -> String {
    let expires = SystemTime::now() + Duration::from_secs(60);
    let permissions = Permissions { dbo_id: 1, row_id: RowId::Number(5) };
    ring.issue(&permissions, &Extras::default(), expires).expect("it can be signed")
}

/// A token with this header, signed by this key.
fn signed(header: &serde_json::Value, byte: u8) -> String {
    let claims = claims_with(&json!({})).to_string();
    token(&header.to_string(), &claims, hs256(&[byte; 32]))
}

#[test]
fn a_token_names_the_key_that_signed_it_and_not_more_of_it() {
    let ring = KeyRing::new(keys(2, &[1]));
    let header = decode_header(issued(&ring)).expect("it is a token");
    assert_eq!(header.kid, Some(key(2).id()));
    assert_ne!(key(1).id(), key(2).id());
    assert_eq!(key(2).id().len(), 16);
    assert!(!key(2).reveal().contains(&key(2).id()));
}

#[test]
fn the_tokens_of_retired_keys_are_good_until_their_key_is_removed() {
    let ring = Arc::new(KeyRing::from(key(1)));
    let verifier = verifier_of(&ring);
    let first = issued(&ring);
    ring.replace(keys(2, &[1]));
    let second = issued(&ring);
    for good in [&first, &second] {
        assert!(verifier.verify(good.as_bytes()).is_ok());
        assert!(verifier.verify_own(good.as_bytes()).is_ok());
    }
    ring.replace(keys(2, &[]));
    assert_eq!(verifier.verify(first.as_bytes()).err(), Some(TokenError::Signature));
    assert_eq!(verifier.verify_own(first.as_bytes()).err(), Some(TokenError::Signature));
    assert!(verifier.verify(second.as_bytes()).is_ok());
}

#[test]
fn a_token_of_an_earlier_version_names_no_key_and_is_tried_with_all() {
    let verifier = verifier_of(&Arc::new(KeyRing::new(keys(3, &[2, 1]))));
    for (byte, expected) in [(1, None), (2, None), (3, None), (4, Some(TokenError::Signature))] {
        let nameless = signed(&json!({ "alg": "HS256" }), byte);
        assert_eq!(verifier.verify(nameless.as_bytes()).err(), expected, "{byte}");
    }
}

#[test]
fn a_token_is_held_against_the_key_that_it_names_alone() {
    let verifier = verifier_of(&Arc::new(KeyRing::new(keys(2, &[1]))));
    let check = |kid: &str, byte: u8, expected: Option<TokenError>| {
        let named = signed(&json!({ "alg": "HS256", "kid": kid }), byte);
        assert_eq!(verifier.verify(named.as_bytes()).err(), expected, "{kid} {byte}");
    };
    check(&key(1).id(), 1, None);
    check(&key(2).id(), 2, None);
    check(&key(1).id(), 2, Some(TokenError::Signature));
    check(&key(3).id(), 3, Some(TokenError::Signature));
    check("", 2, Some(TokenError::Signature));
    check("../settings.db", 2, Some(TokenError::Signature));
}

#[test]
fn what_is_wrong_with_a_token_of_a_retired_key_is_told() {
    let verifier = verifier_of(&Arc::new(KeyRing::new(keys(2, &[1]))));
    let claims = claims_with(&json!({ "exp": seconds_from_now(-60) })).to_string();
    let late = token(HS256, &claims, hs256(&[1; 32]));
    assert_eq!(verifier.verify(late.as_bytes()).err(), Some(TokenError::Expired));
}
