//! Triggers: who is asked, and that nothing happens which was not allowed.

use hub::{ChannelSettings, Limit, Secret, Trigger, TriggerActions};
use protocol::CloseCode;
use serde_json::{Value, json};

use crate::world::{self, Client, World};

pub(crate) const OVERLOADED: &str = "The server is overloaded; the message was not sent.";

/// Row 1, with triggers, row 2 without, and row 3 for authenticated clients, with a trigger.
pub(crate) fn rows() -> Vec<ChannelSettings> {
    let row = |id, pattern: &str| {
        World::channel(pattern, |row| {
            row.id = id;
            row.anonymous_clients = id != 3;
            row.client_public_messaging = true;
            row.client_private_messaging = true;
            row.presence = true;
            row.history = World::history(25);
        })
    };
    vec![row(1, "asked"), row(2, "free"), row(3, "members")]
}

pub(crate) fn trigger(id: u64, channel_id: u64, actions: &str) -> Trigger {
    let actions =
        TriggerActions { join: actions.contains("join"), message: actions.contains("message") };
    Trigger {
        id,
        channel_id,
        name: String::new(),
        active: true,
        actions,
        url: String::new(),
        secret: Secret::new([]),
    }
}

fn world_with(triggers: Vec<Trigger>) -> World {
    let mut world = World::new(rows());
    world.change_triggers(rows(), triggers);
    world
}

/// Two members of the channel, who joined while nobody had to be asked.
pub(crate) fn members_of(world: &mut World, channel: &str) -> (Client, Client) {
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, channel);
    world.join(b, channel);
    world.clear();
    (a, b)
}

pub(crate) fn payloads(frames: &[String]) -> Vec<Value> {
    let payload = |frame: &String| -> Value {
        let frame: Value = serde_json::from_str(frame).expect("frames are JSON");
        frame["payload"].clone()
    };
    frames.iter().map(payload).collect()
}

pub(crate) fn error(code: &str, message: &str, action: &str) -> Value {
    json!({ "message": message, "code": code, "action": action })
}

