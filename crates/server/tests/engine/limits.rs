//! What a channel takes from clients, and what an engine keeps.

use std::sync::Arc;

use hub::{EngineCommand, Publishing};
use protocol::{ErrorCode, Permissions, RequestId};
use server::{Census, MemoryEngine, PushedEvent};

use crate::fixture::{A, Actor, B, Fixture, actor, draft, engines, name, publishing};

#[test]
fn what_clients_send_to_a_channel_is_limited_and_what_the_backend_pushes_is_not() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&one, "c", None);
        engine.join(&two, "c", None);
        let _ = (engine.told(A), engine.told(B));
        let send = |actor: &Actor, request: Option<&str>| {
            let request = request.and_then(|text| RequestId::parse(text).ok());
            let publishing = publishing(draft("m"), request, false);
            let command = EngineCommand::Publish {
                session: actor.key,
                channel: name("c"),
                publishing: Publishing { messages_per_minute: 2, ..publishing },
            };
            engine.engine.submit(actor.shard, command);
        };
        send(&one, Some("first"));
        send(&two, None);
        send(&one, None);
        send(&two, None);
        send(&one, Some("first"));
        for seq in 3..=7 {
            let event = PushedEvent {
                channel: name("c"),
                draft: draft("e"),
                target: Permissions::ANONYMOUS,
                request: None,
                history: 0,
            };
            engine.engine.push(event, Box::new(|answer| assert_eq!(answer, Ok(2))));
            assert_eq!(engine.told(B).last(), Some(&format!("e#{seq}")));
        }
        let limited = format!("1 refused: {:?}", ErrorCode::RateLimited);
        // Acks come when the message is safe, which may be later.
        let (acks, told): (Vec<_>, Vec<_>) =
            engine.told(A).into_iter().partition(|words| words.contains("acked"));
        assert_eq!(told[..3], ["m#1", "m#2", &limited]);
        assert_eq!(acks, ["1 acked first: Some(1)"; 2]);
    }
}

#[test]
fn an_engine_tells_what_it_keeps_and_what_had_to_go() {
    let engine = Fixture::new(|inboxes| Arc::new(MemoryEngine::with_most(inboxes, 100_000)));
    let one = actor(A, 1);
    assert_eq!(engine.engine.census(), Census::default());
    engine.join(&one, "c", None);
    engine.publish(&one, "c", "kept", false);
    let census = engine.engine.census();
    assert_eq!((census.channels, census.idle_channels, census.evictions), (1, 0, 0));
    assert!((50..500).contains(&census.kept_bytes), "{census:?}");
    engine.leave(&one, "c");
    assert_eq!(engine.engine.census().idle_channels, 1);
    engine.join(&one, "big", None);
    for _ in 0..20 {
        engine.publish(&one, "big", &"x".repeat(10_000), false);
    }
    let census = engine.engine.census();
    assert!(census.evictions > 0 && census.kept_bytes <= 100_000, "{census:?}");
    for n in 0..20_000 {
        let channel = format!("quiet/{n}");
        engine.join(&one, &channel, None);
        engine.publish(&one, &channel, "k", false);
        engine.leave(&one, &channel);
        let _ = engine.told(A);
    }
    let census = engine.engine.census();
    assert!(census.kept_bytes <= 100_000 && census.idle_channels < 2_000, "{census:?}");
    let plain = engines().remove(0);
    for n in 0..20_000 {
        let channel = format!("quiet/{n}");
        plain.join(&one, &channel, None);
        plain.publish(&one, &channel, "k", false);
        plain.leave(&one, &channel);
        let _ = plain.told(A);
    }
    let census = plain.engine.census();
    assert!(census.idle_channels <= 16_384 && census.forgotten > 3_000, "{census:?}");
    assert_eq!(census.channels, census.idle_channels);
}
