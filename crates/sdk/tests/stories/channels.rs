//! Which channels the connection is in, and who hears what.

use sdk::ChannelOptions;

use crate::world::{QUIET, World, join, leave, refused_join};

const HISTORY: ChannelOptions = ChannelOptions { history: true, ..QUIET };
const PRESENCE: ChannelOptions = ChannelOptions { presence: true, ..QUIET };

#[test]
fn channels_opened_while_connecting_join_once_when_the_line_is_there() {
    let mut world = World::new();
    world.on("a", HISTORY, "a");
    world.on("b", PRESENCE, "b");
    assert!(world.sent().is_empty());
    world.accept();
    assert_eq!(world.sent(), [join("a", true, false), join("b", false, true)]);
    world.on("c", QUIET, "c");
    assert_eq!(world.sent(), [join("c", false, false)]);
}

#[test]
fn a_channel_without_listeners_is_joined_again_as_well() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.message(a, "first");
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), "first".to_owned()]);
    world.lose(1006);
    world.pass(500);
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false)]);
}

#[test]
fn objects_of_one_name_share_the_join_and_only_the_last_leaves() {
    let mut world = World::new();
    let first = world.on("a", QUIET, "first");
    let second = world.on("a", QUIET, "second");
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false)]);
    world.heard();
    world.destroy(first);
    assert!(world.sent().is_empty());
    world.frame("message", Some("a"), "hello");
    assert_eq!(world.heard(), ["second: hello"]);
    world.destroy(second);
    assert_eq!(world.sent(), [leave("a"), "close 1000".to_owned()]);
}

#[test]
fn an_object_that_wants_more_than_the_join_asked_for_joins_again() {
    let mut world = World::new();
    world.on("a", HISTORY, "first");
    world.accept();
    world.sent();
    world.on("a", PRESENCE, "second");
    assert_eq!(world.sent(), [join("a", false, true)], "the first has its history already");
    world.on("a", QUIET, "third");
    assert!(world.sent().is_empty());
    let socket = world.socket.unwrap();
    world.close(socket, 1006);
    world.pass(2_000);
    world.accept();
    assert_eq!(world.sent(), [join("a", true, true)], "a new connection knows nothing");
}

#[test]
fn an_object_that_comes_after_a_refusal_asks_again_and_hears_why() {
    let mut world = World::new();
    let first = world.open_channel("a", QUIET);
    world.listen(first, None, Some("first"), Some("its errors"));
    world.accept();
    world.sent();
    world.heard();
    world.news("error", Some("a"), "refused", refused_join());
    assert_eq!(world.heard(), ["its errors: refused"]);
    world.on("a", QUIET, "second");
    assert_eq!(world.sent(), [join("a", false, false)]);
}

#[test]
fn an_object_that_comes_late_still_gets_the_history_it_asks_for() {
    let mut world = World::new();
    world.on("a", HISTORY, "first");
    world.accept();
    world.sent();
    world.on("a", HISTORY, "second");
    assert_eq!(world.sent(), [r#"{"action":"history","options":{"channel":"a"},"payload":null}"#]);
}

#[test]
fn a_channel_destroyed_while_connecting_costs_one_close_and_nothing_else() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    let abandoned = world.socket.unwrap();
    world.destroy(a);
    assert_eq!(world.sent(), ["close 1000"]);
    world.client.handle_open(abandoned, world.now);
    world.close(abandoned, 1006);
    assert!(world.sent().is_empty());
    assert!(world.heard().is_empty());
    world.pass(3_600_000);
    assert_eq!(world.opened.len(), 1);
}

#[test]
fn one_of_two_channels_destroyed_while_connecting_is_not_joined() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.on("b", QUIET, "b");
    world.destroy(a);
    world.accept();
    assert_eq!(world.sent(), [join("b", false, false)]);
    assert_eq!(world.heard(), ["b: connected"]);
}

#[test]
fn destroy_and_open_in_one_tick_survives_the_old_sockets_late_close() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    let old = world.accept();
    world.destroy(a);
    world.on("b", QUIET, "b");
    world.heard();
    world.sent();
    world.close(old, 1000);
    world.news_on(old, "message", None, "late", sdk::News::None);
    assert!(world.heard().is_empty());
    world.accept();
    world.close(old, 1000);
    assert_eq!(world.heard(), ["b: connected"]);
    assert_eq!(world.sent(), [join("b", false, false)]);
    world.frame("message", Some("b"), "hello");
    assert_eq!(world.heard(), ["b: hello"]);
}

#[test]
fn mount_unmount_mount_ends_with_one_join() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "first");
    world.destroy(a);
    world.on("a", QUIET, "second");
    world.sent();
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false)]);
    assert_eq!(world.heard(), ["second: connected"]);
}

#[test]
fn after_a_destroy_no_listener_is_called_not_even_for_what_came_before() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.on("a", QUIET, "other");
    world.accept();
    world.heard();
    world.frame("message", Some("a"), "hello");
    world.destroy(a);
    assert_eq!(world.heard(), ["other: hello"]);
}

#[test]
fn destroying_twice_does_nothing_the_second_time() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.on("b", QUIET, "b");
    world.accept();
    world.sent();
    world.destroy(a);
    world.destroy(a);
    assert_eq!(world.sent(), [leave("a")]);
    assert!(!world.use_channel(a));
}

#[test]
fn a_frame_reaches_its_channel_and_one_without_reaches_all() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.on("b", QUIET, "b");
    world.accept();
    world.heard();
    world.frame("message", Some("a"), "one");
    world.frame("event", Some("elsewhere"), "none");
    world.frame("event", None, "all");
    assert_eq!(world.heard(), ["a: one", "a: all", "b: all"]);
}

#[test]
fn a_listener_hears_the_action_it_asked_for_known_or_not() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, Some("message"), Some("messages"), None);
    world.listen(a, Some("tomorrow"), Some("futurist"), None);
    world.accept();
    world.frame("message", Some("a"), "hello");
    world.frame("tomorrow", Some("a"), "what is this");
    world.frame("event", Some("a"), "nobody asked");
    assert_eq!(world.heard(), ["messages: hello", "futurist: what is this"]);
}

#[test]
fn after_a_reconnect_the_flags_are_those_still_wanted() {
    let mut world = World::new();
    let a = world.on("a", HISTORY, "first");
    world.on("a", PRESENCE, "second");
    world.accept();
    world.destroy(a);
    world.lose(1012);
    world.sent();
    world.pass(500);
    world.accept();
    assert_eq!(world.sent(), [join("a", false, true)]);
}
