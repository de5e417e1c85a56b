//! What is refused, and that the connection lives on.

use hub::{ChannelSettings, HistorySize, Limits};
use server::NodeOptions;
use server::config::demo_channels;

use crate::support::{Client, Server, join, message, open, request};

fn check(client: &mut Client, frame: &str, code: &str, text: &str) -> serde_json::Value {
    client.send(frame);
    client.read_error(code, text)
}

#[test]
fn each_refusal_has_its_code_and_its_text_and_names_what_was_asked() {
    let server = Server::start(demo_channels());
    let mut client = server.connect();
    let not_found =
        check(&mut client, &join("nowhere", true, true), "channel_not_found", "Channel not found.");
    assert_eq!(not_found["options"]["channel"], "nowhere");
    assert_eq!(not_found["payload"]["action"], "join");
    assert!(not_found["client"].is_null());
    check(
        &mut client,
        &join("marvel-hq", false, false),
        "anonymous_join_refused",
        "Anonymous clients cannot join this channel.",
    );
    let not_joined = "You must join this channel before sending messages.";
    for frame in
        [message("marvel-chat-room", "1"), message("marvel-hq", "1"), message("nowhere", "1")]
    {
        check(&mut client, &frame, "not_joined", not_joined);
    }
    check(&mut client, &request("history", "dc-chat-room"), "not_joined", not_joined);
    for name in ["", " a", "a\tb", "<b>", &"x".repeat(256)] {
        client.send(join(name, false, false));
        assert_eq!(client.read("error")["payload"]["code"], "invalid_channel_name", "{name:?}");
    }
    let dance = request("dance", "marvel-chat-room");
    let unknown = check(&mut client, &dance, "unknown_action", "Unknown action.");
    assert_eq!(unknown["payload"]["action"], "dance");
    assert_eq!(unknown["options"]["channel"], "marvel-chat-room");
    client.join("marvel-chat-room", false, false);
    check(
        &mut client,
        r#"{"action":"message","options":{"channel":"marvel-chat-room","authenticated":true}}"#,
        "messaging_disabled",
        "This kind of message is not enabled for this channel.",
    );
    client.say("marvel-chat-room", "1");
    client.read("message");
}

#[test]
fn a_channel_that_keeps_no_history_says_so() {
    let plain = ChannelSettings { history: HistorySize::default(), ..open("plain") };
    let server = Server::start(vec![plain]);
    let mut client = server.member("plain");
    let text = "Message history is not enabled for this channel.";
    check(&mut client, &request("history", "plain"), "history_disabled", text);
}

#[test]
fn the_third_malformed_frame_in_a_row_ends_the_connection() {
    let server = Server::start(vec![open("room")]);
    let mut client = server.member("room");
    for frame in ["{", "[]", "join", "{\"action\":5}", "{\"options\":{}}", ""] {
        client.send(frame);
        assert_eq!(client.read("error")["payload"]["code"], "malformed_frame");
        client.expect_nothing();
    }
    for _ in 0..3 {
        client.send("{]");
        client.read("error");
    }
    assert_eq!(client.read_close(), 1008);
}

#[test]
fn one_channel_too_many_is_refused_until_another_is_left() {
    let limits = Limits { channels_per_session: 3, ..Limits::default() };
    let options = NodeOptions { shards: 1, limits, ..NodeOptions::default() };
    check_channel_limit(options, 3);
    check_channel_limit(NodeOptions { shards: 1, ..NodeOptions::default() }, 1_000);
}

fn check_channel_limit(options: NodeOptions, limit: usize) {
    let server = Server::with_options(vec![open("chat/*")], options);
    let mut client = server.connect();
    for n in 1..=limit {
        client.join(&format!("chat/{n}"), false, false);
    }
    let text = "This connection is in too many channels.";
    check(&mut client, &join("chat/more", false, false), "too_many_channels", text);
    client.join("chat/1", false, false);
    client.send(request("leave", "chat/2"));
    client.read("leave");
    client.join("chat/more", false, false);
    client.say("chat/more", "1");
    client.read("message");
}
