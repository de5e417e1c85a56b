//! What every engine guarantees, as one suite: each new engine is one more line in `engines`.

use std::sync::Arc;

use hub::{
    Draft, EngineCommand, EngineEvent, Identity, Joined, Member, PublicationId, Publishing,
    SessionId, SessionKey,
};
use mio::{Poll, Token};
use protocol::{Action, ChannelName, ErrorCode, Permissions, PresenceAction, RequestId};
use server::{Census, Engine, Event, Inbox, MemoryEngine, PushedEvent, ShardId};

const A: ShardId = ShardId(0);
const B: ShardId = ShardId(1);

/// Two shards on one engine, and what each was told.
struct Fixture {
    engine: Arc<dyn Engine>,
    inboxes: Vec<Arc<Inbox>>,
    // Inboxes wake a poll, which must live as long as they do.
    _polls: Vec<Poll>,
}

/// A session that acts, with the shard it lives on.
#[derive(Clone)]
struct Actor {
    shard: ShardId,
    key: SessionKey,
    member: Arc<Member>,
}

fn engines() -> Vec<Fixture> {
    let polls: Vec<_> = (0..2).map(|_| Poll::new().expect("a poll can be made")).collect();
    let inbox = |poll: &Poll| {
        Arc::new(Inbox::new(poll.registry(), Token(0)).expect("an inbox can be made"))
    };
    let inboxes: Vec<_> = polls.iter().map(inbox).collect();
    let memory = Arc::new(MemoryEngine::new(inboxes.clone()));
    vec![Fixture { engine: memory, inboxes, _polls: polls }]
}

fn actor(shard: ShardId, number: u8) -> Actor {
    let member = Member::new(SessionId::from_random([number; 16]), &Identity::Anonymous);
    Actor {
        shard,
        key: SessionKey { index: number.into(), generation: 1 },
        member: Arc::new(member),
    }
}

fn name(channel: &str) -> ChannelName {
    ChannelName::parse(channel).expect("the test names a legal channel")
}

impl Fixture {
    fn join(&self, actor: &Actor, channel: &str, history: Option<u32>) {
        let command = EngineCommand::Join {
            session: actor.key,
            member: Arc::clone(&actor.member),
            channel: name(channel),
            history,
            presence: true,
            resume: None,
            announce: true,
        };
        self.engine.submit(actor.shard, command);
    }

    fn leave(&self, actor: &Actor, channel: &str) {
        let (session, member) = (Some(actor.key), actor.member.id);
        self.engine
            .submit(actor.shard, EngineCommand::Leave { session, member, channel: name(channel) });
    }

    fn publish(&self, actor: &Actor, channel: &str, text: &str, authenticated_only: bool) {
        let command = EngineCommand::Publish {
            session: actor.key,
            channel: name(channel),
            publishing: publishing(draft(text), None, authenticated_only),
        };
        self.engine.submit(actor.shard, command);
    }

    /// What the shard was told since it was last asked, in words.
    fn told(&self, shard: ShardId) -> Vec<String> {
        let mut events = Vec::new();
        self.inboxes[shard.0].take(&mut events);
        events.into_iter().map(words).collect()
    }
}

