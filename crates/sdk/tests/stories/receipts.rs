//! Messages that are published once, or told.

use protocol::Action;
use sdk::{ChannelId, ChannelOptions, Client, Joined, News};

use crate::world::{QUIET, World, answer, join};

/// In a channel of a server that acknowledges.
fn joined() -> (World, ChannelId) {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, Some("error"), Some("errors"), None);
    world.accept();
    world.joined("a", "one", 0);
    world.sent();
    world.heard();
    (world, a)
}

fn reconnect(world: &mut World) {
    world.sent();
    world.lose(1006);
    world.wake();
    world.accept();
    world.heard();
}

/// The frames behind the join.
fn messages(world: &mut World) -> Vec<String> {
    world.sent().into_iter().filter(|text| !text.starts_with('{')).collect()
}

#[test]
fn an_ack_settles_its_receipt_and_is_not_for_listeners() {
    let (mut world, a) = joined();
    world.listen(a, None, Some("all"), None);
    world.heard();
    world.named(a, "1");
    world.named(a, "2");
    world.ack("a", "2");
    world.ack("a", "1");
    assert_eq!(world.heard(), ["receipt: 2", "receipt: 1"]);
    world.ack("a", "whose");
    assert_eq!(world.heard(), ["all: whose"], "an application may name its own");
}

#[test]
fn what_is_not_acknowledged_is_sent_again_first_and_in_order() {
    let (mut world, a) = joined();
    for id in ["1", "2", "3"] {
        world.named(a, id);
    }
    world.ack("a", "2");
    world.lose(1006);
    world.named(a, "4");
    world.sent();
    world.pass(500);
    world.accept();
    assert_eq!(messages(&mut world), ["1", "3", "4"]);
    world.heard();
    for id in ["1", "3", "4"] {
        world.ack("a", id);
    }
    assert_eq!(world.heard(), ["receipt: 1", "receipt: 3", "receipt: 4"]);
    reconnect(&mut world);
    assert!(messages(&mut world).is_empty());
}

#[test]
fn a_wrong_hash_loses_nothing_in_silence() {
    let mut world = World::new();
    let a = world.open_channel("a", QUIET);
    world.listen(a, Some("error"), Some("errors"), None);
    world.named(a, "early");
    world.accept();
    assert_eq!(messages(&mut world), ["early"]);
    world.heard();
    world.frame("error", None, "unknown hash");
    world.lose(4404);
    let refusal = "Closed(4404): message in a";
    assert_eq!(
        world.refusals(),
        ["errors: unknown hash", &format!("receipt: {refusal}"), &format!("errors: {refusal}")]
    );
}

#[test]
fn an_end_for_good_does_not_claim_to_know_what_became_of_what_was_sent() {
    let (mut world, a) = joined();
    world.named(a, "sent");
    world.lose(1008);
    assert_eq!(
        world.refusals(),
        ["receipt: Unknown: message in a", "errors: Unknown: message in a"]
    );
}

#[test]
fn beyond_what_the_server_remembers_nothing_is_sent_twice() {
    let (mut world, a) = joined();
    world.named(a, "old");
    world.sent();
    world.lose(1006);
    world.named(a, "new");
    world.now += Client::<(), ()>::REMEMBERED + 1;
    world.pass(0);
    assert_eq!(world.heard(), ["receipt: Unknown: message in a", "errors: Unknown: message in a"]);
    world.accept();
    assert_eq!(messages(&mut world), ["new"]);
}

#[test]
fn what_the_server_never_answers_is_told_in_the_end() {
    let (mut world, a) = joined();
    world.named(a, "into the void");
    world.pass(Client::<(), ()>::REMEMBERED + 1);
    assert!(world.heard().is_empty());
    // Any timer will do; the heartbeat's rings every few seconds.
    world.sleep(0);
    let refusal = "Unknown: message in a";
    assert_eq!(world.heard(), [format!("receipt: {refusal}"), format!("errors: {refusal}")]);
    world.ack("a", "into the void");
    assert!(world.heard().is_empty());
}

#[test]
fn a_refusal_settles_its_receipt_and_is_heard_by_listeners() {
    let (mut world, a) = joined();
    world.named(a, "1");
    world.named(a, "2");
    world.refuse("a", "1", None);
    assert_eq!(world.heard(), ["receipt: 1", "errors: 1"]);
    reconnect(&mut world);
    assert_eq!(messages(&mut world), ["2"]);
}

