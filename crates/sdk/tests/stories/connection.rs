//! When there is a connection, and when there is another one.

use sdk::Backoff;

use crate::world::{QUIET, World, join, leave};

#[test]
fn nothing_connects_until_a_channel_is_used() {
    let mut world = World::new();
    assert_eq!(world.client.poll_timeout(), None);
    world.reconnect();
    world.wake();
    assert!(world.opened.is_empty());
    world.on("a", QUIET, "a");
    assert_eq!(world.opened, [None]);
}

#[test]
fn the_token_travels_with_the_next_connection() {
    let mut world = World::new();
    world.client.set_token(Some("first".to_owned()));
    assert!(world.client.has_token());
    world.on("a", QUIET, "a");
    world.accept();
    world.client.set_token(Some("second".to_owned()));
    assert_eq!(world.opened.len(), 1);
    world.reconnect();
    world.client.set_token(Some(String::new()));
    assert!(!world.client.has_token());
    world.reconnect();
    assert_eq!(world.opened, [Some("first".to_owned()), Some("second".to_owned()), None]);
}

#[test]
fn every_channels_listeners_hear_of_the_connection() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.on("b", QUIET, "b");
    assert!(world.heard().is_empty());
    world.accept();
    assert_eq!(world.heard(), ["a: connected", "b: connected"]);
    world.lose(1006);
    assert_eq!(
        world.heard(),
        ["a: disconnected 1006, again in 500", "b: disconnected 1006, again in 500"]
    );
}

#[test]
fn who_listens_late_hears_of_the_connection_once() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    assert_eq!(world.heard(), ["a: connected"]);
    world.listen(a, Some("connection_status"), Some("status"), None);
    world.listen(a, Some("message"), Some("message"), None);
    world.on("b", QUIET, "b");
    assert_eq!(world.heard(), ["status: connected", "b: connected"]);
    let socket = world.socket.unwrap();
    world.client.handle_open(socket, world.now);
    assert!(world.heard().is_empty(), "one connection is announced once");
}

#[test]
fn a_life_too_short_to_be_announced_is_told_in_order_and_gets_nothing_it_would_lose() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.listen(a, Some("error"), Some("errors"), None);
    world.message(a, "kept");
    world.frame("error", None, "no");
    world.frame("message", Some("a"), "hello");
    world.lose(1012);
    assert_eq!(
        world.heard(),
        ["a: connected", "errors: no", "a: hello", "a: disconnected 1012, again in 500"]
    );
    assert!(world.sent().is_empty());
    world.pass(500);
    world.lose(4404);
    assert_eq!(world.heard(), ["a: connected", "a: disconnected 4404 for good"]);
    world.reconnect();
    for code in [1006, 1015] {
        world.lose(code);
        assert_eq!(world.heard().len(), 1, "{code}: it never was open");
        world.wake();
    }
    world.accept();
    let socket = world.socket.unwrap();
    world.client.handle_malformed(socket, world.now);
    assert_eq!(world.heard(), ["a: connected"]);
}

#[test]
fn only_the_sdk_itself_announces_connections() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.accept();
    world.heard();
    world.sent();
    world.frame("connection_status", None, "from the server");
    assert!(world.heard().is_empty());
    assert!(world.sent().is_empty());
}

#[test]
fn a_lost_connection_comes_back_after_a_wait_that_grows() {
    let mut world = World::new();
    world.random = 0.999_999;
    world.on("a", QUIET, "a");
    world.accept();
    world.lose(1006);
    for wait in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        let attempts = world.opened.len();
        world.pass(wait - 100);
        assert_eq!(world.opened.len(), attempts, "after {wait}");
        world.pass(100);
        assert_eq!(world.opened.len(), attempts + 1, "after {wait}");
        world.lose(1006);
    }
}

#[test]
fn a_server_that_accepts_and_closes_is_not_hammered() {
    let mut world = World::new();
    world.random = 0.999_999;
    world.on("a", QUIET, "a");
    for _ in 0..3 {
        world.accept();
        world.pass(Backoff::STABLE - 1);
        world.lose(1006);
        world.wake();
    }
    world.heard();
    world.accept();
    world.lose(1006);
    assert_eq!(world.heard()[1], "a: disconnected 1006, again in 7999");
    world.wake();
    world.accept();
    world.pass(Backoff::STABLE);
    world.lose(1006);
    assert_eq!(world.heard()[1], "a: disconnected 1006, again in 999", "it was stable");
}

#[test]
fn the_close_code_decides_whether_to_come_back() {
    for (code, comes_back) in [
        (1001, true),
        (1005, true),
        (1006, true),
        (1009, true),
        (1011, true),
        (1012, true),
        (1013, true),
        (4000, true),
        (1000, false),
        (1008, false),
        (4401, false),
        (4404, false),
        (4408, false),
    ] {
        let mut world = World::new();
        world.on("a", QUIET, "a");
        world.accept();
        world.heard();
        world.lose(code);
        let again = if comes_back { ", again in 500" } else { " for good" };
        assert_eq!(world.heard(), [format!("a: disconnected {code}{again}")]);
        world.pass(3_600_000);
        assert_eq!(world.opened.len() > 1, comes_back, "{code}");
    }
}