#[test]
fn a_trigger_is_told_who_wants_what() {
    let mut world = world_with(vec![trigger(1, 1, "join message")]);
    let (a, b) = (world.authenticated(42), world.anonymous());
    world.join_with(a, "asked", r#"{"history":true,"presence":false}"#);
    let told = world.asked();
    let client = |id, extras, dbo: u64, row: &str| json!({ "extras": extras, "permissions": { "dbo_id": dbo, "row_id": row }, "socketId": id });
    let (id, other) = (world.id(a).to_string(), world.id(b).to_string());
    let hero = client(&id, json!({ "name": "hero" }), 1, "42");
    assert_eq!(
        told.input,
        json!({
            "action": "join", "channel": "asked", "client": hero,
            "options": { "authenticated": false, "channel": "asked" },
            "payload": { "history": true, "presence": false },
        })
    );
    world.say(told.call, Ok(""));
    world.join(b, "asked");
    world.answer_next("");
    world.message(a, "asked", &format!(r#","socketId":"{other}","id":"x""#), r#"{"n":1}"#);
    let told = world.asked();
    assert_eq!(
        told.input,
        json!({
            "action": "message", "channel": "asked", "client": hero,
            "options": { "authenticated": false, "channel": "asked", "socketId": other, "id": "x" },
            "payload": { "n": 1 },
        })
    );
    world.clear();
    world.say(told.call, Ok(r#""changed""#));
    assert_eq!(payloads(&world.read(b)), ["changed"]);
    world.message(b, "asked", "", "1");
    assert_eq!(world.asked().input["client"], client(&other, json!({}), 0, "0"));
}

#[test]
fn a_plain_message_that_only_members_get_is_told_as_one() {
    let rows = vec![World::channel("quiet", |row| {
        row.id = 7;
        row.client_authenticated_messaging = true;
        row.anonymous_clients = true;
    })];
    let mut world = World::new(rows.clone());
    let (a, anonymous) = (world.authenticated(1), world.anonymous());
    world.join(a, "quiet");
    world.join(anonymous, "quiet");
    world.change_triggers(rows, vec![trigger(1, 7, "message")]);
    world.clear();
    world.message(a, "quiet", "", "1");
    let told = world.asked();
    assert_eq!(told.input["options"]["authenticated"], true);
    world.say(told.call, Ok("2"));
    assert!(world.read(a)[0].contains(r#""authenticated":true"#));
    assert_eq!(world.read(anonymous), [""; 0]);
}

#[test]
fn the_join_trigger_comes_before_the_permission_and_the_message_trigger_behind_it() {
    let mut world = world_with(vec![trigger(1, 3, "join message"), trigger(2, 1, "message")]);
    let stranger = world.anonymous();
    world.join(stranger, "members");
    assert_eq!(world.answer_next("true"), 1, "it is asked although the channel will refuse");
    let refusal =
        error("anonymous_join_refused", "Anonymous clients cannot join this channel.", "join");
    assert_eq!(payloads(&world.read(stranger)), [refusal]);
    world.join(stranger, "members");
    world.answer_next("false");
    assert!(world.read(stranger)[0].contains("join_refused"), "the trigger's is the first word");
    world.message(stranger, "asked", "", "1");
    assert!(world.read(stranger)[0].contains("not_joined"));
    world.join(stranger, "asked");
    world.message(stranger, "asked", r#","authenticated":true"#, "1");
    assert!(world.read(stranger)[1].contains("messaging_disabled"));
    assert!(world.is_asked_nothing(), "nobody is asked about what is not permitted anyway");
}

#[test]
fn triggers_are_asked_by_id_and_each_gets_what_the_one_before_made_of_it() {
    let mut inactive = trigger(4, 1, "message");
    inactive.active = false;
    let mut world = world_with(vec![
        trigger(9, 1, "message"),
        trigger(3, 1, "message join"),
        inactive,
        trigger(5, 2, "message"),
        trigger(6, 1, ""),
        trigger(7, 1, "message"),
    ]);
    let a = world.anonymous();
    world.join(a, "asked");
    assert_eq!(world.answer_next(r#"{"not":"a payload"}"#), 3);
    world.clear();
    world.message(a, "asked", "", r#""0""#);
    for (id, told, answer) in [(3, "0", r#""3""#), (7, "3", "null"), (9, "3", r#""9""#)] {
        let asked = world.asked();
        assert_eq!((asked.trigger, &asked.input["payload"]), (id, &json!(told)));
        assert!(world.is_asked_nothing(), "one at a time");
        world.say(asked.call, Ok(answer));
    }
    assert_eq!(payloads(&world.read(a)), ["9"]);
    world.message(a, "asked", "", r#""1""#);
    world.answer_next("false");
    assert!(world.is_asked_nothing(), "the first refusal is the last word");
    world.join_with(a, "asked", r#"{"history":true}"#);
    let frames = world.read(a);
    assert_eq!(payloads(&frames[2..])[0]["history"][0]["payload"], "9", "as it was delivered");
}

#[test]
fn a_member_that_joins_once_more_is_answered_without_a_trigger() {
    let mut world = world_with(vec![trigger(1, 1, "join")]);
    let a = world.anonymous();
    world.join(a, "asked");
    world.join(a, "asked");
    world.answer_next("");
    assert!(world.is_asked_nothing(), "the second waited, and then it was in");
    assert_eq!(world::actions(&world.read(a)), ["join", "join"]);
    world.leave(a, "asked");
    world.join(a, "asked");
    world.answer_next("false");
    assert_eq!(world::actions(&world.read(a)), ["leave", "error"]);
    assert!(world.is_empty("asked"));
}

#[test]
fn what_a_session_wants_of_a_channel_happens_in_its_order_and_elsewhere_at_once() {
    let mut world = world_with(vec![trigger(1, 1, "join message")]);
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "free");
    world.clear();
    world.join(a, "asked");
    world.message(a, "asked", r#","id":"1""#, r#""1""#);
    world.text(a, r#"{"action":"history","options":{"channel":"asked"},"payload":null}"#);
    world.message(a, "asked", r#","id":"2""#, r#""2""#);
    world.leave(a, "asked");
    world.message(a, "asked", "", r#""3""#);
    // Neither the session's own business elsewhere nor that of others waits.
    world.message(a, "free", "", r#""now""#);
    world.text(a, r#"{"action":"ping"}"#);
    assert_eq!(world::actions(&world.read(a)), ["message", "pong"]);
    world.join(b, "asked");
    let (first, second) = (world.asked(), world.asked());
    world.say(second.call, Ok("true"));
    assert_eq!(world::actions(&world.read(b)), ["join"]);
    assert_eq!(world.read(a), [""; 0]);

    world.say(first.call, Ok("true"));
    assert_eq!(world::actions(&world.read(a)), ["join"]);
    world.answer_next("null");
    assert_eq!(world::actions(&world.read(a)), ["message", "ack", "history"]);
    world.answer_next("null");
    let frames = world.read(a);
    assert_eq!(world::actions(&frames), ["message", "ack", "leave", "error"]);
    assert!(frames[3].contains("not_joined"), "{}", frames[3]);
    assert_eq!(payloads(&world.read(b)), ["1", "2"]);
    assert!(world.is_asked_nothing());
}

#[test]
fn what_waits_has_a_bound_and_what_is_beyond_it_is_refused() {
    let mut world = world_with(vec![trigger(1, 1, "message")]);
    let (a, b) = members_of(&mut world, "asked");
    for n in 0..World::WAITING {
        world.message(a, "asked", "", &format!("{n}"));
    }
    assert_eq!(world.read(a), [""; 0]);
    world.message(a, "asked", r#","id":"more""#, "1");
    world.leave(a, "asked");
    let frames = world.read(a);
    let told = OVERLOADED;
    assert_eq!(
        payloads(&frames),
        [error("overloaded", told, "message"), error("overloaded", told, "leave")]
    );
    assert!(frames[0].contains(r#""id":"more""#));
    assert_eq!(world.take_reached(), [Limit::WaitingRequests; 2]);
    world.message(b, "asked", "", "0");
    world.answer_next("null");
    world.answer_next("null");
    assert_eq!(world.read(b).len(), 2, "another session has a line of its own");
    world.message(a, "asked", "", &format!("{}", World::WAITING));
    for _ in 1..=World::WAITING {
        world.answer_next("null");
    }
    let delivered = payloads(&world.read(a));
    let expected: Vec<_> =
        [json!(0), json!(0)].into_iter().chain((1..=World::WAITING).map(|n| json!(n))).collect();
    assert_eq!(delivered, expected);
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    let mut world = world_with(vec![trigger(1, 1, "message")]);
    let (a, _) = members_of(&mut world, "asked");
    let large = format!("\"{}\"", "x".repeat(World::WAITING_BYTES));
    world.message(a, "asked", "", &large);
    assert!(world.read(a)[0].contains("overloaded"), "more than may wait at all");
    let half = format!("\"{}\"", "x".repeat(World::WAITING_BYTES / 2));
    world.message(a, "asked", "", &half);
    world.message(a, "asked", "", &half);
    assert!(world.read(a)[0].contains("overloaded"));
    world.message(a, "asked", "", "1");
    world.answer_next("null");
    world.answer_next("null");
    assert_eq!(world::actions(&world.read(a)), ["message", "message"]);
}

#[test]
fn with_a_session_ends_what_it_waits_for() {
    let mut world = world_with(vec![trigger(1, 1, "join message")]);
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(b, "asked");
    world.answer_next("");
    world.join(a, "asked");
    world.message(a, "asked", "", "1");
    let late = world.asked();
    world.disconnect(a);
    // Its place is another's now.
    let c = world.anonymous();
    assert_eq!(world.place(c), world.place(a));
    world.clear();
    world.say(late.call, Ok("true"));
    world.join(c, "asked");
    let call = world.asked().call;
    world.say(late.call, Ok("true"));
    assert_eq!(world.read(c), [""; 0], "an answer counts for one question only");
    world.say(call, Ok("true"));
    assert_eq!(world::actions(&world.read(c)), ["join"]);
    world.message(b, "asked", "", "2");
    let late = world.asked();
    world.drain(1.0);
    world.say(late.call, Ok("true"));
    assert_eq!(world.closed(b), Some(CloseCode::Draining));
    assert_eq!(world.read(c), [""; 0]);
    assert!(world.is_asked_nothing());
}

#[test]
fn after_the_triggers_the_settings_are_looked_at_once_more() {
    let mut world = world_with(vec![trigger(1, 1, "join message")]);
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "asked");
    world.answer_next("");
    world.join(b, "asked");
    world.message(a, "asked", "", "1");
    world.clear();
    let mut closed = rows();
    closed[0].client_public_messaging = false;
    closed[0].client_private_messaging = false;
    world.change_triggers(closed, vec![]);
    world.answer_next("true");
    assert_eq!(world::actions(&world.read(b)), ["join"]);
    world.answer_next("true");
    assert!(world.read(a)[0].contains("messaging_disabled"));

    world.change_triggers(rows(), vec![trigger(1, 1, "join message")]);
    world.message(a, "asked", "", "1");
    let c = world.anonymous();
    world.join(c, "asked");
    world.change_triggers(rows()[1..].to_vec(), vec![]);
    world.clear();
    world.answer_next("true");
    world.answer_next("true");
    assert!(world.read(a)[0].contains("not_joined"), "the channel is gone, and so is its member");
    assert!(world.read(c)[0].contains("channel_not_found"));
    assert_eq!(world.read(b), [""; 0]);
}

#[test]
fn who_is_asked_next_follows_from_the_settings_as_they_are_then() {
    let mut world = world_with(vec![trigger(2, 1, "message"), trigger(4, 1, "message")]);
    let (a, b) = members_of(&mut world, "asked");
    world.message(a, "asked", "", "1");
    // One that was to come is gone, one comes before the one that is asked, one comes behind.
    let changed =
        vec![trigger(1, 1, "message"), trigger(2, 1, "message"), trigger(5, 1, "message")];
    world.change_triggers(rows(), changed);
    let order: Vec<_> = (0..3).map(|_| world.answer_next("null")).collect();
    assert_eq!(order, [2, 1, 5]);
    assert_eq!(world.read(b).len(), 1);
    world.message(a, "asked", "", "2");
    world.change_triggers(rows(), vec![]);
    world.answer_next("false");
    assert!(world.read(a)[1].contains("message_refused"), "its answer counts though it is gone");
    world.message(a, "asked", "", "3");
    assert!(world.is_asked_nothing());
    assert_eq!(payloads(&world.read(b)), [3]);
}

#[test]
fn a_message_sent_again_is_asked_about_again_and_published_once() {
    let mut world = world_with(vec![trigger(1, 1, "message")]);
    let (a, b) = members_of(&mut world, "asked");
    for _ in 0..2 {
        world.message(a, "asked", r#","id":"same""#, "1");
        world.answer_next("null");
    }
    assert_eq!(world::actions(&world.read(a)), ["message", "ack", "ack"]);
    assert_eq!(world.read(b).len(), 1);
}

#[test]
fn a_session_that_waits_in_two_channels_gets_each_answer_where_it_belongs() {
    let mut world = world_with(vec![trigger(1, 1, "join message"), trigger(2, 3, "join message")]);
    let a = world.authenticated(1);
    world.join(a, "asked");
    world.join(a, "members");
    let (first, second) = (world.asked(), world.asked());
    world.say(second.call, Ok("true"));
    let frames = world.read(a);
    assert_eq!(world::actions(&frames), ["join"]);
    assert!(frames[0].contains(r#""channel":"members""#), "{}", frames[0]);
    world.message(a, "members", "", "1");
    let third = world.asked();
    // It was answered already, so this is no answer to anything.
    world.say(second.call, Ok("false"));
    world.say(third.call, Ok(""));
    world.say(first.call, Ok("false"));
    let frames = world.read(a);
    assert_eq!(world::actions(&frames), ["message", "error"]);
    assert!(frames[1].contains(r#""channel":"asked""#), "{}", frames[1]);
}
