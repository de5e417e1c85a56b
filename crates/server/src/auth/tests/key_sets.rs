//! Key sets: which of their keys are used, for which tokens, and what attackers get.

use std::path::Path;

use protocol::RowId;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value, json};

use super::super::*;
use super::forge::*;
use super::issuers::{Files, RSA_KEY, RSA_TOKEN, WEAK_RSA_KEY, pem_content};

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64URL_NOPAD.encode(bytes)
}

fn ec_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made")
}

fn ed_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made")
}

/// Keys as JSON; `more` is what their issuer says of them.
fn jwk(key: Value, more: &Value) -> Value {
    let mut key = key;
    for (name, value) in more.as_object().expect("more is an object") {
        key[name] = value.clone();
    }
    key
}

fn ec_jwk(key: &KeyPair, more: &Value) -> Value {
    let [x, y] = [1..33, 33..65].map(|range| base64(&key.public_key_raw()[range]));
    jwk(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }), more)
}

fn ed_jwk(key: &KeyPair, more: &Value) -> Value {
    jwk(json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(key.public_key_raw()) }), more)
}

/// An RSA key with a modulus of so many bytes, from its PEM.
fn rsa_jwk(pem: &str, bytes: usize, more: &Value) -> Value {
    let der = pem_content(pem);
    let n = &der[der.len() - 5 - bytes..der.len() - 5];
    jwk(json!({ "kty": "RSA", "n": base64(n), "e": "AQAB" }), more)
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn with_set(path: &Path) -> Result<Verifier, KeyError> {
    let key_sets = vec![KeySetSource::File(path.to_owned())];
    Verifier::new(Arc::new(OWN.into()), ForeignIssuers { key_sets, ..ForeignIssuers::default() })
}

/// A verifier that has read these keys from a file.
fn knowing(keys: &[Value]) -> Verifier {
    let files = Files::new();
    with_set(&files.add("jwks", &set(keys))).expect("the set is right")
}

fn claims() -> String {
    claims_with(&json!({})).to_string()
}

fn signed(algorithm: &str, id: Option<&str>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let mut header = json!({ "alg": algorithm });
    if let Some(id) = id {
        header["kid"] = id.into();
    }
    token(&header.to_string(), &claims(), sign)
}

#[track_caller]
fn check(verifier: &Verifier, token: &str, expected: Result<(), TokenError>) {
    assert_eq!(verifier.verify(token.as_bytes()).map(drop), expected, "{token}");
}

#[test]
fn every_kind_of_key_is_understood() {
    let (ec, ed) = (ec_key(), ed_key());
    let verifier = knowing(&[
        rsa_jwk(RSA_KEY, 256, &json!({ "kid": "r", "use": "sig", "alg": "RS256" })),
        ec_jwk(&ec, &json!({ "kid": "e", "key_ops": ["verify"] })),
        ed_jwk(&ed, &json!({ "kid": "d", "alg": "EdDSA", "x5t": "ignored" })),
    ]);
    let thor = r#"{"name":"Thor"}"#;
    check_identity(verifier.verify(RSA_TOKEN.as_bytes()), 4, text("9f1c"), thor);
    check(&verifier, &signed("ES256", Some("e"), es256(&ec)), Ok(()));
    check(&verifier, &signed("EdDSA", Some("d"), eddsa(&ed)), Ok(()));
    let own = own_token(&claims_with(&json!({})));
    check_identity(verifier.verify(own.as_bytes()), 1, RowId::Number(5), r#"{"name":"Loki"}"#);
}

#[test]
fn a_token_that_names_a_key_is_good_by_that_key_alone() {
    let (a, b) = (ec_key(), ec_key());
    let verifier =
        knowing(&[ec_jwk(&a, &json!({ "kid": "a" })), ec_jwk(&b, &json!({ "kid": "b" }))]);
    check(&verifier, &signed("ES256", Some("a"), es256(&a)), Ok(()));
    check(&verifier, &signed("ES256", Some("b"), es256(&b)), Ok(()));
    check(&verifier, &signed("ES256", Some("a"), es256(&b)), Err(TokenError::Signature));
    check(&verifier, &signed("ES256", Some("b"), es256(&a)), Err(TokenError::Signature));
    // One that names none may be good by any.
    check(&verifier, &signed("ES256", None, es256(&b)), Ok(()));
    let strange = [
        "A",
        "",
        "a ",
        "../a",
        "/dev/null",
        "' OR 1=1",
        "https://evil.example/key",
        &"x".repeat(4_000),
    ];
    for id in strange {
        check(&verifier, &signed("ES256", Some(id), es256(&a)), Err(TokenError::UnknownKey));
    }
}

#[test]
fn keys_of_one_name_are_all_tried_and_each_by_its_own_algorithm() {
    let (a, b, ed) = (ec_key(), ec_key(), ed_key());
    let same = json!({ "kid": "same" });
    let verifier = knowing(&[ec_jwk(&a, &same), ed_jwk(&ed, &same), ec_jwk(&b, &same)]);
    for token in [
        signed("ES256", Some("same"), es256(&a)),
        signed("ES256", Some("same"), es256(&b)),
        signed("EdDSA", Some("same"), eddsa(&ed)),
    ] {
        check(&verifier, &token, Ok(()));
    }
    let stranger = signed("ES256", Some("same"), es256(&ec_key()));
    check(&verifier, &stranger, Err(TokenError::Signature));
    check(&verifier, &signed("ES256", Some("same"), eddsa(&ed)), Err(TokenError::Signature));
    check(&verifier, &signed("EdDSA", Some("same"), es256(&a)), Err(TokenError::Signature));
}

#[test]
fn what_a_set_makes_public_is_no_secret_to_sign_with() {
    let (ec, ed) = (ec_key(), ed_key());
    let keys = [
        rsa_jwk(RSA_KEY, 256, &json!({ "kid": "r" })),
        ec_jwk(&ec, &json!({ "kid": "e" })),
        ed_jwk(&ed, &json!({ "kid": "d" })),
    ];
    let verifier = knowing(&keys);
    let n = pem_content(RSA_KEY);
    let secrets = [
        n[24..].to_vec(),
        n[33..n.len() - 5].to_vec(),
        keys[0]["n"].as_str().expect("it is text").as_bytes().to_vec(),
        keys[0].to_string().into_bytes(),
        set(&keys).into_bytes(),
        ec.public_key_raw().to_vec(),
        ed.public_key_raw().to_vec(),
        Vec::new(),
    ];
    for secret in secrets {
        for id in [None, Some("r"), Some("e"), Some("d"), Some("unknown")] {
            let confused = signed("HS256", id, hs256(&secret));
            check(&verifier, &confused, Err(TokenError::Signature));
        }
    }
    let unsigned = token(r#"{"alg":"none","kid":"e"}"#, &claims(), |_| Vec::new());
    check(&verifier, &unsigned, Err(TokenError::Malformed));
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        check(&verifier, &signed(algorithm, None, |_| Vec::new()), Err(TokenError::Signature));
    }
}

#[test]
fn keys_that_are_not_for_this_are_passed_over() {
    let (ec, ed) = (ec_key(), ed_key());
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key can be made");
    let secret = [9; 32];
    let mut short = ed_jwk(&ed, &json!({}));
    short["x"] = base64(&ed.public_key_raw()[1..]).into();
    let mut compressed = ec_jwk(&ec, &json!({}));
    compressed["y"] = Value::Null;
    let unusable = [
        json!({ "kty": "oct", "k": base64(&secret), "alg": "HS256" }),
        ec_jwk(&ec, &json!({ "use": "enc" })),
        ec_jwk(&ec, &json!({ "key_ops": ["deriveKey"] })),
        ec_jwk(&ec, &json!({ "alg": "ES384" })),
        ed_jwk(&ed, &json!({ "alg": "ES256" })),
        ed_jwk(&ed, &json!({ "crv": "X25519" })),
        ec_jwk(&p384, &json!({ "crv": "P-384" })),
        rsa_jwk(WEAK_RSA_KEY, 128, &json!({})),
        rsa_jwk(RSA_KEY, 256, &json!({ "alg": "RS512" })),
        rsa_jwk(RSA_KEY, 256, &json!({ "n": "!" })),
        rsa_jwk(RSA_KEY, 256, &json!({ "n": "" })),
        rsa_jwk(RSA_KEY, 256, &json!({ "n": base64(&[0xFF; 70_000]) })),
        json!({ "kty": "RSA" }),
        short,
        compressed,
        json!({ "kty": "unheard-of" }),
        json!({}),
        json!("text"),
        json!(null),
    ];
    let verifier = knowing(&unusable);
    check(&verifier, &signed("HS256", None, hs256(&secret)), Err(TokenError::Signature));
    check(&verifier, &signed("ES256", None, es256(&ec)), Err(TokenError::Algorithm));
    check(&verifier, &signed("EdDSA", None, eddsa(&ed)), Err(TokenError::Algorithm));
    check(&verifier, RSA_TOKEN, Err(TokenError::Algorithm));
    let with_good = [&unusable[..], &[ec_jwk(&ec, &json!({}))]].concat();
    check(&knowing(&with_good), &signed("ES256", None, es256(&ec)), Ok(()));
}

#[test]
fn a_number_is_the_same_number_with_zeros_in_front() {
    let mut key = rsa_jwk(RSA_KEY, 256, &json!({ "e": "AAEAAQ" }));
    let der = pem_content(RSA_KEY);
    key["n"] = base64(&[&[0, 0], &der[der.len() - 261..der.len() - 5]].concat()).into();
    check(&knowing(&[key]), RSA_TOKEN, Ok(()));
}

#[test]
fn only_a_token_that_a_new_key_could_verify_is_worth_a_fetch() {
    let (known, other) = (ec_key(), ec_key());
    let verifier = knowing(&[ec_jwk(&known, &json!({ "kid": "known" }))]);
    check(&verifier, &signed("ES256", Some("new"), es256(&other)), Err(TokenError::UnknownKey));
    check(&verifier, &signed("ES256", Some("known"), es256(&other)), Err(TokenError::Signature));
    check(&verifier, &signed("ES256", None, es256(&other)), Err(TokenError::Signature));
    check(&verifier, &signed("HS256", Some("new"), hs256(&[1])), Err(TokenError::Signature));
    for algorithm in ["HS512", "RS512", "PS256", "ES384"] {
        let token = signed(algorithm, Some("new"), es256(&other));
        check(&verifier, &token, Err(TokenError::Algorithm));
    }
    check(&own(), &signed("ES256", Some("new"), es256(&other)), Err(TokenError::Algorithm));
}

#[test]
fn a_key_from_a_file_has_no_name_and_answers_to_all() {
    let files = Files::new();
    let (pem, listed) = (ec_key(), ec_key());
    let foreign = ForeignIssuers {
        keys: vec![files.add("pem", &pem.public_key_pem())],
        key_sets: vec![KeySetSource::File(
            files.add("jwks", &set(&[ec_jwk(&listed, &json!({ "kid": "listed" }))])),
        )],
        ..ForeignIssuers::default()
    };
    let verifier = Verifier::new(Arc::new(OWN.into()), foreign).expect("the keys are right");
    check(&verifier, &signed("ES256", Some("anything"), es256(&pem)), Ok(()));
    check(&verifier, &signed("ES256", Some("listed"), es256(&listed)), Ok(()));
    let stranger = signed("ES256", Some("anything"), es256(&ec_key()));
    check(&verifier, &stranger, Err(TokenError::UnknownKey));
}

#[test]
fn what_is_no_key_set_is_told_with_its_place() {
    let files = Files::new();
    let too_many: Vec<_> = (0..65).map(|_| json!({})).collect();
    let long = format!("{{\"keys\":[{}]}}", " ".repeat(256 << 10));
    for (text, words) in [
        ("", "no key set"),
        ("{}", "missing field `keys`"),
        ("[]", "no key set"),
        ("{\"keys\":{}}", "line 1 column 8"),
        (&set(&too_many), "65 keys, and 64 are the most"),
        (&long, "more than 262144 bytes"),
    ] {
        let path = files.add("jwks", text);
        let error = with_set(&path).expect_err("it is no key set");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        let mut chain = Vec::new();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            chain.push(cause.to_string());
            next = cause.source();
        }
        assert!(chain.iter().any(|cause| cause.contains(words)), "{chain:?}");
    }
    assert!(with_set(&files.add("jwks", &set(&too_many[..64]))).is_ok());
    let missing = with_set(&files.add("jwks", "{}").with_extension("missing"));
    assert!(matches!(missing, Err(KeyError::Set(_, FetchError::Read(_)))));
}

#[test]
fn an_address_is_told_from_a_file() {
    for (text, expected) in [
        ("https://issuer.example/jwks", true),
        ("http://127.0.0.1:8080/jwks", true),
        ("jwks.json", false),
        ("/etc/keys/jwks.json", false),
    ] {
        let source: KeySetSource = text.parse().expect("it is a source");
        assert_eq!(matches!(source, KeySetSource::Url(_)), expected, "{text}");
        assert_eq!(source.to_string(), text);
    }
    for wrong in ["ftp://a.example/", "https://", "https://me:secret@a.example/", "https://a/#b"] {
        assert!(wrong.parse::<KeySetSource>().is_err(), "{wrong}");
    }
}

fn demanding(audiences: &[&str], issuers: &[&str], key: &KeyPair) -> Verifier {
    let files = Files::new();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let foreign = ForeignIssuers {
        keys: vec![files.add("pem", &key.public_key_pem())],
        audiences: owned(audiences),
        issuers: owned(issuers),
        ..ForeignIssuers::default()
    };
    Verifier::new(Arc::new(OWN.into()), foreign).expect("the key is right")
}

#[test]
fn tokens_for_others_are_refused_where_the_audience_is_named() {
    let key = ed_key();
    let verifier = demanding(&["chat", "chat-2"], &[], &key);
    let check = |claims: &Value, expected| {
        let token = token(r#"{"alg":"EdDSA"}"#, &claims_with(claims).to_string(), eddsa(&key));
        check(&verifier, &token, expected);
    };
    check(&json!({ "aud": "chat" }), Ok(()));
    check(&json!({ "aud": ["mail", "chat-2"] }), Ok(()));
    for wrong in [json!("mail"), json!([]), json!(["mail"]), json!("Chat"), json!(1), json!({})] {
        check(&json!({ "aud": wrong }), Err(TokenError::Audience));
    }
    check(&json!({}), Err(TokenError::Audience));
    self::check(&verifier, &own_token(&claims_with(&json!({}))), Ok(()));
    self::check(&verifier, &own_token(&claims_with(&json!({ "aud": "mail" }))), Ok(()));
}

#[test]
fn tokens_from_others_are_refused_where_the_issuer_is_named() {
    let key = ed_key();
    let verifier = demanding(&["chat"], &["https://issuer.example/"], &key);
    let check = |claims: &Value, expected| {
        let token = token(r#"{"alg":"EdDSA"}"#, &claims_with(claims).to_string(), eddsa(&key));
        check(&verifier, &token, expected);
    };
    check(&json!({ "aud": "chat", "iss": "https://issuer.example/" }), Ok(()));
    for wrong in [json!("https://issuer.example"), json!(""), json!(7)] {
        check(&json!({ "aud": "chat", "iss": wrong }), Err(TokenError::Issuer));
    }
    check(&json!({ "aud": "chat" }), Err(TokenError::Issuer));
    check(&json!({ "iss": "https://issuer.example/" }), Err(TokenError::Audience));
    self::check(&verifier, &own_token(&claims_with(&json!({ "iss": "me" }))), Ok(()));
}

#[test]
fn a_good_token_says_until_when_it_is_good() {
    let until = |claims: &Value| {
        let token = own_token(&claims_with(claims));
        own().verify(token.as_bytes()).expect("the token is good").valid_until
    };
    let exp = seconds_from_now(100);
    let expected = u64::try_from(exp + 30).expect("it is after 1970") * 1_000;
    assert_eq!(until(&json!({ "exp": exp })), Some(expected));
    assert_eq!(until(&json!({ "exp": u64::MAX })), Some(u64::MAX));
    let key = ed_key();
    let verifier = demanding(&[], &[], &key);
    let endless = claims_with(&json!({ "exp": null })).to_string();
    let endless = token(r#"{"alg":"EdDSA"}"#, &endless, eddsa(&key));
    assert_eq!(verifier.verify(endless.as_bytes()).expect("it is good").valid_until, None);
}

#[test]
fn only_a_token_of_this_server_is_its_own() {
    let ec = ec_key();
    let verifier = knowing(&[ec_jwk(&ec, &json!({ "kid": "e" }))]);
    let foreign = signed("ES256", Some("e"), es256(&ec));
    check(&verifier, &foreign, Ok(()));
    let own = |token: &str| verifier.verify_own(token.as_bytes()).map(drop);
    assert_eq!(own(&foreign), Err(TokenError::Algorithm));
    assert_eq!(own(&own_token(&claims_with(&json!({})))), Ok(()));
}
