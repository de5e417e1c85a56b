//! Tokens: who their bearers are to others, and what becomes of those that name nobody.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hub::ChannelSettings;
use protocol::{Permissions, RowId};
use rcgen::{KeyPair, PKCS_ED25519};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use server::auth::{Extras, SigningKey};
use server::config::ServeConfig;

use crate::program::{Program, check_serves_nothing, temporary, temporary_directory, token};
use crate::support::{Client, HASH, KEY, Server, config, join, open, request};

/// A token that ends `seconds` from now, or has ended as many seconds ago.
fn issue(key: &SigningKey, row_id: RowId, seconds: i64) -> String {
    let time = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    let expires = if seconds < 0 { now - time } else { now + time };
    let token = key.issue(&Permissions { dbo_id: 1, row_id }, &Extras::default(), expires);
    token.expect("it can be signed")
}

fn identified(server: &Server, row_id: u64) -> Client {
    Client::with_token(server.port, HASH, &issue(&KEY, RowId::Number(row_id), 60))
}

/// What the others see of a client, without its session's id.
fn who(client: &Value) -> Value {
    json!({ "extras": client["extras"], "permissions": client["permissions"] })
}

#[test]
fn a_token_from_the_command_line_opens_the_members_channel_and_names_its_bearer() {
    let program = Program::start("identity");
    let thor = ["--table-id", "7", "--row-id", "42", "--extras", r#"{"name":"Thor"}"#];
    let mut thor = Client::with_token(program.port, &program.hash, &program.token(&thor));
    let seen =
        json!({ "extras": { "name": "Thor" }, "permissions": { "dbo_id": 7, "row_id": 42 } });
    assert_eq!(who(&thor.join("marvel-hq", false, true)["client"]), seen);
    let present = thor.read("presence_full")["payload"]["presence"].clone();
    assert_eq!(who(&present[0]), seen);

    let loki = program.token(&["--table-id", "7", "--row-id", "0b1e-text", "--expires", "30s"]);
    let mut loki = Client::with_token(program.port, &program.hash, &loki);
    loki.join("marvel-hq", false, false);
    let update = thor.read("presence_update");
    assert_eq!(
        who(&update["payload"]["presence"]),
        json!({ "extras": {}, "permissions": { "dbo_id": 7, "row_id": "0b1e-text" } })
    );
    thor.say("marvel-hq", r#""I am worthy.""#);
    for client in [&mut thor, &mut loki] {
        assert_eq!(who(&client.read("message")["client"]), seen);
    }

    let mut stranger = program.connect();
    stranger.send(join("marvel-hq", false, false));
    stranger.read_error("anonymous_join_refused", "Anonymous clients cannot join this channel.");
}

#[test]
fn anonymous_members_see_who_the_others_are() {
    let server = Server::start(vec![open("room")]);
    let mut stranger = server.connect();
    stranger.join("room", false, true);
    stranger.read("presence_full");
    let mut thor = identified(&server, 5);
    thor.join("room", false, false);
    let seen = json!({ "extras": {}, "permissions": { "dbo_id": 1, "row_id": 5 } });
    let update = stranger.read("presence_update");
    assert_eq!(who(&update["payload"]["presence"]), seen);
    thor.say("room", "1");
    assert_eq!(who(&stranger.read("message")["client"]), seen);
    stranger.send(request("history", "room"));
    let history = stranger.read("history");
    assert_eq!(who(&history["payload"]["history"][0]["client"]), seen);
}

#[test]
fn what_is_for_authenticated_members_reaches_nobody_else() {
    let settings = ChannelSettings { client_authenticated_messaging: true, ..open("room") };
    let server = Server::start(vec![settings]);
    let (mut thor, mut loki) = (identified(&server, 1), identified(&server, 2));
    let mut stranger = server.member("room");
    for client in [&mut thor, &mut loki] {
        client.join("room", false, false);
    }
    let secret = json!({
        "action": "message",
        "options": { "channel": "room", "authenticated": true },
        "payload": "secret",
    });
    thor.send(secret.to_string());
    for client in [&mut thor, &mut loki] {
        let message = client.read("message");
        assert_eq!(message["payload"], "secret");
        assert_eq!(message["options"]["authenticated"], true);
    }
    thor.say("room", r#""for all""#);
    assert_eq!(stranger.read("message")["payload"], "for all");
    stranger.send(secret.to_string());
    stranger.read_error(
        "authentication_required",
        "Only authenticated clients can send this message in this channel.",
    );
}

#[test]
fn a_token_whose_time_is_over_is_refused_in_words_and_its_bearer_is_anonymous() {
    let server = Server::start(vec![open("room")]);
    let expired = issue(&KEY, RowId::Number(1), -60);
    let foreign = issue(&SigningKey::from_random([1; 32]), RowId::Number(1), 60);
    for token in [expired, foreign] {
        let mut client = Client::with_token(server.port, HASH, &token);
        client.read_error("invalid_token", "Invalid or expired authentication token.");
        let joined = client.join("room", false, false);
        let nobody = json!({ "extras": {}, "permissions": { "dbo_id": 0, "row_id": 0 } });
        assert_eq!(who(&joined["client"]), nobody);
    }
}

#[test]
fn an_identity_lasts_as_long_as_its_connection() {
    let server = Server::start(vec![open("room")]);
    // Its time is over already; the clocks of issuers are allowed to be that wrong.
    let token = issue(&KEY, RowId::Number(3), -5);
    let mut client = Client::with_token(server.port, HASH, &token);
    assert_eq!(client.join("room", false, false)["client"]["permissions"]["row_id"], 3);
    client.expect_nothing();
}

#[test]
fn where_the_operator_wants_it_a_connection_ends_with_its_token() {
    let settings = hub::Settings::new(HASH.to_owned(), vec![open("room")]);
    let config = ServeConfig { close_expired: true, ..config() };
    let server = Server::serving(config, settings, server::NodeOptions::default());
    let mut lasting = identified(&server, 1);
    lasting.join("room", false, true);
    lasting.read("presence_full");
    // Its time is over; it ends with the half minute that is allowed for wrong clocks.
    let token = issue(&KEY, RowId::Number(2), -28);
    let mut ending = Client::with_token(server.port, HASH, &token);
    ending.join("room", false, false);
    assert_eq!(lasting.read("presence_update")["payload"]["action"], "join");
    ending.read_error("invalid_token", "Invalid or expired authentication token.");
    assert_eq!(ending.read_close(), 4401);
    assert_eq!(lasting.read("presence_update")["payload"]["action"], "leave");
    lasting.expect_nothing();
}

#[test]
fn another_issuers_tokens_are_good_where_its_key_is_given() {
    let directory = temporary_directory("issuer");
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let file = directory.join("issuer.pem");
    fs::write(&file, key.public_key_pem()).expect("the file can be written");
    let names = "dbo_id:=4,row_id=sub,extras=meta".parse().expect("these are names");
    let config = ServeConfig { token_key: vec![file], token_claims: Some(names), ..config() };
    let settings = hub::Settings::new(HASH.to_owned(), vec![open("room")]);
    let server = Server::serving(config, settings, server::NodeOptions::default());

    let claims = r#"{"sub":"auth0|loki","meta":{"name":"Loki"},"aud":"api"}"#;
    let encode = |part: &[u8]| data_encoding::BASE64URL_NOPAD.encode(part);
    let message = format!("{}.{}", encode(br#"{"alg":"EdDSA"}"#), encode(claims.as_bytes()));
    let signer = Ed25519KeyPair::from_pkcs8(&key.serialize_der()).expect("the key can sign");
    let token = format!("{message}.{}", encode(signer.sign(message.as_bytes()).as_ref()));
    let mut client = Client::with_token(server.port, HASH, &token);
    assert_eq!(
        who(&client.join("room", false, false)["client"]),
        json!({ "extras": { "name": "Loki" }, "permissions": { "dbo_id": 4, "row_id": "auth0|loki" } })
    );
}

#[test]
fn the_log_tells_that_a_token_was_refused_but_nothing_of_it() {
    let log = temporary("identity-log");
    let file = File::create(&log).expect("a file can be made");
    let program = Program::start_with("identity-logged", |command| {
        command.args(["--log", "debug"]).stderr(file);
    });
    let key = program.own_keys().signs;
    let good = program.token(&[
        "--table-id",
        "1",
        "--row-id",
        "1",
        "--extras",
        r#"{"pin":"open-sesame"}"#,
    ]);
    let expired = issue(&key, RowId::Text("somebody".to_owned()), -60);
    let header =
        format!("{}.e30.AAAA", data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"unheard-of"}"#));
    for token in [&good, &expired, &header, &good[..good.len() - 3]] {
        let mut client = Client::with_token(program.port, &program.hash, token);
        if *token != good {
            client.read_error("invalid_token", "Invalid or expired authentication token.");
        }
        client.expect_nothing();
    }
    let text = fs::read_to_string(&log).expect("the log is text");
    for reason in ["has expired", "no signed JWT", "not signed with a key of this server"] {
        assert!(text.contains(reason), "{reason} in {text}");
    }
    let parts = [&good, &expired, &header].into_iter().flat_map(|token| token.split('.'));
    let parts = parts.filter(|part| part.len() > 8);
    for secret in parts.chain([&*key.reveal(), "open-sesame", "somebody", "unheard-of"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    drop(program);
}

#[cfg(unix)]
#[test]
fn signing_keys_that_others_may_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::start("shared-key");
    let check = |name, mode, warned| {
        let file = program.data_dir.join(name);
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("the file is ours");
        let output = token(&program.data_dir, &["--table-id", "1", "--row-id", "1"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success());
        assert_eq!(errors.contains("others than its owner may read"), warned, "{errors}");
    };
    for name in ["settings.db", "settings.db-wal", "settings.db-shm"] {
        check(name, 0o644, true);
        check(name, 0o640, true);
        check(name, 0o600, false);
    }
}

#[cfg(unix)]
#[test]
fn a_data_directory_that_everybody_may_write_into_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    for (mode, warned) in [(0o777, true), (0o1777, false), (0o755, false)] {
        let data_dir = temporary_directory("open-directory");
        fs::set_permissions(&*data_dir, fs::Permissions::from_mode(mode)).expect("it is ours");
        let program = Program::start_in(data_dir, |_| {});
        let log = program.log();
        assert_eq!(log.contains("everybody may replace the files"), warned, "{mode:o}: {log}");
    }
}

fn check_refused(data_dir: &Path, arguments: &[&str], texts: &[&str]) {
    let output = token(data_dir, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    for text in texts {
        assert!(errors.contains(text), "{text} in {errors}");
    }
}

#[test]
fn what_is_wrong_with_a_wish_for_a_token_is_told() {
    let nowhere = temporary("no-key");
    let right = ["--table-id", "1", "--row-id", "1"];
    check_refused(&nowhere, &right, &["error: ", "settings.db", "--data-dir", "start it once"]);
    assert!(!nowhere.exists(), "only a server creates a data directory");
    let check = |more: &[&str], texts: &[&str]| {
        check_refused(&nowhere, &[&right[..], more].concat(), texts);
    };
    check(&["--extras", "{\"a\":}"], &["JSON object", "line 1 column 6"]);
    check(&["--extras", "[1]"], &["JSON object", "line 1 column"]);
    check(&["--extras", &"x".repeat(5_000)], &["4096 bytes"]);
    for wrong in ["24", "0h", "soon"] {
        check(&["--expires", wrong], &["30s, 15m, 24h or 7d"]);
    }
    check_refused(
        &nowhere,
        &["--table-id", "0", "--row-id", "1"],
        &["--table-id", "0 is not in 1.."],
    );
    check_refused(&nowhere, &["--table-id", "1", "--row-id", "0"], &["--row-id", "nobody"]);
}

#[test]
fn what_is_wrong_with_the_keys_of_other_issuers_is_told_before_anything_is_served() {
    let directory = temporary("wrong-keys");
    let check =
        |arguments: &[&str], texts: &[&str]| check_serves_nothing(&directory, arguments, texts);
    check(&["--token-key", "missing.pem"], &["error: ", "public key", "missing.pem"]);
    check(&["--token-claims", "row_id=sub"], &["--token-key"]);
    let names = ["--token-key", "missing.pem", "--token-claims"];
    check(&[&names[..], &["user=sub"]].concat(), &["`user`", "dbo_id, row_id and extras"]);
    check(&[&names[..], &["dbo_id:=0"]].concat(), &["`dbo_id:=0`", "at least 1"]);
}
