//! Keys that the operator changes while people are connected, and those of an earlier version.

use std::fs;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde_json::{Value, json};
use server::auth::SigningKey;

use crate::program::{Program, temporary_directory};
use crate::support::Client;

/// The key that a token names.
fn key_id(token: &str) -> String {
    let (header, _) = token.split_once('.').expect("a token has a header");
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).expect("it is base64url");
    let header: Value = serde_json::from_slice(&header).expect("it is JSON");
    header["kid"].as_str().expect("it names its key").to_owned()
}

fn token(program: &Program, row_id: &str) -> String {
    program.token(&["--table-id", "1", "--row-id", row_id])
}

fn bearer(program: &Program, token: &str) -> Client {
    Client::with_token(program.port, &program.hash, token)
}

/// A client whose token is good, which it is only then that it may come in here.
fn member(program: &Program, token: &str) -> Client {
    let mut client = bearer(program, token);
    client.join("marvel-hq", false, false);
    client
}

fn check_refused(program: &Program, token: &str) {
    bearer(program, token).read_error("invalid_token", "Invalid or expired authentication token.");
}

#[test]
fn a_new_key_signs_at_once_and_disturbs_nobody_and_a_removed_one_is_good_no_longer() {
    let program = Program::start("rotation");
    let old = token(&program, "1");
    assert_eq!(key_id(&old), program.own_keys().signs.id());
    let mut thor = member(&program, &old);

    let made = program.administer("POST", "/key", &json!({}));
    assert!(made.starts_with("HTTP/1.1 200 "), "{made}");
    let new = token(&program, "2");
    let keys = program.own_keys();
    assert_eq!((key_id(&new), key_id(&old)), (keys.signs.id(), keys.retired[0].id()));
    let mut loki = member(&program, &new);
    member(&program, &old);

    let refused = program.administer("DELETE", "/key/2", &json!({}));
    assert!(refused.starts_with("HTTP/1.1 400 "), "it signs: {refused}");
    let removed = program.administer("DELETE", "/key/1", &json!({}));
    assert!(removed.starts_with("HTTP/1.1 200 "), "{removed}");
    check_refused(&program, &old);
    member(&program, &new);
    let log = program.wait_for_log("a signing key was removed");
    assert!(log.contains("a new key signs tokens") && log.contains(&key_id(&new)), "{log}");

    // Who came with the old key has noticed nothing of all that.
    thor.say("marvel-hq", "1");
    for client in [&mut thor, &mut loki] {
        assert_eq!(client.read("message")["payload"], 1);
    }
    thor.expect_nothing();
    let program = program.restart_after_a_kill(|_| {});
    check_refused(&program, &old);
    member(&program, &new);
}

#[test]
fn the_tokens_that_an_earlier_version_signed_are_good_for_as_long_as_its_key_is_kept() {
    let key = [9; 32];
    let data_dir = temporary_directory("earlier");
    let file = data_dir.join("signing-key");
    fs::write(&file, SigningKey::from_random(key).reveal() + "\n").expect("it can be written");
    let program = Program::start_in(data_dir, |_| {});
    assert!(!file.exists(), "its key is in the settings now");

    let parts = [r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"dbo_id":1,"row_id":5,"exp":9999999999}"#];
    let message = parts.map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), message.as_bytes());
    let legacy = format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()));
    member(&program, &legacy);
    assert_eq!(key_id(&token(&program, "1")), SigningKey::from_random(key).id());

    program.administer("POST", "/key", &json!({}));
    member(&program, &legacy);
    program.administer("DELETE", "/key/1", &json!({}));
    check_refused(&program, &legacy);
}
