//! What is said reaches everybody once, in one order, without a gap.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use server::NodeOptions;

use crate::support::{IO_URING, Raw, Server, message, open, text_frame};

#[test]
fn everybody_on_every_shard_reads_the_same_messages_in_the_same_order() {
    IO_URING.iter().for_each(|io_uring| talk_on_every_shard(*io_uring));
}

fn talk_on_every_shard(io_uring: bool) {
    const CLIENTS: usize = 7;
    const EACH: usize = 150;
    let options = NodeOptions { shards: 3, io_uring, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room")], options);
    let clients: Vec<_> = (0..CLIENTS).map(|_| server.member("room")).collect();
    let talk = |(me, mut client): (usize, crate::support::Client)| {
        thread::spawn(move || {
            for n in 0..EACH {
                client.say("room", &format!("[{me},{n}]"));
            }
            let heard = |_| {
                let mut frame = client.read("message");
                frame["client"] = frame["client"]["socketId"].take();
                frame
            };
            (0..CLIENTS * EACH).map(heard).collect::<Vec<_>>()
        })
    };
    let threads: Vec<_> = clients.into_iter().enumerate().map(talk).collect();
    let heard: Vec<_> =
        threads.into_iter().map(|thread| thread.join().expect("nobody is cut off")).collect();
    for other in &heard[1..] {
        assert_eq!(*other, heard[0]);
    }
    let seqs: Vec<_> = heard[0].iter().map(|frame| frame["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=(CLIENTS * EACH) as u64).map(Some).collect::<Vec<_>>());
    let ids: HashSet<_> = heard[0].iter().map(|frame| frame["id"].to_string()).collect();
    assert_eq!(ids.len(), CLIENTS * EACH);
    for me in 0..CLIENTS {
        let own = heard[0].iter().filter(|frame| frame["payload"][0] == me);
        let said: Vec<_> = own.map(|frame| frame["payload"][1].clone()).collect();
        assert_eq!(said, (0..EACH).map(Value::from).collect::<Vec<_>>(), "{me} is heard in order");
    }
}

#[test]
fn who_joins_in_the_middle_of_a_stream_misses_nothing_and_gets_nothing_twice() {
    // The speaker may get its echoes as late as it likes.
    let options = NodeOptions { shards: 3, max_lag: 256 << 20, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room")], options);
    let mut speaker = Raw::connect(server.port);
    speaker.join("room");
    let mut echoes = speaker.tcp.try_clone().expect("a socket can be shared");
    let listener = thread::spawn(move || io::copy(&mut echoes, &mut io::sink()).ok());
    let done = Arc::new(AtomicBool::new(false));
    let speaking = Arc::clone(&done);
    let words: Vec<u8> =
        (0..20).flat_map(|n| text_frame(&message("room", &n.to_string()))).collect();
    let flood = thread::spawn(move || {
        while !speaking.load(Ordering::Relaxed) {
            speaker.send(&words);
        }
    });
    for round in 0..30 {
        let mut client = server.connect();
        let ack = client.join("room", true, round % 2 == 0);
        let history = client.read("history");
        let mut last = ack["payload"]["seq"].as_u64().expect("the answer says where we are");
        let kept = history["payload"]["history"].as_array().expect("a list").clone();
        let oldest = last + 1 - kept.len() as u64;
        for (entry, seq) in kept.iter().zip(oldest..) {
            assert_eq!(entry["seq"], seq, "history is without a gap, up to the answer's number");
        }
        assert!(round == 0 || !kept.is_empty(), "the speaker speaks");
        let mut live = 0;
        while live < 100 {
            let frame = client.read_any();
            if frame["action"] == "message" {
                last += 1;
                live += 1;
                assert_eq!(frame["seq"], last, "live goes on where history ends");
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    flood.join().expect("the speaker is never cut off");
    drop(server);
    listener.join().expect("the echoes end with the server");
}

#[test]
fn a_payload_comes_through_byte_for_byte() {
    let server = Server::start(vec![open("room")]);
    let mut client = server.member("room");
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for payload in [
        "123456789012345678901234567890123456789012345678901234567890",
        "-0.10e+400",
        "1E400",
        r#"{"b":1,"a":2,"b":3,"":null}"#,
        r#""\ud800 \u0000 <\/script> \"""#,
        "\"z\u{f6}lf \u{1f9b8}\"",
        "{ \"spaces\" : [ 1 , 2 ] }",
        "[]",
        "null",
        &nested,
    ] {
        client.say("room", payload);
        let text = client.read_text();
        let (_, rest) = text.split_once(r#","payload":"#).expect("there is a payload");
        let (got, _) = rest.rsplit_once(r#","id":"#).expect("there is an id behind it");
        assert_eq!(got, payload);
    }
    client.send(r#"{"action":"message","options":{"channel":"room"}}"#);
    assert_eq!(client.read("message")["payload"], Value::Null);
}

#[test]
fn a_private_message_reaches_one_client_and_no_history() {
    let private = hub::ChannelSettings { client_private_messaging: true, ..open("room") };
    let server = Server::start(vec![private]);
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let ids: Vec<_> = clients
        .iter_mut()
        .map(|client| client.join("room", false, false)["payload"]["socketId"].clone())
        .collect();
    let secret = json!({
        "action": "message",
        "options": { "channel": "room", "socketId": ids[1] },
        "payload": "secret",
    });
    clients[0].send(secret.to_string());
    let got = clients[1].read("message");
    assert_eq!(
        got["options"],
        json!({ "authenticated": false, "socketId": ids[1], "channel": "room" })
    );
    assert_eq!((&got["payload"], &got["client"]["socketId"]), (&json!("secret"), &ids[0]));
    clients[2].join("room", true, false);
    assert_eq!(clients[2].read("history")["payload"]["history"], json!([]));
    clients[0].say("room", r#""public""#);
    for client in &mut clients {
        assert_eq!(client.read("message")["payload"], "public");
    }
}

#[test]
fn one_connection_can_be_in_many_channels_and_none_gets_another_s_messages() {
    let server = Server::start(vec![open("chat/*")]);
    let mut speaker = server.connect();
    let mut listener = server.connect();
    let channels: Vec<_> = (0..50).map(|n| format!("chat/{n}")).collect();
    for channel in &channels {
        speaker.join(channel, false, false);
        listener.join(channel, false, false);
    }
    for (n, channel) in channels.iter().enumerate() {
        speaker.say(channel, &n.to_string());
    }
    let mut heard = HashSet::new();
    for _ in &channels {
        let frame = listener.read("message");
        let channel = format!("chat/{}", frame["payload"]);
        assert_eq!(frame["options"]["channel"], channel.as_str());
        assert_eq!(frame["seq"], 1);
        assert!(heard.insert(channel));
    }
    listener.expect_nothing();
}
