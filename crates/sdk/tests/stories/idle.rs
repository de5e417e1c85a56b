//! Channels that are left when nobody has used them for long, and joined again at the next use.

use protocol::Resume;
use sdk::{ChannelId, ChannelOptions, Continuity, Joined, Moment};

use crate::world::{QUIET, World, answer, join, leave};

const MINUTE: u64 = 60_000;
const PATIENT: ChannelOptions = ChannelOptions { idle_timeout: MINUTE, ..QUIET };

/// One channel that may be idle for a minute, joined.
fn joined() -> (World, ChannelId) {
    let mut world = World::new();
    let a = world.on("a", PATIENT, "a");
    world.accept();
    world.joined("a", "one", 3);
    world.sent();
    world.heard();
    (world, a)
}

#[test]
fn a_channel_that_nobody_uses_is_left_and_the_last_one_closes_the_connection() {
    let (mut world, a) = joined();
    world.pass(MINUTE - 1);
    assert_eq!(world.sent(), [""; 0]);
    world.pass(1);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);
    assert_eq!(world.heard(), ["a: disconnected 1000 for good"]);
    assert_eq!(world.client.status(), "idle");
    assert!(!world.client.is_active());
    assert!(world.client.presence(a).is_empty());
    world.wake();
    world.reconnect();
    world.pass(24 * 60 * MINUTE);
    assert_eq!(world.opened.len(), 1, "nobody has used it");
}

#[test]
fn the_next_use_connects_and_goes_on_where_it_was() {
    let (mut world, a) = joined();
    world.pass(MINUTE);
    world.sent();
    world.heard();
    assert!(world.use_channel(a));
    assert_eq!(world.opened.len(), 2);
    world.message(a, "hello");
    world.accept();
    let resume = r#"{"action":"join","options":{"channel":"a"},"payload":{"history":false,"presence":false,"resume":{"epoch":"one","seq":3}}}"#;
    assert_eq!(world.sent(), [resume, "hello"]);
    let position = Some(Resume { epoch: "one".to_owned(), seq: 4 });
    world.answer_join("a", Joined { resumed: true, position, ..answer("one", 4) });
    world.publication("a", 4, "missed");
    assert_eq!(world.heard(), ["a: connected", "a: joined", "a: missed"]);
    assert_eq!(world.client.continuity(a), Continuity::Continuous);
}

#[test]
fn what_was_missed_for_good_while_idle_is_told_like_any_gap() {
    let (mut world, a) = joined();
    world.pass(MINUTE);
    world.heard();
    world.use_channel(a);
    world.accept();
    let reason = Some("history_too_short".to_owned());
    world.answer_join("a", Joined { reason, ..answer("one", 300) });
    let heard = world.heard();
    assert_eq!(heard, ["a: connected", "a: joined", "a: 297 missed in a: history_too_short"]);
}

#[test]
fn every_use_counts_and_what_is_heard_does_not() {
    let (mut world, a) = joined();
    world.pass(MINUTE - 1);
    world.use_channel(a);
    world.pass(MINUTE - 1);
    world.publication("a", 4, "not of here");
    assert_eq!(world.sent(), [""; 0]);
    world.pass(1);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);
}

#[test]
fn while_an_answer_is_waited_for_nothing_is_idle() {
    let (mut world, a) = joined();
    world.named(a, "slow");
    world.pass(MINUTE + 1);
    assert_eq!(world.sent(), ["slow"]);
    world.ack("a", "slow");
    world.pass(MINUTE);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);

    let mut world = World::new();
    let a = world.on("a", PATIENT, "a");
    world.wait(a, Moment::Joined, "ready");
    world.accept();
    world.sent();
    world.pass(10 * MINUTE);
    assert_eq!(world.sent(), [""; 0], "the join has no answer yet");
    world.joined("a", "one", 0);
    world.wait(a, Moment::Ended, "loop");
    world.pass(MINUTE);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);
}

#[test]
fn a_neighbour_that_is_used_keeps_the_connection_and_the_idle_one_joins_over_it() {
    let (mut world, a) = joined();
    let b = world.on("b", QUIET, "b");
    world.sent();
    world.pass(MINUTE);
    assert_eq!(world.sent(), [leave("a")]);
    assert!(world.client.is_active());
    world.heard();
    // It comes again with all that follows it.
    world.publication("a", 4, "on its way before the leave was there");
    assert_eq!(world.heard(), [""; 0]);
    // Of a connection that comes anew only the neighbour is told.
    world.lose(1006);
    world.pass(1_000);
    world.accept();
    assert_eq!(world.sent(), [join("b", false, false)]);
    world.use_channel(a);
    assert!(world.sent()[0].contains(r#""seq":3"#));
    world.destroy(b);
    world.sent();
    world.destroy(a);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);
}

#[test]
fn the_most_patient_object_of_a_name_counts() {
    let (mut world, _) = joined();
    let other = ChannelOptions { idle_timeout: 3 * MINUTE, ..QUIET };
    world.on("a", other, "other");
    world.pass(3 * MINUTE - 1);
    assert_eq!(world.sent(), [""; 0]);
    world.pass(1);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);

    let (mut world, _) = joined();
    world.on("a", QUIET, "for ever");
    world.pass(60 * MINUTE);
    assert_eq!(world.sent(), [""; 0]);
}

#[test]
fn another_object_of_the_name_is_a_use() {
    let (mut world, _) = joined();
    world.pass(MINUTE);
    world.sent();
    world.on("a", PATIENT, "other");
    world.accept();
    assert!(world.sent()[0].contains(r#""seq":3"#));
}

#[test]
fn idleness_ends_the_attempts_to_connect_as_well() {
    let (mut world, a) = joined();
    world.random = 0.99;
    world.lose(1006);
    for _ in 0..4 {
        world.pass(9_000);
        if world.socket.is_some() {
            world.lose(1006);
        }
    }
    world.pass(MINUTE);
    world.heard();
    let attempts = world.opened.len();
    assert_eq!(world.client.status(), "idle");
    world.pass(60 * MINUTE);
    assert_eq!(world.opened.len(), attempts);
    world.use_channel(a);
    assert_eq!(world.client.status(), "connecting");
}

#[test]
fn an_idle_channel_that_is_destroyed_says_nothing_more() {
    let (mut world, a) = joined();
    world.on("b", QUIET, "b");
    world.pass(MINUTE);
    world.sent();
    world.destroy(a);
    assert_eq!(world.sent(), [""; 0]);
    assert!(!world.use_channel(a));

    let (mut world, a) = joined();
    world.pass(MINUTE);
    world.sent();
    world.destroy(a);
    assert_eq!(world.sent(), [""; 0]);
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn an_end_for_good_stays_one_however_long_nobody_uses_the_channel() {
    let (mut world, a) = joined();
    world.lose(4404);
    world.pass(2 * MINUTE);
    assert_eq!(world.client.status(), "closed");
    world.use_channel(a);
    assert_eq!(world.opened.len(), 1);
}
