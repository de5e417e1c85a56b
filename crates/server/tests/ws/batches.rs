//! Members that want what comes together as one message, and those who never asked.

use hub::batch::MAX_BATCH;
use serde_json::{Value, json};
use server::NodeOptions;

use crate::support::{Client, Raw, Server, join, message, open, text_frame};

/// One shard, so that what one client sends with one write comes together for everybody.
fn one_shard() -> Server {
    Server::with_options(vec![open("room")], NodeOptions { shards: 1, ..NodeOptions::default() })
}

/// A client that is in the room and has asked for batches.
fn batch_member(server: &Server, more: &Value) -> Client {
    let mut client = server.connect();
    ask(&mut client, more);
    client
}

/// Joins the room, once more maybe; the answer's payload.
fn ask(client: &mut Client, payload: &Value) -> Value {
    let options = json!({ "channel": "room" });
    let join = json!({ "action": "join", "options": options, "payload": payload });
    client.send(join.to_string());
    let mut answer = client.read("join");
    let features = answer["payload"]["features"].as_array().expect("a list");
    assert!(features.contains(&"batch".into()), "{answer}");
    answer["payload"].take()
}

/// The frames of the next message, and how large it was.
fn read_frames(client: &mut Client) -> (Vec<Value>, usize) {
    let text = client.read_text();
    let frames: Value = serde_json::from_str(&text).expect("a message is JSON");
    match frames {
        Value::Array(frames) => {
            assert!(frames.len() > 1, "one alone is no array: {text}");
            (frames, text.len())
        }
        frame => (vec![frame], text.len()),
    }
}

fn payloads(frames: &[Value]) -> Vec<&Value> {
    frames.iter().map(|frame| &frame["payload"]).collect()
}

/// Sends messages with one write.
fn say_together(speaker: &mut Raw, payloads: impl IntoIterator<Item = String>) {
    let frames = payloads.into_iter().map(|payload| text_frame(&message("room", &payload)));
    speaker.send(&frames.collect::<Vec<_>>().concat());
}

#[test]
fn who_asked_for_batches_gets_what_came_together_in_one_message() {
    let server = one_shard();
    let mut listeners: Vec<_> =
        (0..3).map(|_| batch_member(&server, &json!({ "batch": true }))).collect();
    let mut speaker = Raw::connect(server.port);
    speaker.join("room");
    say_together(&mut speaker, (1..=20).map(|n| n.to_string()));
    for listener in &mut listeners {
        let (frames, _) = read_frames(listener);
        assert_eq!(payloads(&frames), (1..=20).collect::<Vec<_>>());
        assert!((1..=20).eq(frames.iter().filter_map(|frame| frame["seq"].as_u64())));
        assert_eq!(frames[0]["options"]["channel"], "room");
    }
    say_together(&mut speaker, ["\"alone\"".to_owned()]);
    for listener in &mut listeners {
        assert_eq!(listener.read("message")["payload"], "alone");
        listener.expect_nothing();
    }
    // A frame is a delivery to each reader, however few messages it comes in.
    server.await_metric("xano_deliveries_total", 21 * 4);
}

#[test]
fn who_did_not_ask_gets_the_frames_of_old() {
    let server = one_shard();
    let mut asked = batch_member(&server, &json!({ "batch": true }));
    let mut plain = server.member("room");
    let mut refused = batch_member(&server, &json!({ "batch": false }));
    let mut speaker = Raw::connect(server.port);
    speaker.join("room");
    say_together(&mut speaker, (1..=5).map(|n| n.to_string()));
    assert_eq!(read_frames(&mut asked).0.len(), 5);
    for client in [&mut plain, &mut refused] {
        (1..=5).for_each(|n| assert_eq!(client.read("message")["payload"], n));
    }
    (1..=5).for_each(|n| assert_eq!(speaker.read_json()["payload"], n));
}

#[test]
fn who_joins_again_says_again_whether_it_wants_batches() {
    let server = one_shard();
    let mut listener = batch_member(&server, &json!({ "batch": true }));
    let mut speaker = Raw::connect(server.port);
    speaker.join("room");
    for (batch, messages) in [(None, 3), (Some(true), 1), (Some(false), 3), (Some(true), 1)] {
        let payload = batch.map_or(json!({}), |batch| json!({ "batch": batch }));
        ask(&mut listener, &payload);
        say_together(&mut speaker, (1..=3).map(|n| n.to_string()));
        let mut frames = Vec::new();
        (0..messages).for_each(|_| frames.extend(read_frames(&mut listener).0));
        assert_eq!(payloads(&frames), [1, 2, 3]);
        listener.expect_nothing();
    }
}

