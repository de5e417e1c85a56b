//! Bytes that no honest client sends; whoever sends them harms nobody else.

use std::io::{Read, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

use crate::support::{Client, Raw, Server, frame, join, message, open, text_frame};

/// A channel with two members who want nothing but to talk.
pub(crate) struct Neighbours {
    pub(crate) server: Server,
    pub(crate) speaker: Client,
    pub(crate) listener: Client,
}

impl Neighbours {
    pub(crate) fn new() -> Self {
        count_the_servers_panics();
        let server = Server::start(vec![open("room"), open("chat/*")]);
        let [speaker, listener] = [(); 2].map(|()| server.member("room"));
        Self { server, speaker, listener }
    }

    /// What is said now is the very next thing both hear.
    pub(crate) fn expect_peace(&mut self) {
        self.speaker.say("room", r#""still here""#);
        for client in [&mut self.speaker, &mut self.listener] {
            assert_eq!(client.read("message")["payload"], "still here");
        }
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a thread of a server has panicked");
    }

    /// A client that sends `bytes` is closed with `code`, be they its first or come after a join.
    pub(crate) fn check(&mut self, bytes: &[u8], code: u16) {
        let mut stranger = Raw::connect_and_send(self.server.port, bytes);
        assert_eq!(stranger.read_close(), code);
        let mut member = Raw::connect(self.server.port);
        member.join("chat/1");
        member.send(bytes);
        assert_eq!(member.read_close(), code);
        let mut rest = Vec::new();
        member.tcp.read_to_end(&mut rest).expect("the server closes the socket");
        assert!(rest.is_empty(), "nothing comes behind the close frame");
        self.expect_peace();
    }
}

/// Tests fail by a panic too, but on threads that have the test's name.
fn count_the_servers_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_test = |name: &str| name == "main" || name.contains("::");
            if !thread::current().name().is_some_and(is_test) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            usual(info);
        }));
    });
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn with_length(first: u8, length: u64) -> Vec<u8> {
    [&[first, 0x80 | 127][..], &length.to_be_bytes()].concat()
}

#[test]
fn what_breaks_the_protocol_ends_the_connection_with_its_code() {
    let mut neighbours = Neighbours::new();
    for (bytes, code) in [
        (b"\x81\x02{}".to_vec(), 1002),
        (frame(0xC1, b"{}"), 1002),
        (frame(0x91, b"{}"), 1002),
        (frame(0x83, b"{}"), 1002),
        (frame(0x8F, b""), 1002),
        (frame(0x80, b"continues nothing"), 1002),
        ([frame(0x01, b"{"), text_frame("{}")].concat(), 1002),
        (frame(0x09, b"a ping in parts"), 1002),
        (frame(0x89, &[0; 126]), 1002),
        (frame(0x88, &[0; 200]), 1002),
        (frame(0x88, &[3]), 1002),
        (frame(0x88, &1006_u16.to_be_bytes()), 1002),
        (frame(0x82, b"{}"), 1003),
        (frame(0x81, b"\"\xFF\""), 1007),
        ([frame(0x01, b"\"\xC3"), frame(0x80, b"\"")].concat(), 1007),
        (frame(0x88, b"\x03\xE8\xFF"), 1007),
        (with_length(0x81, (1 << 20) + 1), 1009),
        (with_length(0x81, 1 << 63), 1009),
        (with_length(0x81, u64::MAX), 1009),
        (with_length(0x01, 1 << 32), 1009),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
    ] {
        neighbours.check(&bytes, code);
    }
}

