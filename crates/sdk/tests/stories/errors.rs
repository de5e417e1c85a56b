//! An error reaches somebody, once.

use sdk::Event;

use crate::world::{QUIET, World};

#[test]
fn an_error_reaches_everyone_who_takes_errors_and_nobody_else() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, Some("error"), Some("by name"), None);
    world.listen(a, Some("message"), Some("messages"), Some("beside messages"));
    world.listen(a, None, Some("all"), Some("beside all"));
    world.listen(a, None, Some("careless"), None);
    world.listen(a, Some("event"), Some("also careless"), None);
    world.listen(a, Some("error"), Some("first of both"), Some("second of both"));
    world.accept();
    world.heard();
    world.frame("error", Some("a"), "no");
    assert_eq!(
        world.heard(),
        ["by name: no", "beside messages: no", "beside all: no", "second of both: no"]
    );
    assert!(world.untaken().is_empty());
}

#[test]
fn an_error_that_nobody_takes_is_told_to_the_developer() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    let b = world.open_channel("b", QUIET);
    world.listen(b, None, Some("b"), Some("b's errors"));
    world.accept();
    world.heard();
    world.frame("error", Some("a"), "no");
    assert!(world.heard().is_empty());
    assert_eq!(world.untaken(), [Event::Frame("no")]);
}

#[test]
fn an_error_about_the_connection_is_taken_if_any_channel_takes_it() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    let b = world.open_channel("b", QUIET);
    world.listen(b, None, Some("b"), Some("b's errors"));
    world.accept();
    world.heard();
    world.frame("error", None, "Unknown connection hash");
    assert_eq!(world.heard(), ["b's errors: Unknown connection hash"]);
    assert!(world.untaken().is_empty());
    world.destroy(b);
    world.frame("error", None, "again");
    assert_eq!(world.untaken(), [Event::Frame("again")]);
}

#[test]
fn what_is_no_frame_is_warned_about_once_per_connection() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    let socket = world.accept();
    world.heard();
    world.client.handle_malformed(socket, world.now);
    world.client.handle_malformed(socket, world.now);
    world.frame("message", Some("a"), "still alive");
    assert_eq!(world.warnings().len(), 1);
    assert_eq!(world.heard(), ["a: still alive"]);
    world.lose(1006);
    world.pass(500);
    let socket = world.accept();
    world.client.handle_malformed(socket, world.now);
    world.frame("message", Some("a"), "drains");
    assert_eq!(world.warnings().len(), 1);
}
