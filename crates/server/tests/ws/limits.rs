//! Every limit over real sockets: what follows when it is reached, and that it is counted.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use hub::{ChannelSettings, Limits, Rate, Settings};
use serde_json::Value;
use server::NodeOptions;
use server::config::LimitOptions;

use crate::support::{
    Client, HASH, PATIENCE, Raw, Server, config, frame, handshake, history, join, message, open,
    read_head, request, tcp, text_frame,
};

/// A server with limits in its hubs.
fn limited(channels: Vec<ChannelSettings>, limits: Limits) -> Server {
    Server::with_options(channels, NodeOptions { shards: 2, limits, ..NodeOptions::default() })
}

/// A server with limits at its door.
fn guarded(change: impl FnOnce(&mut LimitOptions)) -> Server {
    let mut config = config();
    config.trust_proxy = vec!["127.0.0.1".parse().expect("a proxy")];
    change(&mut config.limits);
    let options = NodeOptions { shards: 2, ..config.limits.node_options(None) };
    Server::serving(config, Settings::new(HASH.to_owned(), vec![open("room")]), options)
}

/// The next frame, which must be a refusal because of a rate.
fn read_refusal(client: &mut Client) -> Value {
    let frame = client.read("error");
    assert_eq!(frame["payload"]["code"], "rate_limited", "{frame}");
    assert!(frame["payload"]["retryAfter"].as_u64().is_some_and(|wait| wait > 0), "{frame}");
    frame
}

