//! Coming, being there and leaving.

use serde_json::{Value, json};
use server::NodeOptions;

use crate::support::{Raw, Server, join, open, pluck, request, text_frame};

fn assert_frame(frame: &Value, expected: &Value) {
    for (key, value) in expected.as_object().expect("frames are objects") {
        assert_eq!(frame[key], *value, "{key} of {frame}");
    }
    let extensions = ["id", "ts", "seq"];
    for key in frame.as_object().expect("frames are objects").keys() {
        assert!(
            expected.get(key).is_some() || extensions.contains(&key.as_str()),
            "{key} in {frame}"
        );
    }
}

fn anonymous(socket_id: &Value) -> Value {
    json!({ "socketId": socket_id, "extras": {}, "permissions": { "dbo_id": 0, "row_id": 0 } })
}

#[test]
fn every_frame_of_a_visit_has_the_shape_that_clients_know() {
    let server = Server::start(vec![open("room1")]);
    let mut thor = server.connect();
    thor.send(join("room1", true, true));

    let mut ack = thor.read("join");
    let id = ack["payload"]["socketId"].clone();
    assert_eq!(id.as_str().expect("ids are text").len(), 22);
    let payload = ack["payload"].as_object_mut().expect("the payload is an object");
    assert!(payload.remove("epoch").is_some_and(|epoch| epoch.is_string()));
    assert!(payload.remove("features").is_some_and(|features| features.is_array()));
    assert_eq!(payload.remove("pingInterval"), Some(json!(25_000)));
    assert_frame(
        &ack,
        &json!({
            "action": "join",
            "options": { "channel": "room1" },
            "client": anonymous(&id),
            "payload": { "socketId": id, "seq": 0, "history": 1_000, "presence": true },
        }),
    );
    assert_frame(
        &thor.read("history"),
        &json!({
            "action": "history",
            "options": { "channel": "room1" },
            "client": null,
            "payload": { "history": [] },
        }),
    );
    assert_frame(
        &thor.read("presence_full"),
        &json!({
            "action": "presence_full",
            "options": { "channel": "room1" },
            "client": null,
            "payload": { "presence": [anonymous(&id)] },
        }),
    );

    thor.say("room1", r#"{"text":"hello"}"#);
    let message = thor.read("message");
    assert_frame(
        &message,
        &json!({
            "action": "message",
            "options": { "authenticated": false, "socketId": null, "channel": "room1" },
            "client": anonymous(&id),
            "payload": { "text": "hello" },
        }),
    );
    assert_eq!(message["seq"], 1);
    assert!(message["ts"].as_u64().is_some_and(|ts| ts > 1_700_000_000_000));
    thor.send(request("history", "room1"));
    assert_eq!(thor.read("history")["payload"]["history"], json!([message]));

    let loki = server.member("room1").join("room1", false, true)["client"].clone();
    for action in ["join", "leave"] {
        assert_frame(
            &thor.read("presence_update"),
            &json!({
                "action": "presence_update",
                "options": { "channel": "room1" },
                "client": null,
                "payload": { "action": action, "presence": loki },
            }),
        );
    }

    thor.send(request("leave", "room1"));
    assert_frame(
        &thor.read("leave"),
        &json!({
            "action": "leave",
            "options": { "channel": "room1" },
            "client": anonymous(&id),
            "payload": null,
        }),
    );
}

#[test]
fn history_and_presence_come_only_to_those_who_ask() {
    let server = Server::start(vec![open("room")]);
    let mut quiet = server.member("room");
    quiet.expect_nothing();
    let mut curious = server.connect();
    curious.join("room", true, false);
    curious.read("history");
    curious.expect_nothing();
    curious.join("room", false, true);
    assert_eq!(
        curious.read("presence_full")["payload"]["presence"].as_array().map(Vec::len),
        Some(2)
    );
    curious.say("room", "1");
    quiet.read("message");
}

#[test]
fn a_channel_without_history_and_presence_ignores_the_flags() {
    let plain = hub::ChannelSettings {
        presence: false,
        history: hub::HistorySize::default(),
        ..open("plain")
    };
    let server = Server::start(vec![plain]);
    let mut client = server.connect();
    let ack = client.join("plain", true, true);
    assert_eq!(
        (&ack["payload"]["history"], &ack["payload"]["presence"]),
        (&json!(0), &json!(false))
    );
    client.expect_nothing();
}

#[test]
fn who_joins_again_gets_the_answers_again_and_is_announced_once() {
    let server = Server::start(vec![open("room")]);
    let mut watcher = server.connect();
    watcher.join("room", false, true);
    watcher.read("presence_full");
    let mut thor = server.connect();
    for _ in 0..3 {
        thor.join("room", true, true);
        thor.read("history");
        let full = thor.read("presence_full");
        assert_eq!(full["payload"]["presence"].as_array().map(Vec::len), Some(2));
    }
    thor.say("room", r#""once""#);
    thor.read("message");
    thor.expect_nothing();
    assert_eq!(watcher.read("presence_update")["payload"]["action"], "join");
    watcher.read("message");
    watcher.expect_nothing();
}

#[test]
fn a_member_can_stop_and_start_watching_presence() {
    let server = Server::with_options(
        vec![open("room")],
        NodeOptions { shards: 1, ..NodeOptions::default() },
    );
    let mut watcher = server.connect();
    watcher.join("room", false, true);
    watcher.read("presence_full");
    watcher.join("room", false, false);
    let mut first = server.member("room");
    first.say("room", "1");
    assert_eq!(watcher.read("message")["payload"], 1);
    watcher.join("room", false, true);
    watcher.read("presence_full");
    let _second = server.member("room");
    watcher.read("presence_update");
    first.say("room", "2");
    assert_eq!(watcher.read("message")["payload"], 2);
    watcher.expect_nothing();
}

#[test]
fn the_leaver_hears_that_it_has_left_and_the_others_hear_who_has() {
    for shards in [1, 2] {
        let options = NodeOptions { shards, ..NodeOptions::default() };
        let server = Server::with_options(vec![open("room")], options);
        let mut stays = server.connect();
        stays.join("room", false, true);
        stays.read("presence_full");
        let mut leaves = server.connect();
        leaves.join("room", false, true);
        leaves.read("presence_full");
        leaves.send(request("leave", "room"));
        let ack = leaves.read("leave");
        leaves.expect_nothing();
        assert_eq!(stays.read("presence_update")["payload"]["action"], "join");
        let update = stays.read("presence_update");
        assert_eq!(update["payload"]["action"], "leave");
        assert_eq!(update["payload"]["presence"], ack["client"]);
        stays.say("room", r#""alone""#);
        stays.read("message");
        leaves.expect_nothing();
    }
}

#[test]
fn leaving_where_one_never_was_is_answered_like_leaving() {
    let server = Server::start(vec![open("room")]);
    let mut client = server.connect();
    client.send(request("leave", "room"));
    assert_eq!(client.read("leave")["options"], json!({ "channel": "room" }));
}

#[test]
fn a_socket_that_dies_is_announced_as_left() {
    let server = Server::start(vec![open("room")]);
    let mut watcher = server.connect();
    watcher.join("room", false, true);
    watcher.read("presence_full");
    let mut reset = Raw::connect(server.port);
    reset.send(&text_frame(&join("room", false, false)));
    watcher.read("presence_update");
    // To close a socket with something unread in it resets the connection.
    reset.tcp.peek(&mut [0]).expect("the answer comes");
    drop(reset);
    assert_eq!(watcher.read("presence_update")["payload"]["action"], "leave");

    let mut hung_up = Raw::connect(server.port);
    hung_up.join("room");
    watcher.read("presence_update");
    drop(hung_up);
    assert_eq!(watcher.read("presence_update")["payload"]["action"], "leave");
}

#[test]
fn a_visit_in_one_write_is_answered_in_order() {
    let server = Server::start(vec![open("room")]);
    let mut client = Raw::connect(server.port);
    let visit = [
        join("room", true, true),
        crate::support::message("room", r#""hello""#),
        request("history", "room"),
        request("leave", "room"),
        join("room", true, false),
    ];
    client.send(&visit.iter().flat_map(|text| text_frame(text)).collect::<Vec<_>>());
    let answers: Vec<_> = (0..8).map(|_| client.read_json()).collect();
    let actions: Vec<_> = answers.iter().map(|answer| answer["action"].clone()).collect();
    assert_eq!(
        actions,
        ["join", "history", "presence_full", "message", "history", "leave", "join", "history"]
    );
    assert_eq!(answers[1]["payload"]["history"], json!([]));
    for history in [&answers[4], &answers[7]] {
        assert_eq!(pluck(&history["payload"]["history"], "payload"), ["hello"]);
    }
    assert_eq!(answers[6]["payload"]["seq"], 1);
}
