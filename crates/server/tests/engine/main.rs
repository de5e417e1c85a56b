//! What every engine guarantees, as one suite: each new engine is one more line in
//! [`engines`](fixture::engines).

mod durability;
mod fixture;
mod limits;

use std::sync::Arc;

use hub::EngineCommand;
use protocol::{ErrorCode, RequestId};
use server::Inbox;

use crate::fixture::{A, B, actor, draft, engines, name, publishing};

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