#[test]
fn after_a_refusal_the_application_may_try_again() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.accept();
    world.lose(4401);
    assert_eq!(world.client.poll_timeout(), None);
    world.reconnect();
    assert_eq!(world.opened.len(), 2);
    world.lose(4401);
    world.on("b", QUIET, "b");
    assert_eq!(world.opened.len(), 3, "a new channel is a reason to try");
}

#[test]
fn what_the_browser_refuses_is_told_and_not_repeated() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    let socket = world.socket.unwrap();
    world.client.handle_refused(socket, "not a legal token");
    assert_eq!(world.heard(), ["a: disconnected 1006 for good"]);
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn an_attempt_without_an_answer_ends_after_ten_seconds() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    let slow = world.socket.unwrap();
    world.pass(9_999);
    assert!(world.heard().is_empty());
    world.pass(1);
    assert_eq!(world.sent(), ["close 1000"]);
    assert_eq!(world.heard(), ["a: disconnected 1006, again in 500"]);
    world.pass(500);
    world.client.handle_open(slow, world.now);
    assert!(world.sent().is_empty(), "the late answer of the first attempt does not count");
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false)]);
}

#[test]
fn reconnecting_is_immediate_and_the_old_socket_is_forgotten() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    let old = world.accept();
    world.sent();
    world.heard();
    world.reconnect();
    assert_eq!(world.sent(), ["close 4000"]);
    assert_eq!(world.heard(), ["a: disconnected 4000, again in 0"]);
    world.accept();
    assert_eq!(world.heard(), ["a: connected"]);
    assert_eq!(world.sent(), [join("a", false, false)]);
    world.close(old, 4000);
    assert!(world.heard().is_empty(), "the old socket's end is old news");
    assert_eq!(world.opened.len(), 2);
}

#[test]
fn reconnecting_while_connecting_or_waiting_starts_one_new_attempt() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.reconnect();
    assert_eq!(world.sent(), ["close 4000"]);
    world.lose(1006);
    world.heard();
    world.reconnect();
    assert_eq!(world.opened.len(), 3);
    world.accept();
    world.pass(3_600_000);
    assert_eq!(world.opened.len(), 3, "the wait that was under way is off");
    assert_eq!(world.heard(), ["a: connected"]);
}

#[test]
fn when_the_network_comes_back_nobody_waits_longer() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.accept();
    world.lose(1006);
    world.wake();
    assert_eq!(world.opened.len(), 2);
    world.wake();
    assert_eq!(world.opened.len(), 2, "an attempt is under way already");
    world.accept();
    world.wake();
    world.pass(3_600_000);
    assert_eq!(world.opened.len(), 2);
}

#[test]
fn destroying_the_last_channel_during_the_wait_ends_the_wait() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.lose(1006);
    world.sent();
    world.destroy(a);
    assert!(world.sent().is_empty());
    assert_eq!(world.client.poll_timeout(), None);
    world.pass(3_600_000);
    assert_eq!(world.opened.len(), 1);
}

#[test]
fn an_open_socket_closes_with_the_last_channel() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    let b = world.on("b", QUIET, "b");
    let socket = world.accept();
    world.sent();
    world.heard();
    world.destroy(a);
    assert_eq!(world.sent(), [leave("a")]);
    world.destroy(b);
    assert_eq!(world.sent(), [leave("b"), "close 1000".to_owned()]);
    world.close(socket, 1000);
    assert!(world.heard().is_empty());
    assert!(!world.client.is_active());
}

#[test]
fn an_attempt_that_hangs_when_the_network_comes_back_is_made_again() {
    let mut world = World::new();
    world.on("a", QUIET, "a");
    world.wake();
    assert_eq!(world.opened.len(), 1, "it has only just begun");
    world.pass(1_001);
    world.wake();
    assert_eq!(world.opened.len(), 2);
    assert_eq!(world.sent(), ["close 4000"]);
    assert!(world.heard().is_empty(), "it never was connected");
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false)]);
}

#[test]
fn a_page_that_freezes_gives_its_connection_back_and_takes_one_when_it_runs_again() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.sent();
    world.heard();
    world.freeze();
    assert_eq!(world.sent(), ["close 4000"]);
    assert_eq!(world.heard(), ["a: disconnected 4000, again in 0"]);
    world.message(a, "later");
    world.wake();
    world.accept();
    assert_eq!(world.sent(), [join("a", false, false), "later".to_owned()]);
    world.freeze();
    world.sent();
    // Its timer is the first to run.
    world.sleep(3_600_000);
    assert_eq!(world.opened.len(), 3);
    world.freeze();
    assert_eq!(world.sent(), ["close 4000"], "an attempt is given back too");
    world.heard();
    world.freeze();
    assert_eq!(world.sent(), [""; 0], "there is nothing to give back");
    assert_eq!(world.heard(), [""; 0]);
    world.destroy(a);
    world.freeze();
    assert_eq!(world.client.poll_timeout(), None);
}
