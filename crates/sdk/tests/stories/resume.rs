//! Going on where a channel was read up to, and telling what cannot be had.

use sdk::{ChannelOptions, Continuity, Joined};

use crate::world::{QUIET, World, answer, join, refused_join};

const HISTORY: ChannelOptions = ChannelOptions { history: true, ..QUIET };

/// Connected, joined at 3, and 4 has been read.
fn reading(options: ChannelOptions) -> World {
    let mut world = World::new();
    world.on("a", options, "a");
    world.accept();
    world.joined("a", "one", 3);
    world.publication("a", 4, "four");
    world.sent();
    world.heard();
    world
}

fn reconnect(world: &mut World) {
    world.sent();
    world.lose(1006);
    world.wake();
    world.accept();
    world.heard();
}

fn resume(channel: &str, history: bool, epoch: &str, seq: u64) -> String {
    format!(
        r#"{{"action":"join","options":{{"channel":"{channel}"}},"payload":{{"history":{history},"presence":false,"resume":{{"epoch":"{epoch}","seq":{seq}}}}}}}"#
    )
}

fn resumed(epoch: &str, seq: u64) -> Joined {
    Joined { resumed: true, ..answer(epoch, seq) }
}

fn refused(reason: &str, epoch: &str, seq: u64) -> Joined {
    Joined { reason: Some(reason.to_owned()), ..answer(epoch, seq) }
}

#[test]
fn after_a_reconnect_the_missed_come_like_live_ones_and_each_once() {
    let mut world = reading(HISTORY);
    reconnect(&mut world);
    assert_eq!(world.sent(), [resume("a", true, "one", 4)]);
    world.answer_join("a", resumed("one", 6));
    world.publication("a", 4, "four again");
    world.publication("a", 5, "five");
    world.publication("a", 6, "six");
    world.publication("a", 7, "seven");
    assert_eq!(world.heard(), ["a: joined", "a: five", "a: six", "a: seven"]);
    assert!(world.sent().is_empty(), "the history is not asked for again");
}

#[test]
fn a_restarted_server_names_a_new_epoch_and_the_next_resume_uses_it() {
    let mut world = reading(QUIET);
    reconnect(&mut world);
    world.answer_join("a", resumed("two", 4));
    world.publication("a", 5, "five");
    world.sent();
    reconnect(&mut world);
    assert_eq!(world.sent(), [resume("a", false, "two", 5)]);
}

#[test]
fn what_cannot_be_had_any_more_is_told_behind_the_join() {
    let mut world = reading(QUIET);
    let channel = world.on("a", QUIET, "other");
    world.listen(channel, Some("gap"), Some("gaps"), None);
    world.heard();
    assert_eq!(world.client.continuity(channel), Continuity::Continuous);
    reconnect(&mut world);
    world.answer_join("a", refused("history_too_short", "one", 204));
    let gap = "200 missed in a: history_too_short";
    assert_eq!(
        world.heard(),
        [
            "a: joined",
            "other: joined",
            &format!("a: {gap}"),
            &format!("other: {gap}"),
            &format!("gaps: {gap}")
        ]
    );
    assert_eq!(world.client.continuity(channel), Continuity::Gap);
    world.publication("a", 205, "after it");
    reconnect(&mut world);
    world.answer_join("a", resumed("one", 205));
    assert_eq!(world.client.continuity(channel), Continuity::Continuous);
}

#[test]
fn a_numbering_that_began_anew_is_told_without_a_count() {
    let mut world = reading(QUIET);
    reconnect(&mut world);
    world.answer_join("a", refused("epoch_changed", "two", 90));
    assert_eq!(world.heard(), ["a: joined", "a: ? missed in a: epoch_changed"]);
    world.publication("a", 91, "goes on");
    assert_eq!(world.heard(), ["a: goes on"]);
}

#[test]
fn a_hole_seen_live_is_asked_for_and_filled_in_order() {
    let mut world = reading(QUIET);
    world.publication("a", 7, "seven");
    world.publication("a", 8, "eight");
    assert_eq!(world.sent(), [resume("a", false, "one", 4)]);
    world.answer_join("a", resumed("one", 8));
    for (seq, body) in [(5, "five"), (6, "six"), (7, "seven"), (8, "eight"), (9, "nine")] {
        world.publication("a", seq, body);
    }
    assert_eq!(
        world.heard(),
        ["a: joined", "a: five", "a: six", "a: seven", "a: eight", "a: nine"]
    );
}

#[test]
fn a_hole_in_a_channel_that_keeps_nothing_is_told_at_once() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.accept();
    world.answer_join("a", Joined { keeps: false, ..answer("one", 3) });
    world.sent();
    world.heard();
    world.publication("a", 7, "seven");
    assert_eq!(world.heard(), ["a: 3 missed in a: history_too_short", "a: seven"]);
    assert!(world.sent().is_empty());
}

#[test]
fn an_object_that_came_without_a_connection_gets_its_history_although_the_channel_resumes() {
    let mut world = reading(QUIET);
    world.lose(1006);
    world.on("a", HISTORY, "late");
    world.pass(500);
    world.accept();
    assert_eq!(world.sent(), [resume("a", true, "one", 4)]);
    world.answer_join("a", resumed("one", 4));
    let history = r#"{"action":"history","options":{"channel":"a"},"payload":null}"#;
    assert_eq!(world.sent(), [history]);
    reconnect(&mut world);
    world.answer_join("a", resumed("one", 4));
    assert_eq!(world.sent(), [resume("a", true, "one", 4)]);
}

#[test]
fn a_server_without_extensions_is_joined_as_ever_and_nothing_is_promised() {
    let mut world = World::new();
    let a = world.on("a", HISTORY, "a");
    world.accept();
    world.answer_join("a", Joined::default());
    world.frame("message", Some("a"), "hello");
    world.sent();
    reconnect(&mut world);
    assert_eq!(world.sent(), [join("a", true, false)]);
    world.answer_join("a", Joined::default());
    assert_eq!(world.heard(), ["a: joined"]);
    assert_eq!(world.client.continuity(a), Continuity::Unknown);
}

#[test]
fn a_channel_that_was_left_begins_anew() {
    let mut world = World::new();
    let other = world.on("b", QUIET, "b");
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.joined("a", "one", 3);
    world.destroy(a);
    world.sent();
    world.on("a", QUIET, "again");
    assert_eq!(world.sent(), [join("a", false, false)]);
    world.destroy(other);
}

#[test]
fn a_refused_join_does_not_forget_how_far_was_read() {
    let mut world = reading(QUIET);
    reconnect(&mut world);
    world.news("error", Some("a"), "not now", refused_join());
    world.sent();
    reconnect(&mut world);
    assert_eq!(world.sent(), [resume("a", false, "one", 4)]);
}
