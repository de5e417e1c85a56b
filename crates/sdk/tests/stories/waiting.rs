//! What an application can wait for, and what it need not hear any longer.

use sdk::{Client, Moment};

use crate::world::{QUIET, World, join, join_put_off, leave, refused_join};

#[test]
fn a_listener_that_was_taken_off_hears_nothing_more_not_even_what_came_before() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, Some("message"), Some("one"), None);
    world.listen(a, Some("message"), Some("two"), None);
    world.accept();
    world.frame("message", Some("a"), "hello");
    world.off(a, Some("message"), "one");
    assert_eq!(world.heard(), ["two: hello"]);
    world.frame("message", Some("a"), "again");
    assert_eq!(world.heard(), ["two: again"]);
}

#[test]
fn only_the_same_action_and_function_are_taken_off() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, None, Some("fn"), None);
    world.listen(a, Some("event"), Some("fn"), None);
    world.accept();
    world.heard();
    world.frame("event", Some("a"), "both");
    world.off(a, Some("message"), "fn");
    world.off(a, Some("event"), "fn");
    assert_eq!(world.heard(), ["fn: both", "fn: both"], "what is still wanted is not lost");
    world.frame("event", Some("a"), "one");
    assert_eq!(world.heard(), ["fn: one"]);
    world.off(a, None, "fn");
    world.frame("event", Some("a"), "none");
    assert!(world.heard().is_empty());
}

#[test]
fn a_channel_is_ready_when_it_is_joined_and_at_once_when_it_is_already() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    let b = world.open_channel("b", QUIET);
    world.wait(a, Moment::Joined, "ready");
    world.wait(b, Moment::Joined, "b ready");
    world.accept();
    assert!(world.heard().is_empty());
    world.joined("a", "one", 0);
    assert_eq!(world.heard(), ["ready: done"]);
    world.wait(a, Moment::Joined, "again");
    assert_eq!(world.heard(), ["again: done"]);
    world.lose(1006);
    world.wait(a, Moment::Joined, "after the reconnect");
    world.wake();
    world.accept();
    assert!(world.heard().is_empty());
    world.joined("a", "one", 0);
    assert_eq!(world.heard(), ["after the reconnect: done"]);
}

#[test]
fn who_waits_for_what_will_not_come_is_told() {
    let mut world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| world.open_channel(name, QUIET));
    for (channel, listener) in [(a, "a"), (b, "b"), (c, "c")] {
        world.wait(channel, Moment::Joined, listener);
        world.listen(channel, Some("error"), Some("errors"), None);
    }
    world.wait(c, Moment::Ended, "c's end");
    world.accept();
    world.news("error", Some("a"), "no entry", refused_join());
    assert_eq!(world.heard(), ["a: no entry", "errors: no entry"]);
    world.destroy(b);
    assert_eq!(world.heard(), ["b: Destroyed: join in b"]);
    world.lose(4404);
    let closed = "Closed(4404): join in ";
    assert_eq!(world.heard(), [format!("c: {closed}"), format!("c's end: {closed}")]);
    world.wait(c, Moment::Joined, "too late");
    assert_eq!(world.heard(), ["too late: Closed(4404): join in c"]);
}

#[test]
fn a_join_that_is_refused_for_now_is_asked_again_before_what_waits_behind_it() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    let b = world.open_channel("b", QUIET);
    world.listen(a, Some("error"), Some("errors"), None);
    world.wait(a, Moment::Joined, "ready");
    world.accept();
    world.news("error", Some("b"), "never", refused_join());
    world.joined("b", "one", 0);
    world.sent();
    world.heard();
    world.news("error", Some("a"), "too many joins", join_put_off(3_000));
    assert_eq!(world.heard(), ["errors: too many joins"]);
    world.named(a, "1");
    world.named(b, "2");
    world.pass(2_999);
    assert!(world.sent().is_empty());
    world.pass(1);
    assert_eq!(world.sent(), [join("a", false, false), "1".to_owned(), "2".to_owned()]);
    world.joined("a", "one", 0);
    assert_eq!(world.heard(), ["ready: done"]);
    world.news("error", Some("a"), "again", join_put_off(0));
    world.pass(499);
    assert!(world.sent().is_empty());
    world.pass(1);
    let sent = world.sent();
    assert!(sent.len() == 1 && sent[0].contains("resume"), "{sent:?}");
}

#[test]
fn a_message_that_came_behind_a_join_put_off_waits_with_it() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.named(a, "early");
    world.accept();
    world.sent();
    world.news("error", Some("a"), "too many joins", join_put_off(0));
    world.refuse("a", "early", None);
    world.pass(500);
    assert_eq!(world.sent(), [join("a", false, false), "early".to_owned()]);
    world.joined("a", "one", 0);
    world.heard();
    world.ack("a", "early");
    assert_eq!(world.heard(), ["receipt: early"]);
}

#[test]
fn the_end_of_the_client_ends_all_its_channels() {
    let mut world = World::new();
    world.open_channel("a", QUIET);
    let again = world.open_channel("a", QUIET);
    world.open_channel("b", QUIET);
    world.accept();
    world.sent();
    assert_eq!(world.client.status(), "connected");
    world.client.close_all();
    world.wake();
    assert_eq!(world.sent(), [leave("a"), leave("b"), "close 1000".to_owned()]);
    assert_eq!(world.client.status(), "idle");
    assert!(!world.use_channel(again));
}

#[test]
fn the_token_is_asked_for_before_every_attempt() {
    let mut world = World::new();
    world.client.ask_for_token(true);
    assert!(world.client.has_token());
    world.on("a", QUIET, "a");
    assert_eq!(world.client.status(), "connecting");
    assert!(world.opened.is_empty());
    world.give_token(Some("first"));
    world.accept();
    world.lose(1006);
    world.wake();
    world.give_token(Some("second"));
    assert_eq!(world.opened, [Some("first".to_owned()), Some("second".to_owned())]);
    world.accept();
    assert_eq!(world.sent().last(), Some(&join("a", false, false)));
}

#[test]
fn an_answer_to_an_older_question_does_not_count() {
    let mut world = World::new();
    world.client.ask_for_token(true);
    let a = world.on("a", QUIET, "a");
    world.destroy(a);
    world.give_token(Some("too late"));
    assert!(world.opened.is_empty());
    assert!(world.sent().is_empty(), "there is nothing to close");
}

#[test]
fn an_application_that_gives_no_token_is_asked_again() {
    let mut world = World::new();
    world.client.ask_for_token(true);
    world.on("a", QUIET, "a");
    let attempt = world.asked[0];
    world.client.handle_no_token(attempt, world.now, 0.5);
    assert_eq!(world.heard(), ["a: disconnected 1006, again in 500"]);
    world.pass(500);
    assert_eq!(world.asked.len(), 2);
    world.pass(Client::<(), ()>::TOKEN_DEADLINE);
    assert_eq!(world.heard(), ["a: disconnected 1006, again in 1000"]);
    world.pass(1_000);
    world.give_token(None);
    assert_eq!(world.opened, [None]);
}

#[test]
fn an_expired_token_ends_the_connection_only_where_nobody_can_get_another() {
    let mut world = World::new();
    world.client.ask_for_token(true);
    world.on("a", QUIET, "a");
    world.give_token(Some("short"));
    world.accept();
    world.heard();
    world.lose(4401);
    assert_eq!(world.heard(), ["a: disconnected 4401, again in 500"]);
    world.client.ask_for_token(false);
    world.pass(500);
    world.accept();
    world.heard();
    world.lose(4401);
    assert_eq!(world.heard(), ["a: disconnected 4401 for good"]);
}