fn draft(text: &str) -> Draft {
    Draft::new(
        PublicationId::from_random([0; 12]),
        5,
        format!(r#"{{"payload":"{text}""#).into_bytes(),
    )
}

fn publishing(draft: Draft, request: Option<RequestId>, authenticated_only: bool) -> Publishing {
    Publishing {
        draft,
        request,
        authenticated: false,
        authenticated_only,
        history: 25,
        messages_per_minute: 0,
    }
}

fn words(event: Event) -> String {
    let Event::Engine(event) = event else { panic!("engines send engine events") };
    let numbers = |publications: &[Arc<hub::Publication>]| {
        let frame = |publication: &Arc<hub::Publication>| {
            let mut frame = Vec::new();
            publication.write(false, &mut frame);
            short(&frame)
        };
        publications.iter().map(frame).collect::<Vec<_>>().join(" ")
    };
    match event {
        EngineEvent::Joined(joined) => {
            let Joined { session, position, history, presence, .. } = *joined;
            let history =
                history.map_or("none".to_owned(), |history| format!("[{}]", numbers(&history)));
            let here = presence.map_or(0, |members| members.len());
            format!("{} joined at {}, history {history}, {here} here", session.index, position.seq)
        }
        EngineEvent::Left { session, .. } => format!("{} left", session.index),
        EngineEvent::Published { publication, .. } => numbers(&[publication]),
        EngineEvent::PresenceChanged { action, member, .. } => {
            let action = if action == PresenceAction::Join { "came" } else { "went" };
            format!("{} {action}", if member.id == actor(A, 1).member.id { "1" } else { "another" })
        }
        EngineEvent::Private { session, frame } => {
            format!("{} gets {}", session.index, short(&frame))
        }
        EngineEvent::History { session, publications, .. } => {
            format!("{} reads [{}]", session.index, numbers(&publications))
        }
        EngineEvent::Acked { session, request, receipt, .. } => {
            format!("{} acked {}: {:?}", session.index, request.as_str(), receipt.seq)
        }
        EngineEvent::Refused { session, action, refusal, .. } => {
            assert_eq!(action, Action::Message);
            format!("{} refused: {:?}", session.index, refusal.code)
        }
    }
}

/// A publication's text and number: `hi#1`; `-` for one the reader may not see.
fn short(frame: &[u8]) -> String {
    if frame.is_empty() {
        return "-".to_owned();
    }
    let frame: serde_json::Value = serde_json::from_slice(frame).expect("frames are JSON");
    let text = frame["payload"].as_str().expect("the test sends text");
    frame["seq"].as_u64().map_or(text.to_owned(), |seq| format!("{text}#{seq}"))
}

#[test]
fn a_join_is_announced_to_the_others_before_it_is_answered_and_only_once() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&two, "c", None);
        engine.join(&one, "c", Some(25));
        engine.join(&one, "c", None);
        assert_eq!(
            engine.told(A),
            ["1 joined at 0, history [], 2 here", "1 joined at 0, history none, 2 here"]
        );
        assert_eq!(engine.told(B), ["2 joined at 0, history none, 1 here", "1 came"]);
    }
}

#[test]
fn a_leave_is_announced_once_and_answered() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&two, "c", None);
        engine.join(&one, "c", None);
        let _ = (engine.told(A), engine.told(B));
        engine.leave(&one, "c");
        engine.leave(&one, "c");
        assert_eq!(engine.told(A), ["1 left", "1 left"]);
        assert_eq!(engine.told(B), ["1 went"]);
    }
}

#[test]
fn all_shards_get_a_channels_publications_in_one_order_with_contiguous_numbers() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&one, "c", None);
        engine.join(&two, "c", None);
        let _ = (engine.told(A), engine.told(B));
        let threads: Vec<_> = [one, two]
            .into_iter()
            .map(|actor| {
                let engine = Arc::clone(&engine.engine);
                std::thread::spawn(move || {
                    for n in 0..1_000 {
                        let command = EngineCommand::Publish {
                            session: actor.key,
                            channel: name("c"),
                            publishing: publishing(
                                draft(&format!("{}-{n}", actor.key.index)),
                                None,
                                false,
                            ),
                        };
                        engine.submit(actor.shard, command);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("publishing does not panic"));
        let told = engine.told(A);
        assert_eq!(told, engine.told(B));
        assert_eq!(told.len(), 2_000);
        for (n, words) in (1..).zip(&told) {
            assert!(words.ends_with(&format!("#{n}")), "{words} at {n}");
        }
    }
}

#[test]
fn a_late_joiner_finds_history_and_numbers_where_they_are() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&one, "c", None);
        for n in 1..=30 {
            engine.publish(&one, "c", &format!("m{n}"), false);
        }
        engine.join(&two, "c", Some(2));
        engine.publish(&one, "c", "next", false);
        assert_eq!(engine.told(B), ["2 joined at 30, history [m29#29 m30#30], 2 here", "next#31"]);
    }
}

#[test]
fn what_only_authenticated_members_may_see_has_no_number_for_the_others() {
    for engine in engines() {
        let one = actor(A, 1);
        engine.join(&one, "c", None);
        engine.publish(&one, "c", "all", false);
        engine.publish(&one, "c", "some", true);
        engine.publish(&one, "c", "again", false);
        let read = EngineCommand::ReadHistory {
            session: one.key,
            authenticated: false,
            channel: name("c"),
            limit: 25,
            before: None,
            is_page: false,
        };
        engine.engine.submit(A, read);
        assert_eq!(engine.told(A)[1..], ["all#1", "-", "again#2", "1 reads [all#1 again#2]"]);
    }
}

