//! Frames that chance has spoilt: whatever comes, each answer is one that PROTOCOL.md knows.

use std::io::ErrorKind;

use protocol::{CloseCode, ErrorCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tungstenite::{Error, Message};

use crate::hostile::Neighbours;
use crate::support::{Client, HASH, Raw, frame, handshake, read_head};

/// A frame of the server's, with no key but those that are documented.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerFrame<'a> {
    action: String,
    options: Option<Value>,
    client: Option<Value>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    id: Option<String>,
    ts: Option<u64>,
    seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct History<'a> {
    #[serde(borrow)]
    history: Vec<&'a RawValue>,
    #[serde(default, rename = "more")]
    _more: Option<bool>,
}

/// Chance that comes out the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// A frame with up to four faults.
    fn spoil(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = at + self.below((bytes.len() - at).min(12) + 1);
            match self.below(6) {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, self.below(128) as u8),
                2 => bytes.extend_from_within(at..end),
                3 => drop(bytes.splice(at..end, self.one_of(WORDS).bytes())),
                4 if at < bytes.len() => bytes[at] ^= 1 << self.below(7),
                _ => bytes.truncate(end),
            }
        }
        bytes
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// Keys of which each must be there, or, behind a question mark, may be.
fn has_keys(value: &Value, allowed: &str) -> bool {
    let known = |key: &str| allowed.split(' ').any(|one| one.trim_start_matches('?') == key);
    let present = |one: &str| one.starts_with('?') || value.get(one).is_some();
    value.is_object()
        && keys(value).into_iter().all(known)
        && allowed.split(' ').filter(|one| !one.is_empty()).all(present)
}

fn is_client(value: &Value) -> bool {
    has_keys(value, "socketId extras permissions")
        && value["socketId"].as_str().is_some_and(|id| id.len() == 22)
        && has_keys(&value["permissions"], "dbo_id row_id")
}

fn is_documented(text: &str) -> bool {
    let Ok(frame) = serde_json::from_str::<ServerFrame<'_>>(text) else { return false };
    if frame.action == "pong" {
        return text == r#"{"action":"pong"}"#;
    }
    let Some(options) = &frame.options else { return false };
    let payload = frame.payload.map_or("null", RawValue::get);
    let content = || serde_json::from_str::<Value>(payload).unwrap_or_default();
    let channel = || has_keys(options, "channel");
    let is_publication = frame.id.is_some() && frame.ts.is_some();
    let is_plain = !is_publication && frame.seq.is_none();
    let by_client = frame.client.as_ref().is_some_and(is_client);
    match &*frame.action {
        "message" => {
            is_publication && by_client && has_keys(options, "authenticated socketId channel")
        }
        "join" => {
            let ack = "socketId epoch seq history presence features pingInterval ?resumed ?reason";
            is_plain && by_client && channel() && has_keys(&content(), ack)
        }
        "leave" => is_plain && by_client && channel() && payload == "null",
        "ack" => is_plain && has_keys(options, "channel id") && has_keys(&content(), "id ts ?seq"),
        "history" => {
            let entries = serde_json::from_str::<History<'_>>(payload);
            let documented = |entry: &&RawValue| is_documented(entry.get());
            is_plain
                && frame.client.is_none()
                && channel()
                && entries.is_ok_and(|history| history.history.iter().all(documented))
        }
        "presence_full" => {
            let content = content();
            let members = content["presence"].as_array();
            is_plain && channel() && members.is_some_and(|members| members.iter().all(is_client))
        }
        "presence_update" => {
            let content = content();
            is_plain
                && channel()
                && has_keys(&content, "action presence")
                && is_client(&content["presence"])
        }
        "error" => is_plain && frame.client.is_none() && is_error(options, &content()),
        _ => false,
    }
}

fn is_error(options: &Value, payload: &Value) -> bool {
    let code = ErrorCode::deserialize(&payload["code"]);
    has_keys(options, "?channel ?id")
        && has_keys(payload, "message code ?action")
        && payload["message"].as_str().is_some_and(|message| !message.is_empty())
        && code.is_ok_and(|code| ErrorCode::ALL.contains(&code))
}

