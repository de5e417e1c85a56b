//! What is sent without a connection.

use protocol::Action;
use sdk::{ChannelOptions, Event};

use crate::world::{QUIET, World, join};

#[test]
fn messages_wait_for_the_connection_and_follow_the_joins_in_order() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.message(a, "1");
    let b = world.on("b", QUIET, "b");
    world.message(b, "2");
    world.message(a, "3");
    assert!(world.sent().is_empty());
    world.accept();
    assert_eq!(
        world.sent(),
        [join("a", false, false), join("b", false, false), "1".into(), "2".into(), "3".into()]
    );
    world.message(a, "4");
    assert_eq!(world.sent(), ["4"]);
}

#[test]
fn messages_wait_through_a_reconnect() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.lose(1006);
    world.sent();
    world.message(a, "during the wait");
    world.pass(500);
    world.message(a, "during the attempt");
    world.lose(1006);
    world.wake();
    world.accept();
    assert_eq!(
        world.sent(),
        [join("a", false, false), "during the wait".into(), "during the attempt".into()]
    );
    world.reconnect();
    world.message(a, "during a wanted reconnect");
    assert_eq!(world.sent(), ["close 4000"]);
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), "during a wanted reconnect".into()]);
}

#[test]
fn a_socket_that_is_closing_gets_nothing_it_would_lose() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    let socket = world.accept();
    world.sent();
    world.client.handle_closing(socket);
    world.message(a, "saved");
    assert!(world.sent().is_empty());
    world.close(socket, 1012);
    world.pass(500);
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), "saved".into()]);
}

#[test]
fn a_channel_that_does_not_queue_drops_and_says_so() {
    let mut world = World::new();
    let a = world.open_channel("a", ChannelOptions { queue_offline_actions: false, ..QUIET });
    world.message(a, "lost");
    assert_eq!(world.warnings().len(), 1);
    world.accept();
    world.message(a, "sent");
    assert_eq!(world.sent(), [join("a", false, false), "sent".into()]);
    assert!(world.warnings().is_empty());
}

#[test]
fn at_the_bound_the_new_message_is_refused_where_errors_are_heard() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, None, Some("all"), Some("errors"));
    let same_name = world.open_channel("a", QUIET);
    world.listen(same_name, None, Some("other"), Some("other errors"));
    for number in 0..1_000 {
        world.message(a, &number.to_string());
    }
    assert!(world.heard().is_empty());
    world.message(a, "one too many");
    assert_eq!(world.heard(), ["errors: queue full: message in a"]);
    world.client.send(a, Action::History, String::new());
    assert_eq!(world.heard(), ["errors: queue full: history in a"]);
    world.accept();
    assert_eq!(world.sent().len(), 1 + 1_000);
}

#[test]
fn a_refused_message_whose_channel_takes_no_errors_is_told_to_the_developer() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.message(a, &"x".repeat(5 << 20));
    assert!(matches!(&world.untaken()[..], [Event::QueueFull { .. }]));
}

#[test]
fn a_destroyed_channel_takes_what_it_queued_along_and_says_so() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    let b = world.on("b", QUIET, "b");
    world.message(a, "a's");
    world.message(b, "b's");
    world.destroy(a);
    assert_eq!(world.warnings().len(), 1);
    world.accept();
    assert_eq!(world.sent(), [join("b", false, false), "b's".into()]);
}
