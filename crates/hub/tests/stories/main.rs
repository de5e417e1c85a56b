//! Stories over the hub alone: no sockets, no clock, an engine of a few lines.

mod chance;
mod channels;
mod continuity;
mod draining;
mod limits;
mod triggers;
mod verdicts;
mod waiting;
mod world;

use world::World;

/// Three channels: for everybody, for members first, for members only.
fn open_world() -> World {
    World::new(vec![
        World::channel("open", |row| {
            row.anonymous_clients = true;
            row.client_public_messaging = true;
            row.client_private_messaging = true;
            row.presence = true;
            row.history = World::history(25);
        }),
        World::channel("members", |row| {
            row.anonymous_clients = true;
            row.client_public_messaging = true;
            row.client_public_messaging_authenticated_only = true;
            row.client_authenticated_messaging = true;
            row.history = World::history(25);
        }),
        World::channel("closed", |_| {}),
    ])
}
