//! JSON at its edges: what a payload may hold, and what the rest of a frame may not.

use std::io::Write;
use std::thread;

use serde_json::Value;

use crate::hostile::Neighbours;
use crate::support::{Client, Raw, join, message, text_frame};

/// The answer to a frame that is none: it says why, and the connection goes on.
fn expect_malformed(client: &mut Client, frame: &str, reason: &str) {
    client.send(frame);
    let error = client.read("error");
    assert_eq!(error["payload"]["code"], "malformed_frame", "{frame}: {error}");
    let message = error["payload"]["message"].as_str().expect("an error has words");
    assert!(message.contains(reason), "{frame}: {message}");
    client.expect_nothing();
}

#[test]
fn no_payload_is_too_odd_to_arrive_as_it_was_written() {
    let mut neighbours = Neighbours::new();
    let [mut sender, mut reader] = [(); 2].map(|()| neighbours.server.member("chat/1"));
    for payload in [
        "1e999",
        "-1e-999",
        "-0",
        "-0.0",
        "12345678901234567890",
        "123456789012345678901234567890.000000000000000000001",
        r#""\ud800""#,
        r#""\udc00\ud800 and \ud83e\uddb8""#,
        r#""\u0000 and \u001f""#,
        r#"{"\ud800":"\udfff"}"#,
        r#"{"a":1,"a":2,"a":3}"#,
        r#"{"":{"":[]}}"#,
        r#"{"__proto__":{"constructor":null}}"#,
        r#""\/\b\f\n\r\t\"\\""#,
        "\"\u{feff}\u{2028}\u{2029}\u{10ffff}\u{fffe}\"",
        "[ 1 ,\t2\r\n]",
        r#"[{"action":"leave"},"\"history\":["]"#,
    ] {
        sender.say("chat/1", payload);
        for client in [&mut sender, &mut reader] {
            let text = client.read_text();
            let expected = format!(r#""payload":{payload},"id":"#);
            assert!(text.contains(&expected), "{payload} came as {text}");
        }
    }
    sender.send(r#"{"action":"history","options":{"channel":"chat/1"}}"#);
    let history = sender.read_text();
    assert!(history.contains("1e999") && history.contains(r#""\udc00\ud800 and"#), "{history}");
    neighbours.expect_peace();
}

#[test]
fn what_is_no_json_is_no_payload() {
    let mut neighbours = Neighbours::new();
    let mut client = neighbours.server.member("chat/1");
    for payload in [
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        "NaN",
        "Infinity",
        "-",
        "1e",
        "'a'",
        "tru",
        "nul",
        r#""\x""#,
        r#""\u12""#,
        "\"\u{0}\"",
        "\"\n\"",
        "\"",
        "[",
        "[1",
        "[1,]",
        "{",
        "{a:1}",
        r#"{"a"}"#,
        r#"{"a":1,}"#,
        "1 2",
        "/*1*/1",
        "\u{feff}1",
        "\u{a0}1",
        "undefined",
        "",
    ] {
        expect_malformed(&mut client, &message("chat/1", payload), "");
    }
    neighbours.expect_peace();
}

#[test]
fn a_frame_s_own_fields_are_held_to_their_types() {
    let mut neighbours = Neighbours::new();
    let mut client = neighbours.server.member("chat/1");
    for (frame, reason) in [
        (r#"{"action":"ping","action":"ping"}"#, "duplicate field `action`"),
        (r#"{"action":"message","payload":1,"payload":2}"#, "duplicate field `payload`"),
        (r#"{"action":"message","options":{},"options":{}}"#, "duplicate field `options`"),
        (r#"{"action":"join","options":{"channel":"chat/1","channel":"room"}}"#, "duplicate field"),
        (r#"{"action":null}"#, "expected a string"),
        (r#"{"action":{"toString":"join"}}"#, "expected a string"),
        (r#"{"action":1e999}"#, "number out of range"),
        (r#"{"action":"\ud800"}"#, "hex escape"),
        (r#"{"action":"join","options":{"channel":"\ud800"}}"#, "hex escape"),
        (r#"{"action":"join","options":{"channel":["chat/1"]}}"#, "expected a string"),
        (r#"{"action":"join","options":["chat/1"]}"#, ""),
        (r#"{"action":"join","options":true}"#, ""),
        (r#"{"action":"ping"} {"action":"ping"}"#, "trailing characters"),
        ("\u{feff}{\"action\":\"ping\"}", "expected value"),
        (
            r#"{"action":"message","options":{"channel":"chat/1","socketId":"\ud800"}}"#,
            "hex escape",
        ),
        (r#"{"action":"message","options":{"channel":"chat/1","socketId":{}}}"#, ""),
        (r#"{"action":"message","options":{"channel":"chat/1","authenticated":1}}"#, ""),
        (r#"{"action":"message","options":{"channel":"chat/1","id":""}}"#, "1 to 64"),
        (r#"{"action":"history","options":{"channel":"chat/1"},"payload":{"before":1e999}}"#, ""),
        (r#"{"action":"history","options":{"channel":"chat/1"},"payload":{"before":-1}}"#, ""),
        (r#"{"action":"history","options":{"channel":"chat/1"},"payload":{"limit":1.5}}"#, ""),
        (r#"{"action":"join","options":{"channel":"chat/1"},"payload":{"resume":{"seq":-1}}}"#, ""),
        (r#"{"action":"join","options":{"channel":"chat/1"},"payload":{"resume":true}}"#, ""),
        (
            r#"{"action":"join","options":{"channel":"chat/1"},"payload":{"batch":"yes"}}"#,
            "invalid type: string \"yes\", expected a boolean",
        ),
        (
            r#"{"action":"join","options":{"channel":"chat/1"},"payload":{"batch":null}}"#,
            "expected a boolean",
        ),
    ] {
        expect_malformed(&mut client, frame, reason);
    }
    let long = format!(
        r#"{{"action":"message","options":{{"channel":"chat/1","id":"{}"}}}}"#,
        "x".repeat(65)
    );
    expect_malformed(&mut client, &long, "1 to 64");
    neighbours.expect_peace();
}

#[test]
fn numbers_beyond_every_page_are_pages() {
    let mut neighbours = Neighbours::new();
    let mut client = neighbours.server.member("chat/1");
    client.say("chat/1", "1");
    client.read("message");
    for (page, count) in [
        (r#"{"before":18446744073709551615}"#, 1),
        (r#"{"before":0}"#, 0),
        (r#"{"limit":4294967295}"#, 1),
        (r#"{"limit":0}"#, 0),
    ] {
        client.send(format!(
            r#"{{"action":"history","options":{{"channel":"chat/1"}},"payload":{page}}}"#
        ));
        let history = client.read("history");
        let entries = history["payload"]["history"].as_array().map(Vec::len);
        assert_eq!(entries, Some(count), "{page}: {history}");
    }
    neighbours.expect_peace();
}

#[test]
fn an_odd_id_is_acknowledged_as_it_is() {
    let mut neighbours = Neighbours::new();
    let mut client = neighbours.server.member("chat/1");
    for id in ["\u{0}", "\"", "\u{1f9b8}", "\u{2028}", "<script>", &"\u{1f9b8}".repeat(64)] {
        let id = Value::from(id);
        client.send(format!(
            r#"{{"action":"message","options":{{"channel":"chat/1","id":{id}}},"payload":1}}"#
        ));
        client.read("message");
        assert!(client.read("ack")["payload"]["seq"].is_u64(), "{id}");
        client.send(format!(
            r#"{{"action":"message","options":{{"channel":"room","id":{id}}},"payload":1}}"#
        ));
        assert_eq!(client.read("error")["options"]["id"], id);
    }
    neighbours.expect_peace();
}

#[test]
fn a_thousand_joins_and_one_more_disturb_nobody() {
    let mut neighbours = Neighbours::new();
    let mut client = Raw::connect(neighbours.server.port);
    let mut writer = client.tcp.try_clone().expect("a socket has two ends");
    let name = |n: u32| format!("chat/{n}");
    let bytes: Vec<_> = (0..=1_000).flat_map(|n| text_frame(&join(&name(n), true, true))).collect();
    let writing = thread::spawn(move || writer.write_all(&bytes).expect("the server reads on"));
    for n in 0..1_000 {
        for action in ["join", "history", "presence_full"] {
            let frame = client.read_json();
            assert_eq!(frame["action"], action);
            assert_eq!(frame["options"]["channel"], name(n));
        }
        if n % 100 == 0 {
            neighbours.expect_peace();
        }
    }
    let refusal = client.read_json();
    assert_eq!(refusal["payload"]["code"], "too_many_channels");
    assert_eq!(refusal["options"]["channel"], "chat/1000");
    writing.join().expect("all is written");
    drop(client);
    neighbours.expect_peace();
}

#[test]
fn a_name_that_is_none_comes_back_whole_with_the_reason() {
    let mut neighbours = Neighbours::new();
    let mut client = neighbours.server.connect();
    for name in [
        "",
        " ",
        " chat/1",
        "chat/1 ",
        "chat/\u{0}",
        "chat/\u{e9}",
        "chat/\u{1f9b8}",
        "chat/\u{202e}",
    ] {
        client.send(join(name, false, false));
        let error = client.read("error");
        assert_eq!(error["payload"]["code"], "invalid_channel_name", "{name:?}");
        assert_eq!(error["options"]["channel"], name);
    }
    let longest = format!("chat/{}", "x".repeat(250));
    client.join(&longest, false, false);
    for more in [1, 1_000_000] {
        let name = format!("{longest}{}", "x".repeat(more));
        client.send(join(&name, false, false));
        let error = client.read("error");
        assert_eq!(error["payload"]["code"], "invalid_channel_name");
        // Not assert_eq: a name of a million characters is no message for people.
        assert!(error["options"]["channel"] == name);
    }
    neighbours.expect_peace();
}