/// Reads all answers to what was sent; `None` if the connection was closed, as it may be.
fn read_answers(client: &mut Client, sent: &[u8], end: usize) -> Option<usize> {
    let fence = format!(r#"{{"action":"end {end}"}}"#);
    // The close frame may be on its way already.
    client.socket.send(Message::text(&*fence)).ok();
    let mut count = 0;
    loop {
        match client.socket.read() {
            Ok(Message::Text(text)) => {
                assert!(is_documented(&text), "{}\nis answered with {text}", sent.escape_ascii());
                if text.contains(&format!(r#""action":"end {end}"}}"#)) {
                    return Some(count);
                }
                count += 1;
            }
            Ok(Message::Close(close)) => {
                let code = close.map(|close| u16::from(close.code));
                assert_eq!(code, Some(CloseCode::PolicyViolation.number()));
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return None,
            Err(error) => panic!("{}\nbreaks the connection: {error}", sent.escape_ascii()),
        }
    }
}

#[test]
fn whatever_text_comes_every_answer_is_a_documented_one() {
    let mut neighbours = Neighbours::new();
    let mut chance = Chance(0x5EED_2026);
    let mut client = neighbours.server.member("chat/fuzz");
    let mut answers = 0;
    for n in 0..10_000 {
        let valid = chance.one_of(VALID);
        let bytes = chance.spoil(valid);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        client.socket.send(Message::text(text)).expect("the server reads");
        match read_answers(&mut client, &bytes, n) {
            Some(count) => answers += count,
            None => client = neighbours.server.member("chat/fuzz"),
        }
        if n % 500 == 0 {
            neighbours.expect_peace();
        }
    }
    assert!(answers > 5_000, "{answers} answers are too few: nothing was understood");
    neighbours.expect_peace();
}

#[test]
fn whatever_bytes_come_every_answer_is_a_documented_one() {
    let mut neighbours = Neighbours::new();
    let mut chance = Chance(0xB17E_5EED);
    let mut codes = std::collections::BTreeSet::new();
    for n in 0..1_000 {
        let mut stream = Vec::new();
        for _ in 0..4 {
            let opcode = [0x81, 0x81, 0x01, 0x80, 0x00, 0x89, 0x8A, 0x88, 0x82][chance.below(9)];
            stream.extend(frame(opcode, chance.one_of(VALID).as_bytes()));
        }
        for _ in 0..chance.below(4) {
            let at = chance.below(stream.len());
            stream[at] ^= 1 << chance.below(8);
        }
        stream.truncate(stream.len() - chance.below(40));
        let mut raw = Raw { tcp: neighbours.server.tcp() };
        raw.send(handshake(HASH, "").as_bytes());
        assert!(read_head(&mut raw.tcp).starts_with("HTTP/1.1 101 "));
        raw.send(&stream);
        // The end of what is sent, so that one that waits for more is not waited for.
        raw.tcp.shutdown(std::net::Shutdown::Write).expect("a socket has two ends");
        if let Some(code) = read_to_the_end(&mut raw, &stream) {
            codes.insert(code);
        }
        if n % 100 == 0 {
            neighbours.expect_peace();
        }
    }
    let documented = [1000, 1002, 1003, 1007, 1008, 1009];
    assert!(codes.iter().all(|code| documented.contains(code)), "{codes:?}");
    assert!(codes.len() >= 3, "chance has found no more than {codes:?}");
    neighbours.expect_peace();
}

/// Reads frames until the connection ends; the close code, if there was one.
fn read_to_the_end(raw: &mut Raw, sent: &[u8]) -> Option<u16> {
    loop {
        match raw.tcp.peek(&mut [0; 2]) {
            Ok(0) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            other => drop(other.expect("the connection ends in time")),
        }
        match raw.read() {
            (0x81, content) => {
                let text = String::from_utf8(content).expect("text frames are text");
                assert!(is_documented(&text), "{}\nis answered with {text}", sent.escape_ascii());
            }
            (0x8A, content) => assert!(content.len() <= 125),
            (0x88, content) => return Some(u16::from_be_bytes([content[0], content[1]])),
            (first, _) => panic!("{first:#x} is no frame of this server's"),
        }
    }
}

const VALID: &[&str] = &[
    r#"{"action":"join","options":{"channel":"chat/fuzz"},"payload":{"history":true,"presence":true}}"#,
    r#"{"action":"join","options":{"channel":"chat/b"},"payload":{"resume":{"epoch":"e","seq":3}}}"#,
    r#"{"action":"message","options":{"channel":"chat/fuzz"},"payload":{"text":"hello","n":[1,2.5,null]}}"#,
    r#"{"action":"message","options":{"channel":"chat/fuzz","id":"m1","authenticated":false},"payload":"x"}"#,
    r#"{"action":"message","options":{"channel":"chat/fuzz","socketId":"AAAAAAAAAAAAAAAAAAAAAA"},"payload":1}"#,
    r#"{"action":"history","options":{"channel":"chat/fuzz"},"payload":{"before":7,"limit":2}}"#,
    r#"{"action":"history","options":{"channel":"chat/fuzz"},"payload":{"limit":3}}"#,
    r#"{"action":"leave","options":{"channel":"chat/b"},"payload":null}"#,
    r#"{"action":"ping"}"#,
];

const WORDS: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "-0",
    "1e999",
    "18446744073709551616",
    "\\ud800",
    "\\u0000",
    "\u{1f9b8}",
    "\"",
    "\\",
    "{\"a\":",
    "[[",
    "}}",
    ",",
    ":",
    "\"action\":\"leave\",",
    "\"channel\":\"room\",",
    "\"id\":\"1\",",
    "\"payload\":",
    "chat/",
    "..",
    " ",
    "\u{0}",
];
