//! What is accepted as a token, and above all what is not.

mod forge;
mod issuers;
mod key_ring;
mod key_sets;

use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use protocol::{Permissions, RowId};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

use super::*;
use forge::*;

fn check_own(changes: &serde_json::Value, expected: Result<(), TokenError>) {
    let claims = claims_with(changes);
    let verified = own().verify(own_token(&claims).as_bytes()).map(drop);
    assert_eq!(verified, expected, "{claims}");
}

#[test]
fn a_token_of_this_server_names_whom_it_was_made_for() {
    let extras = r#"{ "name": "Thor", "big": 12345678901234567890123 }"#;
    for row_id in [RowId::Number(42), text("5f2b-uuid")] {
        let permissions = Permissions { dbo_id: 3, row_id: row_id.clone() };
        let expires = SystemTime::now() + Duration::from_secs(60);
        let issued = OWN.issue(&permissions, &extras.parse().expect("it is an object"), expires);
        let issued = issued.expect("it can be signed");
        check_identity(own().verify(issued.as_bytes()), 3, row_id, extras);
    }
}

#[test]
fn no_two_tokens_are_the_same() {
    let issue = || OWN.issue(&Permissions::ANONYMOUS, &Extras::default(), SystemTime::now()).ok();
    assert_ne!(issue().expect("it can be signed"), issue().expect("it can be signed"));
}

#[test]
fn times_are_kept_give_or_take_half_a_minute() {
    check_own(&json!({ "exp": seconds_from_now(-20) }), Ok(()));
    check_own(&json!({ "exp": seconds_from_now(-40) }), Err(TokenError::Expired));
    check_own(&json!({ "exp": 0 }), Err(TokenError::Expired));
    check_own(&json!({ "exp": u64::MAX }), Ok(()));
    check_own(&json!({ "nbf": seconds_from_now(20) }), Ok(()));
    check_own(&json!({ "nbf": seconds_from_now(60) }), Err(TokenError::NotYet));
    check_own(&json!({ "nbf": u64::MAX }), Err(TokenError::NotYet));
    for wrong in [json!("soon"), json!("9999999999"), json!(-1), json!(true)] {
        check_own(&json!({ "exp": wrong }), Err(TokenError::Claim("exp")));
        check_own(&json!({ "nbf": wrong }), Err(TokenError::Claim("nbf")));
    }
}

#[test]
fn a_token_of_this_server_must_end() {
    check_own(&json!({ "exp": null }), Err(TokenError::Claim("exp")));
}