#[test]
fn presence_updates_come_in_batches_and_answers_never_do() {
    let server = one_shard();
    let mut listener = batch_member(&server, &json!({ "batch": true, "presence": true }));
    listener.read("presence_full");
    // One comes, says something and goes, all at once.
    let mut guest = Raw::connect(server.port);
    let leave = r#"{"action":"leave","options":{"channel":"room"},"payload":null}"#;
    let texts = [&join("room", false, false), &message("room", "1"), &leave.to_owned()];
    guest.send(&texts.map(|text| text_frame(text)).concat());
    let mut frames = Vec::new();
    while frames.len() < 3 {
        frames.extend(read_frames(&mut listener).0);
    }
    let actions: Vec<_> = frames.iter().map(|frame| frame["action"].clone()).collect();
    assert_eq!(actions, ["presence_update", "message", "presence_update"]);
    listener.expect_nothing();

    // Who sends: its echoes are told together, each ack alone and behind its echo.
    let named = |n| {
        let options = format!(r#"{{"channel":"room","id":"id-{n}"}}"#);
        text_frame(&format!(r#"{{"action":"message","options":{options},"payload":{n}}}"#))
    };
    let mut sender = Raw::connect(server.port);
    let asking = r#"{"action":"join","options":{"channel":"room"},"payload":{"batch":true}}"#;
    sender.send(&text_frame(asking));
    assert_eq!(sender.read_json()["action"], "join");
    sender.send(&(1..=4).map(named).collect::<Vec<_>>().concat());
    let (mut echoed, mut acked) = (0, 0);
    while acked < 4 {
        match sender.read_json() {
            Value::Array(frames) => {
                assert!(frames.iter().all(|frame| frame["action"] == "message"));
                echoed += frames.len();
            }
            frame if frame["action"] == "message" => echoed += 1,
            frame => {
                acked += 1;
                assert_eq!(frame["options"]["id"], format!("id-{acked}"));
                assert!(echoed >= acked, "an ack is behind its echo");
            }
        }
    }
    assert_eq!(echoed, 4);
}

#[test]
fn a_batch_is_never_larger_than_its_bound() {
    let server = one_shard();
    let mut listener = batch_member(&server, &json!({ "batch": true }));
    let mut speaker = Raw::connect(server.port);
    speaker.join("room");
    let mut last = 0;
    // Some larger than a batch may be, some that fit often, some that fit twice.
    for (size, count) in [(100, 300), (MAX_BATCH, 3), (1_000, 60), (7_900, 8)] {
        let payload = format!("\"{}\"", "x".repeat(size));
        say_together(&mut speaker, (0..count).map(|_| payload.clone()));
        let (mut read, mut messages) = (0, 0);
        while read < count {
            let (frames, length) = read_frames(&mut listener);
            assert!(frames.len() == 1 || length <= MAX_BATCH, "{} in {length}", frames.len());
            assert!(size < MAX_BATCH || frames.len() == 1, "a large one comes alone");
            for frame in &frames {
                last += 1;
                assert_eq!(
                    (&frame["seq"], frame["payload"] == payload[1..=size]),
                    (&last.into(), true)
                );
            }
            read += frames.len();
            messages += 1;
        }
        assert!(size == MAX_BATCH || messages < count, "{messages} messages for {count} frames");
    }
}

#[test]
fn resume_with_batches_has_no_gap_and_no_double() {
    const MISSED: u64 = 990;
    let server = one_shard();
    let mut away = batch_member(&server, &json!({ "batch": true }));
    let mut speaker = server.member("room");
    speaker.say("room", "0");
    assert_eq!(away.read("message")["seq"], 1);
    let epoch = ask(&mut away, &json!({ "batch": true }))["epoch"].take();
    drop(away);
    for n in 1..=MISSED {
        speaker.say("room", &n.to_string());
        speaker.read("message");
    }
    for (batch, most) in [(true, MISSED / 40), (false, MISSED)] {
        let resume = json!({ "epoch": epoch, "seq": 1 });
        let mut back = server.connect();
        let answer = ask(&mut back, &json!({ "batch": batch, "resume": resume }));
        assert_eq!((&answer["resumed"], &answer["seq"]), (&true.into(), &(MISSED + 1).into()));
        let (mut seq, mut messages) = (1, 0);
        while seq < MISSED + 1 {
            let (frames, length) = read_frames(&mut back);
            assert!(length <= MAX_BATCH);
            for frame in frames {
                seq += 1;
                assert_eq!((&frame["seq"], &frame["payload"]), (&seq.into(), &(seq - 1).into()));
            }
            messages += 1;
        }
        assert!(messages <= most, "{MISSED} frames came in {messages} messages");
        back.expect_nothing();
    }
}