#[test]
fn history_outlives_its_members_and_the_numbers_go_on() {
    for engine in engines() {
        let one = actor(A, 1);
        engine.join(&one, "c", None);
        engine.publish(&one, "c", "kept", false);
        engine.leave(&one, "c");
        let _ = engine.told(A);
        engine.join(&one, "c", Some(25));
        engine.publish(&one, "c", "next", false);
        assert_eq!(
            engine.told(A),
            ["1 came", "1 joined at 1, history [kept#1], 1 here", "next#2"][1..]
        );
    }
}

#[test]
fn a_private_message_goes_to_its_recipient_or_is_refused() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&one, "c", None);
        engine.join(&two, "c", None);
        let _ = (engine.told(A), engine.told(B));
        let send = |authenticated_only| {
            engine.engine.submit(
                A,
                EngineCommand::SendPrivately {
                    session: one.key,
                    channel: name("c"),
                    recipient: two.member.id,
                    authenticated_only,
                    draft: draft("psst"),
                    request: None,
                    messages_per_minute: 0,
                },
            );
        };
        send(false);
        send(true);
        assert_eq!(engine.told(B), ["2 gets psst"]);
        assert_eq!(engine.told(A), [format!("1 refused: {:?}", ErrorCode::RecipientNotFound)]);
    }
}

#[test]
fn when_a_shard_cannot_keep_up_publications_are_refused_not_lost() {
    for engine in engines() {
        let one = actor(A, 1);
        engine.join(&one, "c", None);
        let sent = Inbox::MAX_EVENTS + 10;
        for _ in 0..sent {
            engine.publish(&one, "c", "m", false);
        }
        let told = engine.told(A);
        let refused = told.iter().filter(|words| *words == "1 refused: Overloaded").count();
        let delivered = told.iter().filter(|words| words.starts_with("m#")).count();
        assert!(refused > 0, "the inbox has a bound");
        assert_eq!(refused + delivered, sent);
        engine.publish(&one, "c", "m", false);
        assert_eq!(engine.told(A), [format!("m#{}", delivered + 1)]);
    }
}

#[test]
fn a_message_that_was_named_is_published_once_and_acked_each_time() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(B, 2));
        engine.join(&one, "c", None);
        engine.join(&two, "c", None);
        let _ = (engine.told(A), engine.told(B));
        for actor in [&one, &one, &two] {
            let command = EngineCommand::Publish {
                session: actor.key,
                channel: name("c"),
                publishing: publishing(draft("once"), RequestId::parse("r").ok(), false),
            };
            engine.engine.submit(actor.shard, command);
        }
        assert_eq!(engine.told(A), ["once#1", "1 acked r: Some(1)", "1 acked r: Some(1)"]);
        assert_eq!(engine.told(B), ["once#1", "2 acked r: Some(1)"]);
    }
}

#[test]
fn who_comes_and_goes_in_one_channel_does_not_empty_another() {
    for engine in engines() {
        let (one, two) = (actor(A, 1), actor(A, 2));
        let quiet = |n: usize| format!("quiet/{n}");
        for n in 0..100 {
            engine.join(&one, &quiet(n), None);
            engine.publish(&one, &quiet(n), "kept", false);
            engine.leave(&one, &quiet(n));
        }
        engine.join(&two, "busy", None);
        engine.publish(&two, "busy", "kept", false);
        for _ in 0..20_000 {
            engine.leave(&two, "busy");
            engine.join(&two, "busy", None);
            let _ = engine.told(A);
        }
        for n in 0..100 {
            engine.join(&one, &quiet(n), Some(25));
        }
        let told = engine.told(A);
        assert!(told.iter().all(|words| words.contains("history [kept#1]")), "{told:?}");
    }
}

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
        let told = engine.told(A);
        assert_eq!(
            told[..5],
            ["m#1", "1 acked first: Some(1)", "m#2", &limited, "1 acked first: Some(1)"]
        );
    }
}

#[test]
fn an_engine_tells_what_it_keeps_and_what_had_to_go() {
    let Fixture { inboxes, _polls, .. } = engines().remove(0);
    let engine = Arc::new(MemoryEngine::with_most(inboxes.clone(), 100_000));
    let engine = Fixture { engine, inboxes, _polls };
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