#[test]
fn what_is_refused_for_now_is_sent_again_later_before_newer_ones() {
    let (mut world, a) = joined();
    world.named(a, "1");
    world.named(a, "2");
    world.refuse("a", "1", Some(0));
    world.refuse("a", "2", Some(0));
    world.named(a, "3");
    assert_eq!(messages(&mut world), ["1", "2"]);
    assert!(world.heard().is_empty());
    world.pass(499);
    assert!(messages(&mut world).is_empty());
    world.pass(1);
    assert_eq!(messages(&mut world), ["1", "2", "3"]);
}

#[test]
fn a_server_that_says_when_is_believed() {
    let (mut world, a) = joined();
    world.named(a, "1");
    world.refuse("a", "1", Some(7_000));
    world.sent();
    world.pass(6_999);
    assert!(messages(&mut world).is_empty());
    world.pass(1);
    assert_eq!(messages(&mut world), ["1"]);
}

#[test]
fn a_message_that_is_refused_for_now_again_and_again_is_told() {
    let (mut world, a) = joined();
    world.named(a, "1");
    world.sent();
    for _ in 0..5 {
        world.refuse("a", "1", Some(0));
        world.pass(60_000);
        assert_eq!(messages(&mut world), ["1"]);
    }
    world.refuse("a", "1", Some(0));
    assert_eq!(world.heard(), ["receipt: 1", "errors: 1"]);
}

#[test]
fn a_server_without_extensions_gets_each_message_once_and_no_receipt_waits() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.heard();
    assert!(world.client.names_messages(), "nobody knows yet");
    world.named(a, "early");
    assert!(world.heard().is_empty());
    world.answer_join("a", Joined::default());
    assert_eq!(world.heard(), ["receipt: done", "a: joined"]);
    assert!(!world.client.names_messages());
    world.named(a, "later");
    assert_eq!(world.heard(), ["receipt: done"]);
    world.sent();
    reconnect(&mut world);
    assert_eq!(world.sent(), [join("a", false, false)]);
}

#[test]
fn a_server_that_never_answers_a_join_acknowledges_nothing() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.named(a, "1");
    world.heard();
    world.frame("message", Some("a"), "somebody");
    assert_eq!(world.heard(), ["receipt: done", "a: somebody"]);
}

#[test]
fn who_does_not_queue_is_not_sent_again_but_told() {
    let mut world = World::new();
    let a = world.open_channel("a", ChannelOptions { queue_offline_actions: false, ..QUIET });
    world.listen(a, Some("error"), Some("errors"), None);
    world.named(a, "too early");
    assert_eq!(world.heard(), ["receipt: NotConnected: message in a"]);
    world.accept();
    world.joined("a", "one", 0);
    world.named(a, "in flight");
    world.heard();
    world.lose(1006);
    assert_eq!(
        world.refusals(),
        ["receipt: Unknown: message in a", "errors: Unknown: message in a"]
    );
}

#[test]
fn a_destroyed_channel_settles_its_receipts() {
    let (mut world, a) = joined();
    world.on("b", QUIET, "b");
    world.heard();
    world.named(a, "sent");
    world.destroy(a);
    assert_eq!(world.heard(), ["receipt: Destroyed: message in a"]);
    assert!(world.warnings().is_empty(), "it was sent");
    world.ack("a", "sent");
    assert_eq!(world.heard(), Vec::<String>::new());
}

#[test]
fn a_page_of_history_goes_to_who_asked_for_it() {
    let (mut world, a) = joined();
    world.listen(a, None, Some("all"), None);
    world.heard();
    world.ask(a, Action::History, "page 1", Some("first"));
    world.ask(a, Action::History, "all", None);
    world.ask(a, Action::History, "page 2", Some("second"));
    world.news("history", Some("a"), "one", News::History { page: true });
    world.news("history", Some("a"), "whole", News::History { page: false });
    world.news("history", Some("a"), "two", News::History { page: true });
    assert_eq!(world.heard(), ["first: one", "all: whole", "second: two"]);
}

#[test]
fn a_page_is_asked_for_again_over_the_next_connection() {
    let (mut world, a) = joined();
    world.ask(a, Action::History, "page", Some("reader"));
    reconnect(&mut world);
    assert_eq!(messages(&mut world).last().map(String::as_str), Some("page"));
}

#[test]
fn a_server_without_pages_gives_the_whole_history() {
    let mut world = World::new();
    let a = world.on("a", QUIET, "a");
    world.accept();
    world.answer_join("a", Joined { pages: false, ..answer("one", 0) });
    world.heard();
    world.ask(a, Action::History, "page", Some("reader"));
    world.news("history", Some("a"), "whole", News::History { page: false });
    assert_eq!(world.heard(), ["reader: whole", "a: whole"]);
}
