//! A node that stops ends its sessions one after the other.

use protocol::CloseCode;

use crate::open_world;
use crate::world::{self, Client, World};

fn joined(world: &mut World, count: usize) -> Vec<Client> {
    let clients: Vec<_> = (0..count).map(|_| world.anonymous()).collect();
    clients.iter().for_each(|client| world.join(*client, "open"));
    clients
}

/// The clients whose session has not ended.
fn left(world: &World, clients: &[Client]) -> Vec<Client> {
    clients.iter().copied().filter(|client| world.closed(*client).is_none()).collect()
}

#[test]
fn at_the_end_of_its_time_every_session_has_ended() {
    let mut world = open_world();
    let clients = joined(&mut world, 3);
    world.drain(1.0);
    assert!(clients.iter().all(|client| world.closed(*client) == Some(CloseCode::Draining)));
    assert!(world.is_empty("open"));
}

#[test]
fn the_ends_are_spread_evenly_and_the_first_comes_at_once() {
    let mut world = open_world();
    let clients = joined(&mut world, 10);
    for (passed, expected) in
        [(0.0, 9), (0.05, 9), (0.1, 8), (0.15, 8), (0.5, 4), (0.5, 4), (0.9, 0), (1.0, 0)]
    {
        world.drain(passed);
        assert_eq!(left(&world, &clients).len(), expected, "after {passed} of the time");
    }
}

#[test]
fn who_has_not_been_told_yet_goes_on_as_before() {
    let mut world = open_world();
    let clients = joined(&mut world, 4);
    world.drain(0.25);
    let rest = left(&world, &clients);
    assert_eq!(rest.len(), 2);
    world.clear();
    world.message(rest[0], "open", "", "1");
    for client in rest {
        let frames = world.read(client);
        assert_eq!(world::actions(&frames), ["message"]);
    }
}

#[test]
fn nobody_can_tell_from_when_it_came_when_it_has_to_go() {
    let mut world = open_world();
    let clients = joined(&mut world, 40);
    world.drain(0.5);
    let rest = left(&world, &clients);
    assert_eq!(rest.len(), 19);
    assert_ne!(rest, clients[..19]);
    assert_ne!(rest, clients[21..]);
}

#[test]
fn who_left_by_itself_makes_nobody_go_earlier() {
    let mut world = open_world();
    let clients = joined(&mut world, 10);
    world.drain(0.0);
    let gone = left(&world, &clients)[0];
    world.disconnect(gone);
    world.drain(0.45);
    let rest: Vec<_> =
        left(&world, &clients).into_iter().filter(|client| *client != gone).collect();
    assert!((4..=5).contains(&rest.len()), "{}", rest.len());
}

#[test]
fn who_comes_while_the_node_drains_has_gone_at_the_end() {
    let mut world = open_world();
    joined(&mut world, 2);
    world.drain(0.0);
    let late = world.anonymous();
    world.drain(0.9);
    assert_eq!(world.closed(late), None);
    world.drain(1.0);
    assert_eq!(world.closed(late), Some(CloseCode::Draining));
}