#[test]
fn claims_of_a_wrong_type_name_nobody() {
    for wrong in [json!(0), json!(-1), json!(1.0), json!(1.5), json!("1"), json!([1]), json!(true)]
    {
        check_own(&json!({ "dbo_id": wrong }), Err(TokenError::Claim("dbo_id")));
    }
    for wrong in [json!(0), json!(-5), json!(5.5), json!(""), json!("0"), json!({}), json!(false)] {
        check_own(&json!({ "row_id": wrong }), Err(TokenError::Claim("row_id")));
    }
    check_own(&json!({ "row_id": "x".repeat(255) }), Ok(()));
    check_own(&json!({ "row_id": "x".repeat(256) }), Err(TokenError::Claim("row_id")));
    for wrong in [json!([]), json!("{}"), json!(1), json!({ "x": "y".repeat(4_089) })] {
        check_own(&json!({ "extras": wrong }), Err(TokenError::Claim("extras")));
    }
    check_own(&json!({ "extras": { "x": "y".repeat(4_088) } }), Ok(()));
    check_own(&json!({ "dbo_id": null }), Err(TokenError::Claim("dbo_id")));
    check_own(&json!({ "row_id": null }), Err(TokenError::Claim("row_id")));
    check_own(&json!({ "extras": null }), Ok(()));
    let null = format!(r#"{{"dbo_id":1,"row_id":2,"extras":null,"exp":{}}}"#, u32::MAX);
    let null = token(HS256, &null, hs256(OWN.as_bytes()));
    assert_eq!(own().verify(null.as_bytes()).err(), Some(TokenError::Claim("extras")));
}

#[test]
fn a_record_is_a_number_where_its_id_is_one() {
    for (claim, expected) in [
        (json!(5), RowId::Number(5)),
        (json!("5"), RowId::Number(5)),
        (json!("9007199254740991"), RowId::Number(9_007_199_254_740_991)),
        (json!("9007199254740992"), text("9007199254740992")),
        (json!("005"), text("005")),
        (json!("+5"), text("+5")),
        (json!("auth0|5"), text("auth0|5")),
    ] {
        let verified =
            own().verify(own_token(&claims_with(&json!({ "row_id": claim }))).as_bytes());
        check_identity(verified, 1, expected, r#"{"name":"Loki"}"#);
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let right = own_token(&claims_with(&json!({})));
    let parts: Vec<_> = right.split('.').collect();
    let claims = BASE64URL_NOPAD.encode(claims_with(&json!({})).to_string().as_bytes());
    let not_json = token(HS256, "hello", hs256(OWN.as_bytes()));
    let a_list = token(HS256, "[1,2]", hs256(OWN.as_bytes()));
    let text_for_time = token(HS256, r#"{"exp":{"a":1}}"#, hs256(OWN.as_bytes()));
    for wrong in [
        "",
        ".",
        "..",
        "...",
        "a",
        "null",
        "\u{e4}.b.c",
        &parts[..2].join("."),
        &parts[1..].join("."),
        &format!("{right}.x"),
        &format!("{right}="),
        &format!(".{claims}."),
        &format!("{}.{}.?", parts[0], parts[1]),
        &format!("e30.{}.{}", parts[1], parts[2]),
        &not_json,
        &a_list,
        &text_for_time,
    ] {
        let refused = own().verify(wrong.as_bytes()).err();
        assert_eq!(refused, Some(TokenError::Malformed), "{wrong}");
    }
    assert!(own().verify(&[0xFF; 100]).is_err());
}

#[test]
fn a_token_that_is_too_long_is_not_even_read() {
    for (length, refused) in
        [(MAX_TOKEN, TokenError::Malformed), (MAX_TOKEN + 1, TokenError::TooLong)]
    {
        assert_eq!(own().verify(&vec![b'a'; length]).err(), Some(refused));
    }
    let long = claims_with(&json!({ "more": "x".repeat(MAX_TOKEN) }));
    assert_eq!(own().verify(own_token(&long).as_bytes()).err(), Some(TokenError::TooLong));
}

#[test]
fn an_unsigned_token_is_refused() {
    let claims = claims_with(&json!({})).to_string();
    for algorithm in ["none", "None", "NONE", ""] {
        let header = json!({ "alg": algorithm }).to_string();
        for signature in [Vec::new(), hs256(OWN.as_bytes())(b"anything")] {
            let refused = own().verify(token(&header, &claims, |_| signature).as_bytes()).err();
            assert_eq!(refused, Some(TokenError::Malformed), "{algorithm}");
        }
    }
    let unsigned = token(HS256, &claims, |_| Vec::new());
    assert_eq!(own().verify(unsigned.as_bytes()).err(), Some(TokenError::Signature));
}

#[test]
fn a_token_of_another_key_or_changed_on_its_way_is_refused() {
    let claims = claims_with(&json!({}));
    let foreign = token(HS256, &claims.to_string(), hs256(&[8; 32]));
    assert_eq!(own().verify(foreign.as_bytes()).err(), Some(TokenError::Signature));
    let right = own_token(&claims);
    let mut parts: Vec<_> = right.split('.').collect();
    let other = BASE64URL_NOPAD.encode(claims_with(&json!({ "row_id": 1 })).to_string().as_bytes());
    parts[1] = &other;
    assert_eq!(own().verify(parts.join(".").as_bytes()).err(), Some(TokenError::Signature));
    let short = &right[..right.len() - 3];
    assert_eq!(own().verify(short.as_bytes()).err(), Some(TokenError::Signature));
}

#[test]
fn a_key_inside_the_token_is_not_used() {
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made");
    let point = ec.public_key_raw();
    let [x, y] = [&point[1..33], &point[33..]].map(|number| BASE64URL_NOPAD.encode(number));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let header = json!({ "alg": "ES256", "jwk": jwk }).to_string();
    let brought = token(&header, &claims_with(&json!({})).to_string(), es256(&ec));
    assert_eq!(own().verify(brought.as_bytes()).err(), Some(TokenError::Algorithm));
}

#[test]
fn what_a_token_calls_critical_is_not_passed_over() {
    let header = r#"{"alg":"HS256","crit":["b64"],"b64":false}"#;
    let critical = token(header, &claims_with(&json!({})).to_string(), hs256(OWN.as_bytes()));
    assert_eq!(own().verify(critical.as_bytes()).err(), Some(TokenError::Critical));
}

#[test]
fn no_key_is_shown_by_accident() {
    let shown = format!("{OWN:?} {:?}", own());
    assert!(!shown.contains("7, 7"), "{shown}");
}
