//! How often somebody may do something, and for how long nothing.

use hub::{Limit, Limits, Rate};
use protocol::{CloseCode, ErrorCode};
use serde_json::Value;

use crate::triggers;
use crate::world::{Client, World, actions};

fn world(limits: Limits) -> World {
    let open = |pattern: &str, messages_per_minute: u32| {
        World::channel(pattern, |row| {
            row.anonymous_clients = true;
            row.client_public_messaging = true;
            row.client_private_messaging = true;
            row.messages_per_minute = messages_per_minute;
            row.wildcard = true;
        })
    };
    World::limited(vec![open("free", 0), open("slow", 3)], limits)
}

/// The next frame, which must refuse because too much came; how long to wait, in milliseconds.
fn read_wait(world: &mut World, client: Client) -> u64 {
    let frames = world.read(client);
    assert_eq!(actions(&frames), ["error"]);
    let frame: Value = serde_json::from_str(&frames[0]).expect("frames are JSON");
    assert_eq!(frame["payload"]["code"], "rate_limited", "{frame}");
    frame["payload"]["retryAfter"].as_u64().expect("it says how long to wait")
}

#[test]
fn who_sends_too_much_is_told_how_long_to_wait_and_then_may() {
    let mut world = world(Limits { messages: Rate::per_second(2, 3), ..Limits::default() });
    let [hasty, other] = [(); 2].map(|()| world.anonymous());
    for client in [hasty, other] {
        world.join(client, "free");
    }
    world.clear();
    for _ in 0..3 {
        world.message(hasty, "free", "", "1");
    }
    assert_eq!(world.read(hasty).len(), 3);
    world.message(hasty, "free", r#","id":"named""#, "1");
    let refused = world.read(hasty);
    assert_eq!(actions(&refused), ["error"]);
    assert!(refused[0].contains(r#""options":{"channel":"free","id":"named"}"#), "{}", refused[0]);
    assert!(refused[0].contains(r#""action":"message","retryAfter":500}"#), "{}", refused[0]);
    assert_eq!(world.take_reached(), [Limit::MessagesPerSecond]);
    assert_eq!(world.read(other).len(), 3, "nobody gets what was refused");
    world.message(other, "free", "", "1");
    assert_eq!(actions(&world.read(other)), ["message"], "others are not counted with it");
    world.clear();
    world.pass(499);
    world.message(hasty, "free", "", "1");
    assert_eq!(read_wait(&mut world, hasty), 1);
    world.pass(1);
    world.message(hasty, "free", r#","id":"named""#, "1");
    assert_eq!(actions(&world.read(hasty)), ["message", "ack"], "a refusal is no receipt");
}

#[test]
fn who_joins_too_often_is_refused_and_may_still_talk() {
    let mut world = world(Limits { joins: Rate::per_second(1, 2), ..Limits::default() });
    let client = world.anonymous();
    world.join(client, "free");
    world.leave(client, "free");
    world.join(client, "free");
    world.clear();
    world.join(client, "slow");
    assert_eq!(read_wait(&mut world, client), 1_000);
    assert_eq!(world.take_reached(), [Limit::JoinsPerSecond]);
    world.message(client, "free", "", "1");
    assert_eq!(actions(&world.read(client)), ["message"]);
    world.pass(1_000);
    world.join(client, "slow");
    assert_eq!(actions(&world.read(client)), ["join"]);
}

#[test]
fn when_too_many_come_to_a_channel_at_once_the_rest_waits_and_nobody_else_notices() {
    let mut world = world(Limits { channel_joins: Rate::per_second(1, 2), ..Limits::default() });
    let [first, second, third] = [(); 3].map(|()| world.anonymous());
    for client in [first, second] {
        world.join(client, "free");
    }
    world.clear();
    world.join(third, "free");
    assert_eq!(read_wait(&mut world, third), 1_000);
    assert_eq!(world.take_reached(), [Limit::JoinsPerChannel]);
    world.join(first, "free");
    assert_eq!(actions(&world.read(first)), ["join"], "who is there is not counted again");
    world.join(third, "slow");
    assert_eq!(actions(&world.read(third)), ["join"], "other channels count for themselves");
    world.pass(1_000);
    world.join(third, "free");
    assert_eq!(actions(&world.read(third)), ["join"]);
}

#[test]
fn who_comes_and_goes_does_not_come_for_nothing() {
    let mut world = world(Limits { channel_joins: Rate::per_second(1, 2), ..Limits::default() });
    let client = world.anonymous();
    for _ in 0..2 {
        world.join(client, "free");
        world.leave(client, "free");
    }
    world.clear();
    world.join(client, "free");
    assert_eq!(read_wait(&mut world, client), 1_000);
}

#[test]
fn it_is_the_same_count_wherever_on_the_node_they_come() {
    let limits = Limits { channel_joins: Rate::per_second(1, 3), ..Limits::default() };
    let mut here = world(limits);
    let mut there = here.beside();
    for is_here in [true, false, true] {
        let world = if is_here { &mut here } else { &mut there };
        let client = world.anonymous();
        world.join(client, "free");
        assert_eq!(actions(&world.read(client)), ["join"]);
    }
    for world in [&mut here, &mut there] {
        let late = world.anonymous();
        world.join(late, "free");
        assert_eq!(read_wait(world, late), 1_000);
        world.pass(1_000);
    }
    let late = there.anonymous();
    there.join(late, "free");
    assert_eq!(actions(&there.read(late)), ["join"]);
}

#[test]
fn who_may_not_come_keeps_nobody_out() {
    let mut world = World::limited(
        vec![World::channel("members", |_| {})],
        Limits { channel_joins: Rate::per_second(1, 1), ..Limits::default() },
    );
    let stranger = world.anonymous();
    for _ in 0..5 {
        world.join(stranger, "members");
        world.join(stranger, "nowhere");
    }
    assert!(world.read(stranger).iter().all(|frame| !frame.contains("rate_limited")));
    let member = world.authenticated(1);
    world.join(member, "members");
    assert_eq!(actions(&world.read(member)), ["join"]);
}

#[test]
fn whom_a_trigger_refuses_has_come_all_the_same() {
    let limits = Limits { channel_joins: Rate::per_second(1, 1), ..Limits::default() };
    let mut world = World::limited(triggers::rows(), limits);
    world.change_triggers(triggers::rows(), vec![triggers::trigger(1, 1, "join")]);
    let [first, second] = [(); 2].map(|()| world.anonymous());
    world.join(first, "asked");
    world.answer_next("false");
    world.join(second, "asked");
    assert_eq!(read_wait(&mut world, second), 1_000, "nobody is asked about it");
    world.pass(1_000);
    world.join(second, "asked");
    world.answer_next("null");
    assert_eq!(actions(&world.read(second)), ["join"], "who was asked about is counted once");
}

#[test]
fn a_channels_limit_is_for_all_its_senders_and_for_every_kind_of_message() {
    let mut world = world(Limits::default());
    let [a, b] = [(); 2].map(|()| world.anonymous());
    for client in [a, b] {
        world.join(client, "slow");
        world.join(client, "free");
    }
    world.clear();
    world.message(a, "slow", "", "1");
    world.message(b, "slow", r#","id":"named""#, "1");
    world.message(a, "slow", "", "1");
    world.clear();
    world.message(b, "slow", "", "1");
    assert_eq!(read_wait(&mut world, b), 20_000);
    assert_eq!(world.take_reached(), [Limit::MessagesPerMinute]);
    let private = format!(r#","socketId":"{}""#, world.id(b));
    world.message(a, "slow", &private, "1");
    assert_eq!(read_wait(&mut world, a), 20_000);
    world.message(b, "slow", r#","id":"named""#, "1");
    assert_eq!(actions(&world.read(b)), ["ack"], "what was sent already costs nothing");
    world.message(a, "free", "", "1");
    assert_eq!(actions(&world.read(b)), ["message"], "the other channel has no limit");
    world.clear();
    world.pass(20_000);
    world.message(b, "slow", "", "1");
    assert_eq!(actions(&world.read(a)), ["message"]);
}

#[test]
fn who_joins_nothing_in_time_is_let_go_and_who_has_joined_once_may_stay() {
    let mut world = world(Limits { join_timeout: 5, ..Limits::default() });
    let [idle, refused, joins, leaves] = [(); 4].map(|()| world.anonymous());
    world.join(joins, "free");
    world.join(leaves, "free");
    world.leave(leaves, "free");
    world.join(refused, "nowhere");
    world.tick(4);
    assert!([idle, refused].iter().all(|client| world.closed(*client).is_none()));
    world.tick(5);
    for client in [idle, refused] {
        assert_eq!(world.closed(client), Some(CloseCode::JoinTimeout));
    }
    assert_eq!(world.take_reached(), [Limit::JoinTime, Limit::JoinTime]);
    world.tick(24);
    for client in [joins, leaves] {
        assert_eq!(world.closed(client), None);
    }
}

#[test]
fn without_a_join_timeout_nobody_has_to_join() {
    let mut world = world(Limits::default());
    let client = world.anonymous();
    world.tick(59);
    assert_eq!(world.closed(client), None);
}

#[test]
fn each_limit_that_is_reached_is_counted() {
    let mut world = world(Limits::default());
    let client = world.anonymous();
    for n in 0..3 {
        assert_eq!(world.take_reached(), [], "{n}");
        world.text(client, "nonsense");
    }
    assert_eq!(world.take_reached(), [Limit::MalformedFrames]);
    let sender = world.anonymous();
    world.refuse(sender, "free", ErrorCode::Overloaded);
    assert_eq!(actions(&world.read(sender)), ["error"]);
    assert_eq!(world.take_reached(), [Limit::Queue]);
    for n in 0..=World::CHANNELS_PER_SESSION {
        world.join(sender, &format!("free/{n}"));
    }
    assert_eq!(world.take_reached(), [Limit::ChannelsPerConnection]);
    world.disconnect(sender);
    let silent = world.anonymous();
    world.tick(60);
    assert_eq!(world.closed(silent), Some(CloseCode::Idle));
    assert_eq!(world.take_reached(), [Limit::IdleTime]);
}
