//! A line that died without a word.

use crate::world::{QUIET, World};

const PING: &str = r#"{"action":"ping"}"#;

fn connected() -> World {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.accept();
    world.sent();
    world.heard();
    world
}

#[test]
fn a_server_that_does_not_offer_pings_gets_none() {
    let mut world = connected();
    world.frame("join", Some("a"), "joined");
    assert_eq!(world.client.poll_timeout(), None);
    world.pass(3_600_000);
    world.wake();
    assert!(world.sent().is_empty());
}

#[test]
fn silence_is_asked_about_and_answers_are_not_shown() {
    let mut world = connected();
    world.offer_pings("a", 25_000);
    assert_eq!(world.heard(), ["a: joined"]);
    world.pass(15_000);
    assert_eq!(world.sent(), [PING]);
    world.frame("pong", None, "pong");
    assert!(world.heard().is_empty());
    world.pass(14_999);
    assert!(world.sent().is_empty());
    world.pass(1);
    assert_eq!(world.sent(), [PING]);
}

#[test]
fn silence_for_an_interval_is_the_end_of_the_line() {
    let mut world = connected();
    world.offer_pings("a", 25_000);
    world.heard();
    let dead = world.socket.unwrap();
    world.pass(24_999);
    assert_eq!(world.sent(), [PING]);
    world.pass(1);
    assert_eq!(world.sent(), ["close 4000"]);
    assert_eq!(world.heard(), ["a: disconnected 1006, again in 500"]);
    world.close(dead, 1006);
    assert!(world.heard().is_empty(), "its close event comes minutes later");
    world.pass(500);
    assert_eq!(world.opened.len(), 2);
}

#[test]
fn traffic_makes_pings_unnecessary() {
    let mut world = connected();
    world.offer_pings("a", 25_000);
    for _ in 0..10 {
        world.pass(14_000);
        world.frame("message", Some("a"), "hello");
    }
    assert!(world.sent().is_empty());
}

#[test]
fn a_page_that_slept_asks_before_it_gives_up() {
    let mut world = connected();
    world.offer_pings("a", 25_000);
    world.pass(15_000);
    world.sent();
    world.sleep(3_600_000);
    assert_eq!(world.sent(), [PING]);
    world.pass(5_000);
    assert_eq!(world.sent(), ["close 4000"]);
}

#[test]
fn a_hidden_page_whose_timers_ring_once_a_minute_keeps_a_live_line_and_notices_a_dead_one() {
    let mut world = connected();
    world.offer_pings("a", 25_000);
    for _ in 0..60 {
        world.sleep(60_000);
        assert_eq!(world.sent(), [PING]);
        world.frame("pong", None, "pong");
    }
    world.sleep(60_000);
    world.sleep(60_000);
    assert_eq!(world.sent(), [PING, PING], "the answer may lie unread beside the timer");
    world.sleep(60_000);
    assert_eq!(world.sent(), ["close 4000"]);
}

#[test]
fn when_the_page_comes_back_the_line_is_tried_at_once() {
    let mut world = connected();
    world.offer_pings("a", 25_000);
    world.pass(1_000);
    world.wake();
    assert_eq!(world.sent(), [PING]);
    world.frame("pong", None, "pong");
    world.pass(14_000);
    assert!(world.sent().is_empty());
}

#[test]
fn a_network_that_goes_is_noticed_within_seconds_and_costs_no_attempt() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.accept();
    world.offer_pings("a", 25_000);
    world.sent();
    world.heard();
    world.client.handle_offline(world.now);
    world.pass(4_999);
    assert!(world.heard().is_empty());
    world.pass(1);
    assert_eq!(world.heard(), ["a: disconnected 1006, again in 500"]);
    world.client.handle_offline(world.now);
    assert_eq!(world.opened.len(), 1);
}