#[test]
fn a_message_of_the_largest_size_passes_and_one_byte_more_does_not() {
    let mut neighbours = Neighbours::new();
    let around = message("chat/1", r#""""#).len();
    let of_size = |size: usize| message("chat/1", &format!("\"{}\"", "x".repeat(size - around)));
    let mut client = neighbours.server.member("chat/1");
    client.send(of_size(1 << 20));
    let echo = client.read("message");
    assert_eq!(echo["payload"].as_str().map(str::len), Some((1 << 20) - around));
    neighbours.check(&text_frame(&of_size((1 << 20) + 1)), 1009);
}

#[test]
fn a_message_in_parts_is_one_message_and_a_ping_may_come_between() {
    let mut neighbours = Neighbours::new();
    let mut client = Raw::connect(neighbours.server.port);
    client.join("chat/1");
    let text = message("chat/1", "\"z\u{f6}lf\"");
    let (head, tail) = text.as_bytes().split_at(text.len() - 5);
    client.send(&frame(0x01, head));
    client.send(&frame(0x89, b"are you there?"));
    assert_eq!(client.read(), (0x8A, b"are you there?".to_vec()));
    let empty = frame(0x00, b"");
    client.send(&empty.repeat(50_000));
    client.send(&frame(0x80, tail));
    assert_eq!(client.read_json()["payload"], "z\u{f6}lf");
    neighbours.expect_peace();
}

#[test]
fn parts_without_an_end_are_refused_at_the_limit() {
    let mut neighbours = Neighbours::new();
    let mut client = Raw::connect(neighbours.server.port);
    let part = [b'x'; 64 << 10];
    client.send(&frame(0x01, &part));
    for _ in 1..16 {
        client.send(&frame(0x00, &part));
    }
    client.send(&frame(0x89, b""));
    assert_eq!(client.read(), (0x8A, Vec::new()), "the limit itself is no reason");
    client.send(&frame(0x00, b"x"));
    assert_eq!(client.read_close(), 1009);
    neighbours.expect_peace();
}

#[test]
fn a_connection_that_breaks_off_anywhere_is_forgotten() {
    let mut neighbours = Neighbours::new();
    let talk = [
        join("room", true, true),
        message("room", r#""broken off""#),
        crate::support::request("leave", "room"),
    ];
    let bytes: Vec<_> = talk.iter().flat_map(|text| text_frame(text)).collect();
    let whole = text_frame(&talk[0]).len() + text_frame(&talk[1]).len();
    let mut said = 0;
    for end in (0..bytes.len()).step_by(7).chain([whole, bytes.len()]) {
        drop(Raw::connect_and_send(neighbours.server.port, &bytes[..end]));
        let mut tcp = neighbours.server.tcp();
        tcp.write_all(&bytes[..end]).expect("the server reads");
        said += u32::from(end >= whole);
    }
    neighbours.speaker.say("room", r#""the end""#);
    for client in [&mut neighbours.speaker, &mut neighbours.listener] {
        let mut heard = 0;
        // The members that broke off may have been forgotten before their message was read.
        while client.read("message")["payload"] == "broken off" {
            heard += 1;
        }
        assert!(heard <= said, "{heard} of {said}");
    }
    let mut newcomer = neighbours.server.connect();
    newcomer.join("room", false, true);
    newcomer.read("presence_full");
}

#[test]
fn deep_nesting_passes_as_payload_and_kills_nothing_elsewhere() {
    let mut neighbours = Neighbours::new();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let mut client = neighbours.server.member("chat/1");
    for payload in [&deep, &objects] {
        client.say("chat/1", payload);
        assert!(client.read_text().contains(&**payload));
        for frame in [
            format!(r#"{{"action":"join","options":{{"channel":"chat/1"}},"payload":{payload}}}"#),
            format!(r#"{{"action":"ping","options":{payload}}}"#),
            format!(r#"{{"action":"ping","more":{payload}}}"#),
            format!(r#"{{"action":{payload}}}"#),
            payload.clone(),
        ] {
            client.send(frame);
            client.read_text();
            client.expect_nothing();
        }
    }
    neighbours.expect_peace();
}

#[test]
fn names_at_their_limits_are_names() {
    let server = Server::start(vec![open("a"), open("chat/*")]);
    let longest = format!("chat/{}", "x".repeat(250));
    for name in ["a", &*longest, "chat/*", "chat/ ~,+=@:._-"] {
        let mut client = server.member(name);
        client.say(name, "1");
        assert_eq!(client.read("message")["options"]["channel"], name);
    }
}

#[test]
fn a_recipient_that_is_no_id_is_nobody() {
    let private = hub::ChannelSettings { client_private_messaging: true, ..open("room") };
    let server = Server::start(vec![private]);
    let mut client = server.member("room");
    for id in [
        "",
        "x",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAB",
        "\u{1f9b8}",
        &"A".repeat(9_999),
    ] {
        client.send(format!(
            r#"{{"action":"message","options":{{"channel":"room","socketId":"{id}"}}}}"#
        ));
        client.read_error("recipient_not_found", "The recipient is not in this channel.");
    }
}
