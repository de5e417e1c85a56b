//! What the log tells, and what it never does.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use tungstenite::protocol::CloseFrame;

use crate::program::{Program, command};
use crate::support::{Client, exchange, handshake};

/// In everything that is nobody's business but the sender's and the receiver's.
const MARK: &str = "open-sesame";

fn logging(name: &str, format: &str) -> Program {
    Program::start_with(name, |command| {
        command.args(["--log", "debug", "--log-format", format]);
        command.args(["--allow-origin", "https://a.example"]);
    })
}

/// Asks the Metadata API; the whole answer.
fn admin(program: &Program, token: &str, path: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST /api:meta/workspace/1/realtime{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(program.port, &request)
}

/// Sends the mark wherever a client can put one, and lets every kind of thing go wrong with it.
fn use_everything(program: &Program) -> Vec<String> {
    let extras = format!("{{\"pin\":\"{MARK}\"}}");
    let token = program.token(&["--table-id", "1", "--row-id", MARK, "--extras", &extras]);
    let mut thor = Client::with_token(program.port, &program.hash, &token);
    let mut loki = program.connect();
    thor.join("marvel-chat-room", true, true);
    loki.join("marvel-chat-room", false, false);
    thor.read("history");
    thor.read("presence_full");
    thor.read("presence_update");
    let payload = format!("\"{MARK}\"");
    for client in [&mut thor, &mut loki] {
        client.say("marvel-chat-room", &payload);
    }
    for client in [&mut thor, &mut loki] {
        (0..2).for_each(|_| drop(client.read("message")));
    }
    let secret = fs::read_to_string(program.data_dir.join("admin-token")).expect("it is there");
    let secret = secret.trim().to_owned();
    let event = format!("{{\"channel\":\"marvel-chat-room\",\"data\":{payload}}}");
    assert!(admin(program, &secret, "/event", &event).starts_with("HTTP/1.1 200 "));
    loki.read("event");
    assert!(admin(program, MARK, "/event", &event).starts_with("HTTP/1.1 401 "));
    assert!(admin(program, &secret, "/event", &payload).starts_with("HTTP/1.1 4"));
    for wrong in [&payload, &format!("{{\"action\":\"{MARK}\"}}"), &format!("{{{MARK}")] {
        loki.send(wrong);
        loki.read("error");
    }
    let mut odin =
        Client::with_token(program.port, &program.hash, &format!("{MARK}.{MARK}.{MARK}"));
    odin.read("error");
    // It goes without a word.
    drop(odin);
    let evil = handshake(&program.hash, "Origin: https://evil.example\r\n");
    exchange(program.port, &evil.replace("Upgrade\r\n", "Upgrade, close\r\n"));
    exchange(program.port, &format!("GET /{MARK}?{MARK} HTTP/1.1\r\nConnection: close\r\n\r\n"));
    exchange(program.port, &format!("{MARK}\r\n\r\n"));
    let reason = CloseFrame { code: 4000.into(), reason: MARK.into() };
    thor.socket.close(Some(reason)).expect("the server reads");
    while thor.socket.read().is_ok() {}
    vec![MARK.to_owned(), token, secret, program.own_keys().signs.reveal()]
}

#[test]
fn no_token_no_payload_and_no_key_is_ever_logged() {
    for format in ["text", "json"] {
        let mut program = logging(&format!("log-secrets-{format}"), format);
        let secrets = use_everything(&program);
        program.signal("TERM");
        assert_eq!(program.wait(), Some(0));
        let log = program.log();
        assert!(log.contains("a token was refused"), "{log}");
        let parts = secrets.iter().flat_map(|secret| secret.split('.'));
        for part in parts.filter(|part| part.len() > 8) {
            assert!(!log.contains(part), "{part} in {log}");
        }
    }
}

#[test]
fn one_json_object_a_line_tells_the_life_of_every_connection() {
    let mut program = logging("log-lives", "json");
    let mut closes = program.connect();
    let mut breaks = program.connect();
    let mut stays = program.connect();
    [&mut closes, &mut breaks, &mut stays].into_iter().for_each(Client::expect_nothing);
    let reason = CloseFrame { code: 4000.into(), reason: "".into() };
    closes.socket.close(Some(reason)).expect("the server reads");
    program.wait_for_log("the client closes a connection");
    drop(breaks);
    program.wait_for_log("a connection broke");
    program.signal("TERM");
    assert_eq!(stays.read_close(), 1012);
    assert_eq!(program.wait(), Some(0));
    let log = program.log();
    let entries: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |message: &str| {
        let found = entries.iter().filter(|entry| entry["message"] == message);
        found.cloned().collect::<Vec<_>>()
    };
    for entry in &entries {
        assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{entry}");
    }
    let opened = of("a connection was opened");
    assert_eq!(opened.len(), 3);
    let ends = [
        &of("the client closes a connection")[..],
        &of("a connection broke")[..],
        &of("a connection is closed")[..],
    ]
    .concat();
    assert_eq!(ends.len(), 3, "{log}");
    assert_eq!((&ends[0]["close.code"], &ends[2]["close.code"]), (&4000.into(), &1012.into()));
    for entry in opened {
        assert!(ends.iter().any(|end| end["session.id"] == entry["session.id"]), "{entry}");
    }
    for message in ["serving", "stopped"] {
        assert_eq!(of(message)[0]["level"], "INFO");
    }
}

#[test]
fn why_it_does_not_start_is_such_an_object_too() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = other.local_addr().expect("a listener has an address").to_string();
    let output = command(&["--listen", &address, "--log-format", "json"]).output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let entry: Value = serde_json::from_slice(&output.stderr).expect("it is one JSON object");
    assert_eq!(entry["level"], "ERROR");
    let message = entry["message"].as_str().expect("it has a message");
    assert!(message.contains(&address) && message.contains("another program"), "{message}");
}
