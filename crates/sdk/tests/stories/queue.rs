//! What is sent without a connection.

use protocol::Action;
use sdk::{ChannelOptions, Client, Event, Refusal};

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
    assert_eq!(world.refusals(), ["errors: QueueFull: message in a"]);
    world.ask(a, Action::History, "", None);
    assert_eq!(world.refusals(), ["errors: QueueFull: history in a"]);
    world.accept();
    assert_eq!(world.sent().len(), 1 + 1_000);
}

#[test]
fn a_refused_message_whose_channel_takes_no_errors_is_told_to_the_developer() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.message(a, &"x".repeat(MAX_FRAME + 1));
    assert!(world.refusals().is_empty());
    assert!(matches!(
        &world.untaken()[..],
        [Event::Refused { refusal: Refusal::TooLarge, action: Action::Message, .. }]
    ));
}

#[test]
fn what_the_server_would_end_the_connection_over_is_not_sent() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, None, Some("all"), Some("errors"));
    let largest = "x".repeat(MAX_FRAME);
    // Bytes count, not characters.
    let too_large = "é".repeat(MAX_FRAME / 2) + "x";
    world.message(a, &too_large);
    world.message(a, &largest);
    assert_eq!(world.refusals(), ["errors: TooLarge: message in a"]);
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), largest.clone()]);
    world.heard();
    world.message(a, &too_large);
    world.message(a, &largest);
    assert_eq!(world.refusals(), ["errors: TooLarge: message in a"]);
    assert_eq!(world.sent(), [largest]);
}

#[test]
fn a_refusal_is_heard_in_a_turn_of_its_own() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.message(a, &"x".repeat(MAX_FRAME + 1));
    assert!(!world.client.has_delivery());
    world.listen(a, Some("error"), Some("who listens late"), None);
    // Its listener asks for the same again each time it is told.
    for _ in 0..3 {
        assert_eq!(world.refusals(), ["who listens late: TooLarge: message in a"]);
        world.message(a, &"x".repeat(MAX_FRAME + 1));
        assert!(!world.client.has_delivery());
    }
    world.on("b", QUIET, "b");
    world.destroy(a);
    assert!(world.refusals().is_empty());
    assert_eq!(world.warnings().len(), 1);
    assert!(world.untaken().is_empty());
}

#[test]
fn an_end_for_good_refuses_what_waits_and_what_comes() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.listen(a, Some("error"), Some("a's errors"), None);
    let careless =
        world.open_channel("b", ChannelOptions { queue_offline_actions: false, ..QUIET });
    world.listen(careless, Some("error"), Some("b's errors"), None);
    let socket = world.accept();
    world.client.handle_closing(socket);
    world.heard();
    world.sent();
    world.message(a, "1");
    world.ask(a, Action::History, "2", None);
    world.lose(4404);
    assert_eq!(
        world.refusals(),
        [
            "a: disconnected 4404 for good",
            "a's errors: Closed(4404): message in a",
            "a's errors: Closed(4404): history in a",
        ]
    );
    world.message(a, "3");
    world.message(careless, "4");
    assert_eq!(
        world.refusals(),
        ["a's errors: Closed(4404): message in a", "b's errors: Closed(4404): message in b"]
    );
    assert!(world.warnings().is_empty());
    world.reconnect();
    world.message(a, "5");
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), join("b", false, false), "5".into()]);
}

#[test]
fn an_end_for_good_lasts_until_another_channel_object_is_used() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.listen(a, Some("error"), Some("errors"), None);
    world.accept();
    world.lose(1008);
    world.wake();
    world.pass(3_600_000);
    world.message(a, "refused");
    world.heard();
    assert_eq!(world.refusals(), ["errors: Closed(1008): message in a"]);
    assert_eq!(world.opened.len(), 1);
    world.sent();
    let another = world.on("a", QUIET, "another");
    world.message(a, "1");
    world.message(another, "2");
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), "1".into(), "2".into()]);
    assert!(world.untaken().is_empty());
}

#[test]
fn what_waits_for_a_socket_that_the_browser_refuses_is_refused_too() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, Some("error"), Some("errors"), None);
    world.message(a, "never");
    world.client.handle_refused(world.socket.unwrap(), "not a legal token");
    assert_eq!(world.refusals(), ["errors: Closed(1006): message in a"]);
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

const MAX_FRAME: usize = Client::<(), ()>::MAX_FRAME;
