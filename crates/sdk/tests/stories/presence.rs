//! Who is here.

use protocol::{PresenceAction, PresenceFull, PresenceUpdate};
use sdk::{ChannelId, ChannelOptions, Member, News};

use crate::world::{QUIET, World};

const PRESENCE: ChannelOptions = ChannelOptions { presence: true, ..QUIET };

fn member(session_id: &str) -> Member<&'static str> {
    Member { session_id: session_id.to_owned(), info: "somebody" }
}

fn full(session_ids: &[&str]) -> News<&'static str> {
    News::PresenceFull(PresenceFull { presence: session_ids.iter().map(|id| member(id)).collect() })
}

fn update(action: PresenceAction, session_id: &str) -> News<&'static str> {
    News::PresenceUpdate(PresenceUpdate { action, presence: member(session_id) })
}

fn present(world: &World, id: ChannelId) -> Vec<&str> {
    world.client.presence(id).iter().map(|member| &*member.session_id).collect()
}

#[test]
fn the_roster_is_up_to_date_before_listeners_are_called() {
    let mut world = World::new();
    let a = world.on("a", PRESENCE, "a");
    world.accept();
    world.heard();
    world.news("presence_full", Some("a"), "full", full(&["me", "you"]));
    assert!(world.client.has_delivery());
    assert_eq!(present(&world, a), ["me", "you"]);
    assert_eq!(world.heard(), ["a: full"]);
    world.news("presence_update", Some("a"), "leave", update(PresenceAction::Leave, "you"));
    assert_eq!(present(&world, a), ["me"]);
    assert_eq!(world.heard(), ["a: leave"]);
}

#[test]
fn a_join_after_the_full_list_does_not_double_anybody() {
    let mut world = World::new();
    let a = world.on("a", PRESENCE, "a");
    world.accept();
    world.news("presence_full", Some("a"), "full", full(&["me"]));
    world.news("presence_update", Some("a"), "join", update(PresenceAction::Join, "me"));
    assert_eq!(present(&world, a), ["me"]);
}

#[test]
fn without_a_connection_nobody_is_known_to_be_here() {
    let mut world = World::new();
    let a = world.on("a", PRESENCE, "a");
    world.accept();
    world.news("presence_full", Some("a"), "full", full(&["me"]));
    world.lose(1006);
    assert!(present(&world, a).is_empty());
    world.pass(500);
    world.accept();
    world.news("presence_full", Some("a"), "full", full(&["me again"]));
    world.reconnect();
    assert!(present(&world, a).is_empty());
}

#[test]
fn a_channel_used_again_knows_nothing_of_its_former_members() {
    let mut world = World::new();
    world.on("b", QUIET, "b");
    let a = world.on("a", PRESENCE, "a");
    world.accept();
    world.news("presence_full", Some("a"), "full", full(&["me"]));
    world.destroy(a);
    let a = world.on("a", PRESENCE, "a");
    assert!(present(&world, a).is_empty());
}

#[test]
fn presence_without_a_channel_is_ignored() {
    let mut world = World::new();
    let a = world.on("a", PRESENCE, "a");
    world.accept();
    world.heard();
    world.news("presence_full", Some("a"), "full", full(&["me"]));
    world.heard();
    world.news("presence_full", None, "whose?", full(&["stranger"]));
    world.news("presence_update", None, "whose?", update(PresenceAction::Leave, "me"));
    assert_eq!(present(&world, a), ["me"]);
    assert!(world.heard().is_empty());
}

#[test]
fn presence_without_members_is_warned_about_and_ignored() {
    let mut world = World::new();
    let a = world.on("a", PRESENCE, "a");
    world.accept();
    world.news("presence_full", Some("a"), "full", full(&["me"]));
    world.heard();
    world.news("presence_update", Some("a"), "broken", News::MalformedPresence);
    assert_eq!(world.warnings().len(), 1);
    assert!(world.heard().is_empty());
    assert_eq!(present(&world, a), ["me"]);
}
