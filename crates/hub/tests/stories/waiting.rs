//! What waits for triggers on the node as a whole.

use hub::{Limit, Limits};
use serde_json::json;

use crate::triggers::{OVERLOADED, error, members_of, payloads, rows, trigger};
use crate::world::{Client, World};

/// A node where so many bytes of requests may wait for the triggers of `asked`, and a member.
fn small_node(waiting_in_all: usize) -> (World, Client) {
    let mut world = World::limited(rows(), Limits { waiting_in_all, ..Limits::default() });
    world.change_triggers(rows(), vec![trigger(1, 1, "message")]);
    let (member, _) = members_of(&mut world, "asked");
    (world, member)
}

#[test]
fn what_waits_on_the_whole_node_has_a_bound_too() {
    // What is asked about takes 129 bytes here, and what waits behind it some 60 more.
    let (mut here, a) = small_node(4 * 128);
    let mut there = here.beside();
    there.change_triggers(rows(), vec![trigger(1, 1, "message")]);
    let (b, c) = members_of(&mut there, "asked");
    here.message(a, "asked", "", "1");
    here.message(a, "asked", "", "2");
    there.message(b, "asked", "", "3");
    let full = here.waiting_bytes();
    assert!(full > 2 * 128 && full == there.waiting_bytes());
    here.message(a, "asked", r#","id":"four""#, "4");
    there.message(c, "asked", "", "5");
    assert_eq!(payloads(&here.read(a)), [error("overloaded", OVERLOADED, "message")]);
    assert_eq!(payloads(&there.read(c)), [error("overloaded", OVERLOADED, "message")]);
    assert_eq!(
        (here.take_reached(), there.take_reached()),
        (vec![Limit::WaitingInAll], vec![Limit::WaitingInAll])
    );
    assert_eq!(here.waiting_bytes(), full, "what is refused takes no room");
    there.answer_next("null");
    here.message(a, "asked", "", "6");
    for _ in 0..3 {
        here.answer_next("null");
    }
    assert_eq!(payloads(&here.read(a)), [json!(1), json!(2), json!(6)], "and it goes on");
    assert_eq!(here.waiting_bytes(), 0);
}

#[test]
fn what_has_waited_keeps_its_room_when_its_own_turn_comes() {
    let (mut world, a) = small_node(2 * 128 + 80);
    let mut there = world.beside();
    there.change_triggers(rows(), vec![trigger(1, 1, "message")]);
    let (b, _) = members_of(&mut there, "asked");
    world.message(a, "asked", "", "1");
    world.message(a, "asked", "", "2");
    there.message(b, "asked", "", "3");
    assert_eq!(payloads(&there.read(b)), [error("overloaded", OVERLOADED, "message")]);
    world.answer_next("null");
    world.answer_next("null");
    assert_eq!(payloads(&world.read(a)), [json!(1), json!(2)]);
    assert_eq!(world.waiting_bytes(), 0);
}

#[test]
fn what_has_waited_is_not_refused_for_what_a_trigger_has_made_of_something_else() {
    let mut world = World::new(rows());
    let triggers = [(1, 1), (2, 1), (3, 2)].map(|(id, row)| trigger(id, row, "message"));
    world.change_triggers(rows(), triggers.to_vec());
    let a = world.anonymous();
    world.join(a, "asked");
    world.join(a, "free");
    world.clear();
    let large = "x".repeat(World::WAITING_BYTES * 2 / 3);
    world.message(a, "asked", "", "1");
    world.message(a, "free", "", "2");
    world.message(a, "free", "", &json!(large).to_string());
    world.answer_next(&json!(large).to_string());
    for _ in 0..3 {
        world.answer_next("null");
    }
    let sent = [json!(2), json!(large), json!(large)];
    assert_eq!(payloads(&world.read(a)), sent);
    assert_eq!((world.take_reached(), world.waiting_bytes()), (vec![], 0));
}

#[test]
fn with_a_session_goes_the_room_of_what_it_waits_for() {
    let (mut world, a) = small_node(1 << 20);
    for n in 0..World::WAITING {
        world.message(a, "asked", "", &n.to_string());
    }
    assert!(world.waiting_bytes() > World::WAITING * 128);
    world.disconnect(a);
    assert_eq!(world.waiting_bytes(), 0);
}

#[test]
fn what_a_trigger_makes_of_a_message_is_what_is_counted() {
    let (mut world, a) = small_node(1 << 20);
    world.change_triggers(rows(), vec![trigger(1, 1, "message"), trigger(2, 1, "message")]);
    world.message(a, "asked", "", "1");
    assert_eq!(world.waiting_bytes(), 129);
    world.answer_next(&format!("\"{}\"", "x".repeat(998)));
    assert_eq!(world.waiting_bytes(), 1_128);
    world.answer_next("null");
    assert_eq!(world.waiting_bytes(), 0);
}

#[test]
fn all_that_a_client_makes_the_server_keep_is_counted() {
    let (mut world, a) = small_node(1 << 20);
    let recipient = "x".repeat(World::WAITING_BYTES);
    let to = |recipient: &str| format!(r#","id":"{}","socketId":"{recipient}""#, "i".repeat(64));
    world.message(a, "asked", &to(&recipient), "1");
    assert_eq!(payloads(&world.read(a)), [error("overloaded", OVERLOADED, "message")]);
    world.message(a, "asked", &to(&recipient[100..]), "2");
    assert_eq!(world.waiting_bytes(), World::WAITING_BYTES - 100 + 64 + 1 + 128);
}