#[test]
fn a_message_beyond_the_operators_size_ends_its_connection() {
    let options = NodeOptions { max_frame: 2_000, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room")], options);
    let mut client = server.member("room");
    let around = message("room", r#""""#).len();
    let of_size = |size: usize| message("room", &format!("\"{}\"", "x".repeat(size - around)));
    client.send(of_size(2_000));
    client.read("message");
    client.send(of_size(2_001));
    assert_eq!(client.read_close(), 1009);
    assert_eq!(server.reached("frame_size"), 1);
}

#[test]
fn one_channel_too_many_is_refused_and_the_others_go_on() {
    let limits = Limits { channels_per_session: 2, ..Limits::default() };
    let server = limited(vec![open("chat/*")], limits);
    let mut client = server.member("chat/1");
    client.join("chat/2", false, false);
    client.send(join("chat/3", false, false));
    client.read_error("too_many_channels", "This connection is in too many channels.");
    assert_eq!(server.reached("channels_per_connection"), 1);
    client.say("chat/2", "1");
    client.read("message");
}

#[test]
fn who_sends_too_fast_is_told_how_long_to_wait_and_nobody_gets_what_was_refused() {
    let limits = Limits { messages: Rate::per_second(5, 3), ..Limits::default() };
    let server = limited(vec![open("room")], limits);
    let (mut hasty, mut other) = (server.member("room"), server.member("room"));
    for n in 1..=3 {
        hasty.say("room", &n.to_string());
        hasty.read("message");
    }
    hasty.send(
        r#"{"action":"message","options":{"channel":"room","id":"four"},"payload":"refused"}"#,
    );
    let refusal = read_refusal(&mut hasty);
    assert_eq!(refusal["options"]["id"], "four");
    assert_eq!(refusal["payload"]["action"], "message");
    assert!(refusal["payload"]["retryAfter"].as_u64() <= Some(200), "{refusal}");
    other.say("room", r#""not counted with it""#);
    for payload in [1.into(), 2.into(), 3.into(), Value::from("not counted with it")] {
        assert_eq!(other.read("message")["payload"], payload);
    }
    hasty.read("message");
    // It asks for as long as it is refused; then it has waited long enough.
    let mut refused = 1;
    loop {
        hasty.say("room", r#""at last""#);
        let frame = hasty.read_any();
        if frame["action"] == "message" {
            break;
        }
        refused += 1;
    }
    assert_eq!(other.read("message")["payload"], "at last");
    assert_eq!(server.reached("messages_per_second"), refused);
    assert_eq!(server.metric("xano_errors_total{code=\"rate_limited\"}"), refused);
}

#[test]
fn who_joins_too_often_is_refused_and_stays_where_it_is() {
    let limits = Limits { joins: Rate::per_second(1, 2), ..Limits::default() };
    let server = limited(vec![open("chat/*")], limits);
    let mut client = server.member("chat/1");
    client.join("chat/2", false, false);
    client.send(join("chat/3", false, false));
    assert_eq!(read_refusal(&mut client)["payload"]["action"], "join");
    client.say("chat/2", "1");
    client.read("message");
    assert_eq!(server.reached("joins_per_second"), 1);
}

#[test]
fn who_is_one_too_many_to_come_to_a_channel_is_told_when_to_come() {
    let limits = Limits { channel_joins: Rate::per_minute(4), ..Limits::default() };
    let server = limited(vec![open("room"), open("other")], limits);
    let members: Vec<_> = (0..4).map(|_| server.member("room")).collect();
    let mut late = server.connect();
    late.send(join("room", false, false));
    assert_eq!(read_refusal(&mut late)["payload"]["action"], "join");
    late.join("other", false, false);
    assert_eq!(server.reached("joins_per_channel"), 1);
    drop(members);
}

#[test]
fn it_does_not_matter_on_which_threads_those_live_who_come_to_a_channel() {
    const THREADS: usize = 4;
    let limits = Limits { channel_joins: Rate::per_minute(6), ..Limits::default() };
    let options = NodeOptions { shards: THREADS, limits, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room"), open("spread")], options);
    // Connections go to the threads in turn.
    let mut clients: Vec<_> = (0..THREADS * 8).map(|_| server.connect()).collect();
    let comes = |client: &mut Client, channel: &str| {
        client.send(join(channel, false, false));
        let frame = client.read_any();
        let code = &frame["payload"]["code"];
        assert!(frame["action"] == "join" || code == "rate_limited", "{frame}");
        frame["action"] == "join"
    };
    let of_one_thread = clients.iter_mut().step_by(THREADS);
    assert_eq!(of_one_thread.filter_map(|one| comes(one, "room").then_some(())).count(), 6);
    assert_eq!(clients.iter_mut().filter_map(|one| comes(one, "spread").then_some(())).count(), 6);
    assert!(!comes(&mut clients[1], "room"), "the other threads know of those who came");
    assert_eq!(server.reached("joins_per_channel"), 2 + 26 + 1);
}

#[test]
fn a_channels_messages_a_minute_are_counted_for_the_node_as_a_whole() {
    let slow = ChannelSettings { messages_per_minute: 4, ..open("slow") };
    let server = limited(vec![slow, open("free")], Limits::default());
    // They live on different shards.
    let mut clients: Vec<_> = (0..2).map(|_| server.member("slow")).collect();
    for n in 0..4 {
        clients[n % 2].say("slow", &n.to_string());
        clients.iter_mut().for_each(|client| drop(client.read("message")));
    }
    for client in &mut clients {
        client.say("slow", "4");
        let wait = read_refusal(client)["payload"]["retryAfter"].as_u64();
        assert!(wait > Some(10_000) && wait <= Some(15_000), "{wait:?}");
        client.join("free", false, false);
    }
    clients[0].say("free", "5");
    clients.iter_mut().for_each(|client| assert_eq!(client.read("message")["payload"], 5));
    assert_eq!(server.reached("messages_per_minute"), 2);
}

#[test]
fn a_full_node_turns_connections_away_until_one_goes() {
    let server = guarded(|limits| limits.max_connections = Some(3));
    let mut clients: Vec<_> = (0..3).map(|_| server.member("room")).collect();
    for _ in 0..10 {
        let head = knock(server.port, "");
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 5"), "{head}");
    }
    assert_eq!(server.reached("connections"), 10);
    assert_eq!(server.metric("xano_handshakes_total{outcome=\"full\"}"), 10);
    assert_eq!(server.metric("xano_connections_limit"), 3);
    clients.pop();
    server.await_metric("xano_connections", 2);
    clients.push(server.member("room"));
    clients[0].say("room", "1");
    clients.iter_mut().for_each(|client| drop(client.read("message")));
}

#[test]
fn an_address_has_so_many_connections_and_no_more_whatever_it_claims() {
    let server = guarded(|limits| limits.max_connections_per_address = 2);
    let from = |address: &str| knock(server.port, &format!("X-Forwarded-For: {address}\r\n"));
    let mut open = Vec::new();
    for address in ["192.0.2.1", "203.0.113.9, 192.0.2.1", "2001:db8::1", "2001:db8::2"] {
        let mut tcp = tcp(server.port);
        let request = handshake(HASH, &format!("X-Forwarded-For: {address}\r\n"));
        tcp.write_all(request.as_bytes()).expect("the server reads");
        assert!(read_head(&mut tcp).starts_with("HTTP/1.1 101 "), "{address}");
        open.push(tcp);
    }
    for address in ["192.0.2.1", "198.51.100.7, 192.0.2.1", "2001:db8::3"] {
        let head = from(address);
        assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("retry-after: 5"), "{head}");
    }
    assert!(from("192.0.2.2").starts_with("HTTP/1.1 101 "));
    assert_eq!(server.reached("connections_per_address"), 3);
    drop(open);
    server.await_metric("xano_connections", 0);
    assert!(from("192.0.2.1").starts_with("HTTP/1.1 101 "));
}

#[test]
fn a_connection_that_breaks_at_any_point_gives_its_place_back() {
    let server = guarded(|limits| limits.max_connections = Some(4));
    let wrong_hash = handshake("wrong", "");
    let talk = [handshake(HASH, "").into_bytes(), text_frame(&join("room", true, true))].concat();
    for end in (0..talk.len()).step_by(11).chain([talk.len()]) {
        let mut tcp = tcp(server.port);
        tcp.write_all(&talk[..end]).expect("the server reads");
        drop(tcp);
        let mut closed = Client::connect(server.port, HASH);
        closed.send("nonsense");
        closed.read("error");
        closed.socket.close(None).expect("the server reads");
        closed.read_close();
        server.await_metric("xano_connections", 0);
    }
    let mut refused = tcp(server.port);
    refused.write_all(wrong_hash.as_bytes()).expect("the server reads");
    assert!(read_head(&mut refused).starts_with("HTTP/1.1 101 "));
    refused.read_to_end(&mut Vec::new()).expect("the server ends it");
    server.await_metric("xano_connections", 0);
}

/// Tries to open a realtime connection, and drops it; the answer's head.
fn knock(port: u16, more: &str) -> String {
    let mut tcp = tcp(port);
    tcp.write_all(handshake(HASH, more).as_bytes()).expect("the server reads");
    read_head(&mut tcp)
}

#[test]
fn who_dawdles_at_the_door_keeps_nobody_out_for_long() {
    let server = guarded(|limits| {
        limits.max_handshakes = 2;
        limits.handshake_timeout = Duration::from_secs(1);
    });
    let mut dawdlers: Vec<_> = (0..2).map(|_| tcp(server.port)).collect();
    for tcp in &mut dawdlers {
        tcp.write_all(b"GET /rt/").expect("the server reads");
    }
    // It waits behind them, and is served when their time is over.
    let mut client = server.member("room");
    client.say("room", "1");
    client.read("message");
    for tcp in &mut dawdlers {
        tcp.read_to_end(&mut Vec::new()).expect("the server ends it");
    }
    assert!(server.reached("handshakes") >= 1);
    assert!(server.reached("handshake_time") >= 2);
}

#[test]
fn a_head_without_end_is_refused() {
    let server = guarded(|_| {});
    let mut tcp = tcp(server.port);
    let request = handshake(HASH, &format!("X-Long: {}\r\n", "x".repeat(20_000)));
    // It may be refused before it is all written.
    tcp.write_all(request.as_bytes()).ok();
    assert!(read_head(&mut tcp).starts_with("HTTP/1.1 431 "));
    let start = Instant::now();
    while server.reached("head_size") == 0 {
        assert!(start.elapsed() < PATIENCE, "it is counted");
    }
}

#[test]
fn who_joins_nothing_is_let_go_and_who_has_joined_may_leave_and_stay() {
    let limits = Limits { join_timeout: 2, ping_after: 1, dead_after: 60, ..Limits::default() };
    let server = limited(vec![open("room")], limits);
    let (mut idle, mut stays) = (Raw::connect(server.port), Raw::connect(server.port));
    stays.join("room");
    stays.send(&text_frame(&request("leave", "room")));
    assert_eq!(stays.read_json()["action"], "leave");
    loop {
        match idle.read() {
            (0x89, content) => idle.send(&frame(0x8A, &content)),
            (first, content) => {
                assert_eq!((first, u16::from_be_bytes([content[0], content[1]])), (0x88, 4408));
                break;
            }
        }
    }
    for _ in 0..2 {
        assert_eq!(stays.read().0, 0x89);
        stays.send(&frame(0x8A, b""));
    }
    stays.join("room");
    assert_eq!(server.reached("join_time"), 1);
    let closed = "xano_closes_total{code=\"4408\",reason=\"join_timeout\"}";
    assert_eq!(server.metric(closed), 1);
}

#[test]
fn who_gives_no_sign_of_life_is_counted_when_it_is_let_go() {
    let limits = Limits { ping_after: 1, dead_after: 2, ..Limits::default() };
    let server = limited(vec![open("room")], limits);
    let mut dead = Raw::connect(server.port);
    assert_eq!(dead.read(), (0x89, Vec::new()));
    assert_eq!(dead.read_close(), 1013);
    assert_eq!(server.reached("idle_time"), 1);
    assert_eq!(server.metric("xano_closes_total{code=\"1013\",reason=\"idle\"}"), 1);
}

#[test]
fn three_malformed_frames_are_counted_when_they_end_a_connection() {
    let server = limited(vec![open("room")], Limits::default());
    let mut client = server.connect();
    for _ in 0..3 {
        client.send("nonsense");
        client.read("error");
    }
    assert_eq!(client.read_close(), 1008);
    assert_eq!(server.reached("malformed_frames"), 1);
    assert_eq!(server.metric("xano_errors_total{code=\"malformed_frame\"}"), 3);
}

#[test]
fn who_asks_faster_than_it_is_answered_waits_and_is_answered() {
    let server = limited(vec![open("room")], Limits::default());
    let mut client = Raw::connect(server.port);
    client.join("room");
    client.send(&text_frame(&request("history", "room")).repeat(10));
    for _ in 0..10 {
        assert_eq!(client.read_json()["action"], "history");
    }
    assert!(server.reached("unread_answers") >= 1);
}

#[test]
fn what_a_reader_has_not_read_counts_over_all_its_channels() {
    const CHANNELS: usize = 50;
    let quiet = |pattern| ChannelSettings { history: history(0), ..open(pattern) };
    let options = NodeOptions { shards: 2, max_lag: 512 << 10, ..NodeOptions::default() };
    let server = Server::with_options(vec![quiet("chat/*")], options);
    let mut stopped = Raw::connect(server.port);
    let mut speaker = server.connect();
    let names: Vec<_> = (0..CHANNELS).map(|n| format!("chat/{n}")).collect();
    for name in &names {
        stopped.join(name);
        speaker.join(name, false, false);
    }
    // In no channel does more wait than a fifth of what may wait in all.
    let word = format!("\"{}\"", "x".repeat(100_000));
    let mut said = 0;
    while server.reached("lag") == 0 {
        assert!(said < 4, "50 times 100 KB in {said} rounds, and nobody minds");
        for name in &names {
            speaker.say(name, &word);
            speaker.read("message");
        }
        said += 1;
    }
    assert_eq!(stopped.read_close(), 1013);
    assert_eq!(server.metric("xano_closes_total{code=\"1013\",reason=\"too_slow\"}"), 1);
}

#[test]
fn a_sender_that_is_faster_than_the_server_can_write_waits_and_no_reader_is_closed() {
    const READERS: usize = 400;
    const MESSAGES: usize = 400;
    let quiet = ChannelSettings { history: history(0), ..open("room") };
    let options = NodeOptions { shards: 2, max_lag: 256 << 10, ..NodeOptions::default() };
    let server = Server::with_options(vec![quiet], options);
    let mut sender = Raw::connect(server.port);
    // Every second connection lives on the sender's shard; those join nothing.
    let mut readers = Vec::new();
    let mut others = Vec::new();
    for _ in 0..READERS {
        let mut reader = Raw::connect(server.port);
        reader.join("room");
        readers.push(reader);
        others.push(server.tcp());
        let other = others.last_mut().expect("one was pushed");
        other.write_all(handshake(HASH, "").as_bytes()).expect("the server reads");
        read_head(other);
    }
    sender.join("room");
    let word = text_frame(&message("room", &format!("\"{}\"", "x".repeat(16 << 10))));
    let mut writer = Raw { tcp: sender.tcp.try_clone().expect("a socket can be shared") };
    let sending = thread::spawn(move || (0..MESSAGES).for_each(|_| writer.send(&word)));
    let echoes = thread::spawn(move || {
        (0..MESSAGES).for_each(|_| assert_eq!(sender.read().0, 0x81, "everything is sent"));
    });
    // They read as fast as can be: all that is there, and only the last message's end is looked at.
    let end = format!("\"seq\":{MESSAGES}}}");
    let mut bytes = vec![0; 1 << 20];
    while !readers.is_empty() {
        readers.retain_mut(|reader| {
            let count = reader.tcp.read(&mut bytes).expect("something comes");
            assert!(count > 0, "nobody is closed before it has everything");
            !bytes[..count].ends_with(end.as_bytes())
        });
    }
    sending.join().expect("everything is taken");
    echoes.join().expect("everything comes back");
    assert!(server.reached("backlog") > 0, "the sender had to wait");
    assert_eq!((server.reached("lag"), server.reached("queue")), (0, 0));
    server.await_metric("xano_held_connections", 0);
}
