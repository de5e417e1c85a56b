//! The tokens of other issuers, and their keys.

use std::fs;
use std::path::PathBuf;

use protocol::RowId;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::json;
use tempfile::TempDir;

use super::super::*;
use super::forge::*;

/// Files with public keys, removed when dropped.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory can be made"))
    }

    pub(super) fn add(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a file can be written");
        path
    }
}

#[test]
fn the_token_does_not_choose_how_a_key_is_used() {
    let files = Files::new();
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made");
    let keys = [files.add("rsa", RSA_KEY), files.add("ec", &ec.public_key_pem())];
    let verifier = verifier(&keys, "");
    let claims = claims_with(&json!({})).to_string();
    let rsa_der = pem_content(RSA_KEY);
    let secrets: [&[u8]; 5] = [
        RSA_KEY.as_bytes(),
        RSA_KEY.trim_end().as_bytes(),
        &rsa_der,
        // Without what says that it is an RSA key: as it is held here.
        &rsa_der[24..],
        ec.public_key_raw(),
    ];
    for secret in secrets {
        let confused = token(HS256, &claims, hs256(secret));
        assert_eq!(verifier.verify(confused.as_bytes()).err(), Some(TokenError::Signature));
    }
    let shared = token(r#"{"alg":"ES256"}"#, &claims, hs256(OWN.as_bytes()));
    assert_eq!(verifier.verify(shared.as_bytes()).err(), Some(TokenError::Signature));
    for algorithm in ["HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "EdDSA"] {
        let header = json!({ "alg": algorithm }).to_string();
        let other = token(&header, &claims, hs256(OWN.as_bytes()));
        assert_eq!(verifier.verify(other.as_bytes()).err(), Some(TokenError::Algorithm));
    }
}

#[test]
fn every_algorithm_of_other_issuers_is_understood() {
    let files = Files::new();
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made");
    let ed = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let keys = [
        files.add("rsa", RSA_KEY),
        files.add("ec", &ec.public_key_pem()),
        files.add("ed", &ed.public_key_pem()),
    ];
    let verifier = verifier(&keys, "");
    let thor = r#"{"name":"Thor"}"#;
    check_identity(verifier.verify(RSA_TOKEN.as_bytes()), 4, text("9f1c"), thor);
    let claims = r#"{"dbo_id":2,"row_id":"b","aud":"elsewhere","iss":"someone"}"#;
    let signed = token(r#"{"alg":"ES256","kid":"1"}"#, claims, es256(&ec));
    check_identity(verifier.verify(signed.as_bytes()), 2, text("b"), "{}");
    let signed = token(r#"{"alg":"EdDSA"}"#, claims, eddsa(&ed));
    check_identity(verifier.verify(signed.as_bytes()), 2, text("b"), "{}");
    // Its own tokens are as good as before.
    let own = own_token(&claims_with(&json!({})));
    check_identity(verifier.verify(own.as_bytes()), 1, RowId::Number(5), r#"{"name":"Loki"}"#);
    let changed = RSA_TOKEN.replace("QVHM", "QVHN");
    assert_eq!(verifier.verify(changed.as_bytes()).err(), Some(TokenError::Signature));
}

#[test]
fn the_times_of_other_issuers_are_kept_where_there_are_any() {
    let files = Files::new();
    let ed = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let verifier = verifier(&[files.add("ed", &ed.public_key_pem())], "");
    for (more, expected) in [
        (String::new(), Ok(())),
        (format!(r#","exp":{}"#, seconds_from_now(-60)), Err(TokenError::Expired)),
        (format!(r#","exp":{}.5"#, seconds_from_now(60)), Ok(())),
        (format!(r#","nbf":{}"#, seconds_from_now(60)), Err(TokenError::NotYet)),
        (r#","exp":null"#.to_owned(), Err(TokenError::Claim("exp"))),
        (r#","exp":"never""#.to_owned(), Err(TokenError::Claim("exp"))),
    ] {
        let claims = format!(r#"{{"dbo_id":1,"row_id":1{more}}}"#);
        let signed = token(r#"{"alg":"EdDSA"}"#, &claims, eddsa(&ed));
        assert_eq!(verifier.verify(signed.as_bytes()).map(drop), expected, "{claims}");
    }
}

#[test]
fn while_keys_are_changed_the_tokens_of_both_are_good() {
    let files = Files::new();
    let make = || KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let [old, new, strange] = [make(), make(), make()];
    let signed = |key| token(r#"{"alg":"EdDSA"}"#, r#"{"dbo_id":1,"row_id":1}"#, eddsa(key));
    let paths = [files.add("old", &old.public_key_pem()), files.add("new", &new.public_key_pem())];
    let one_file = [files.add("both", &(old.public_key_pem() + &new.public_key_pem()))];
    for keys in [&paths[..], &one_file] {
        let verifier = verifier(keys, "");
        for key in [&old, &new] {
            assert!(verifier.verify(signed(key).as_bytes()).is_ok());
        }
        let refused = verifier.verify(signed(&strange).as_bytes()).err();
        assert_eq!(refused, Some(TokenError::Signature));
    }
    let refused = verifier(&paths[1..], "").verify(signed(&old).as_bytes()).err();
    assert_eq!(refused, Some(TokenError::Signature));
}

#[test]
fn other_issuers_may_call_the_claims_what_they_like() {
    let files = Files::new();
    let ed = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let keys = [files.add("ed", &ed.public_key_pem())];
    let claims = r#"{"sub":"17","https://a.b/meta":{"a":1},"tbl":6,"dbo_id":0,"row_id":[]}"#;
    let signed = token(r#"{"alg":"EdDSA"}"#, claims, eddsa(&ed));
    for (names, table) in [
        ("dbo_id=tbl,row_id=sub,extras=https://a.b/meta", 6),
        ("dbo_id:=9, row_id=sub, extras=https://a.b/meta", 9),
    ] {
        let verifier = verifier(&keys, names);
        check_identity(verifier.verify(signed.as_bytes()), table, RowId::Number(17), r#"{"a":1}"#);
        // The names are theirs, not this server's.
        assert!(verifier.verify(own_token(&claims_with(&json!({}))).as_bytes()).is_ok());
    }
    let refused = verifier(&keys, "row_id=missing").verify(signed.as_bytes()).err();
    assert_eq!(refused, Some(TokenError::Claim("dbo_id")));
}

#[test]
fn names_that_do_not_exist_are_told() {
    let check = |text: &str, expected: ClaimNamesError| {
        assert_eq!(text.parse::<ClaimNames>().err(), Some(expected));
    };
    check("", ClaimNamesError::Syntax(String::new()));
    check("row_id", ClaimNamesError::Syntax("row_id".to_owned()));
    check("row_id=", ClaimNamesError::Syntax("row_id=".to_owned()));
    check("row_id=sub,", ClaimNamesError::Syntax(String::new()));
    check("user=sub", ClaimNamesError::Name("user".to_owned()));
    check("row_id:=1", ClaimNamesError::Name("row_id:".to_owned()));
    for wrong in ["dbo_id:=0", "dbo_id:=-1", "dbo_id:=users"] {
        check(wrong, ClaimNamesError::Table(wrong.to_owned()));
    }
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let files = Files::new();
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key can be made");
    let read = |path: PathBuf| {
        let keys = vec![path.clone()];
        let error = Verifier::new(
            Arc::new(OWN.into()),
            ForeignIssuers { keys, ..ForeignIssuers::default() },
        );
        let error = error.expect_err("the key is of no use");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        error
    };
    assert!(matches!(read(files.0.path().join("nothing")), KeyError::File { .. }));
    let broken = files.add("broken", "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n");
    assert!(matches!(read(broken), KeyError::File { .. }));
    for text in ["", "hello", &p384.serialize_pem()] {
        assert!(matches!(read(files.add("other", text)), KeyError::Missing { .. }));
    }
    let empty = "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n";
    let cut = RSA_KEY.lines().enumerate().filter(|(number, _)| *number != 3);
    let cut: String = cut.map(|(_, line)| format!("{line}\n")).collect();
    for text in [WEAK_RSA_KEY, &p384.public_key_pem(), empty, &cut] {
        assert!(matches!(read(files.add("other", text)), KeyError::Unsupported { .. }), "{text}");
    }
}

pub(super) fn pem_content(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    data_encoding::BASE64.decode(lines.as_bytes()).expect("it is base64")
}

/// Made with OpenSSL, whose private key is gone: {"dbo_id":4,"row_id":"9f1c","extras":{"name":"Thor"}}.
pub(super) const RSA_TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJkYm9faWQiOjQsInJvd19pZCI6IjlmMWMiLCJleHRyYXMiOnsib\
    mFtZSI6IlRob3IifX0.QVHM4eGMF-k5RL-P2lljF8xD4gLqqi22l59Cf9hgBigH3NpHh02DBq453wjvQRj5A-L5KGt\
    0NaHrFgbukAoGsfbzunQIvdV7nKi52lOVlPm0pVvQNNXZK_RKkHvnHDwbIJQ8ZP05zlL6_6Q6yPnjRogP3ydwrKoxp\
    Ccoagt4uc9EQvfrwQ0DbEvR3QU8mrhcoMcfAB5qKnjIXUCB9PPB6X5T0fI9aFomQjl6BNQ_rTaNWYaxc5JXVoFG24f\
    oNjcDhepFQ6xirEMgCUN6b17uhJPfJKycqgrKCD7CKFAZyfWCmT8PwbqJI_WkyfAFzr1QjTxZ3Mu9J0Z99fU107u66\
    A";
pub(super) const RSA_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyCsd6Bva094KWGi2tRV5
3gkS6sKsZLLmzn0lWn8Vr4ArgzlviL564/pgQIsandLecA5vDT/4FV8QWi/yX2dF
e2ogWXSuJk1Ih6d5v7ZvnIczj/xu+l89dBgXaVVso1Gra6gYK1m1aOj7j6IEaSRO
cWDkeOCcqMMAXsUvRYr0MLmtnX0PZSrTCDXzsnVOXUMLIHi/Uo9dcSVpXslU1BSZ
Cccudn0owbd2MVTEFAFDgoDLRO4dgW/7X8BrQuIWVnA/DT0OU0oMIWf+elnXloO5
jQMx7K0pF74m2n3/NeddMCDUIeEf2Wo+9TNaIXTT8w560PRbcJsGuKAiujHnax6v
YQIDAQAB
-----END PUBLIC KEY-----
";
/// Of 1,024 bits.
pub(super) const WEAK_RSA_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDiQmCZLrnVKm0yi6HsdLubsmDs
EGF2RWyb7dypvA+w6HXZ1xHCVslip07L7PaeA6gYXfxVxKHXI87lg+4nu3+XLVqp
iVHotheWHgdT3hdFXhMRfi2W8ORrTObDf6fiJ9YaTAuIhHwnVINq3fdc4THV6bZF
QTR0pDndst99HUf+CQIDAQAB
-----END PUBLIC KEY-----
";
