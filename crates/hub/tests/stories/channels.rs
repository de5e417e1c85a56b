//! Who gets what, who is told what, and who leaves.

use protocol::CloseCode;

use crate::open_world;
use crate::world::{self, World};

#[test]
fn a_message_reaches_everybody_in_the_channel_the_sender_too() {
    let mut world = open_world();
    let (a, b, outsider) = (world.anonymous(), world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.join(b, "open");
    world.clear();
    world.message(a, "open", "", r#""hello""#);
    let expected = world.message_frame(a, "open", "hello", 1);
    assert_eq!(world.read(a).as_slice(), std::slice::from_ref(&expected));
    assert_eq!(world.read(b), [expected]);
    assert_eq!(world.read(outsider), [""; 0]);
}

#[test]
fn a_late_joiner_gets_the_ack_then_history_then_who_is_here() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.message(a, "open", "", r#""one""#);
    world.message(a, "open", "", r#""two""#);
    world.clear();
    world.join_with(b, "open", r#"{"history":true,"presence":true}"#);
    let frames = world.read(b);
    assert_eq!(world::actions(&frames), ["join", "history", "presence_full"]);
    assert!(frames[0].contains(r#""seq":2,"history":25,"presence":true"#), "{}", frames[0]);
    let (one, two) =
        (world.message_frame(a, "open", "one", 1), world.message_frame(a, "open", "two", 2));
    assert!(world::same(&frames[1], &World::history_frame("open", &[one, two])), "{}", frames[1]);
    assert_eq!(frames[2], world.presence_full("open", &[a, b]));
}

#[test]
fn who_did_not_ask_gets_no_history_and_no_presence() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join_with(a, "open", "null");
    world.join_with(b, "open", r#"{"presence":true}"#);
    assert_eq!(world::actions(&world.read(a)), ["join"]);
    assert_eq!(world::actions(&world.read(b)), ["join", "presence_full"]);
}

#[test]
fn presence_follows_who_comes_leaves_and_breaks_off() {
    let mut world = open_world();
    let watcher = world.anonymous();
    world.join_with(watcher, "open", r#"{"presence":true}"#);
    world.clear();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.join(b, "open");
    world.leave(a, "open");
    world.disconnect(b);
    let expected = [("join", a), ("join", b), ("leave", a), ("leave", b)]
        .map(|(action, client)| world.presence_update("open", action, client));
    assert_eq!(world.read(watcher), expected);
}

#[test]
fn joining_twice_is_answered_twice_and_announced_once() {
    let mut world = open_world();
    let (watcher, a) = (world.anonymous(), world.anonymous());
    world.join_with(watcher, "open", r#"{"presence":true}"#);
    world.clear();
    world.join(a, "open");
    world.join_with(a, "open", r#"{"history":true,"presence":true}"#);
    assert_eq!(world::actions(&world.read(a)), ["join", "join", "history", "presence_full"]);
    assert_eq!(world.read(watcher).len(), 1);
    world.message(watcher, "open", "", "1");
    assert_eq!(world::actions(&world.read(a)), ["message"]);
}

#[test]
fn a_leaver_is_told_and_hears_nothing_more() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.join(b, "open");
    world.clear();
    world.leave(b, "open");
    world.message(a, "open", "", "1");
    assert_eq!(world.read(b), [world.leave_ack("open", b)]);
    world.message(b, "open", "", "2");
    assert!(world.read(b)[0].contains(r#""code":"not_joined","action":"message""#));
}

#[test]
fn requests_sent_in_one_go_are_answered_in_order() {
    let mut world = open_world();
    let a = world.anonymous();
    world.hold_engine();
    world.join_with(a, "open", "null");
    world.message(a, "open", "", "1");
    world.text(a, r#"{"action":"history","options":{"channel":"open"},"payload":null}"#);
    world.leave(a, "open");
    world.join_with(a, "open", "null");
    world.message(a, "open", "", "2");
    world.release_engine();
    let frames = world.read(a);
    assert_eq!(world::actions(&frames), ["join", "message", "history", "leave", "join", "message"]);
}

#[test]
fn an_answer_for_a_session_that_has_gone_reaches_nobody() {
    let mut world = open_world();
    let a = world.anonymous();
    world.hold_engine();
    world.join_with(a, "open", r#"{"history":true,"presence":true}"#);
    world.disconnect(a);
    let successor = world.anonymous();
    assert_eq!(world.place(successor), world.place(a));
    world.release_engine();
    assert_eq!(world.read(successor), [""; 0]);
    assert!(world.is_empty("open"));
}

#[test]
fn refusals_name_the_channel_the_code_and_the_action() {
    let mut world = open_world();
    let a = world.anonymous();
    world.join(a, "closed");
    world.join(a, "nowhere");
    world.message(a, "open", "", "1");
    world.join(a, " padded ");
    let text = |channel: &str, message: &str, code: &str, action: &str| {
        format!(
            r#"{{"action":"error","options":{{"channel":"{channel}"}},"client":null,"payload":{{"message":"{message}","code":"{code}","action":"{action}"}}}}"#
        )
    };
    assert_eq!(
        world.read(a),
        [
            text(
                "closed",
                "Anonymous clients cannot join this channel.",
                "anonymous_join_refused",
                "join"
            ),
            text("nowhere", "Channel not found.", "channel_not_found", "join"),
            text(
                "open",
                "You must join this channel before sending messages.",
                "not_joined",
                "message"
            ),
            text(
                " padded ",
                "The channel name has a character that is not allowed; letters, digits, inner spaces and _-./:*@=+,~ are.",
                "invalid_channel_name",
                "join"
            ),
        ]
    );
}

#[test]
fn what_only_members_may_see_leaves_no_trace_with_anonymous_readers() {
    let mut world = open_world();
    let (anonymous, member) = (world.anonymous(), world.authenticated(7));
    world.join(anonymous, "members");
    world.join(member, "members");
    world.clear();
    world.message(member, "members", "", r#""for all""#);
    world.message(member, "members", r#","authenticated":true"#, r#""for members""#);
    world.message(member, "members", "", r#""for all again""#);
    assert_eq!(world::sequence(&world.read(anonymous)), [("for all", 1), ("for all again", 2)]);
    assert_eq!(
        world::sequence(&world.read(member)),
        [("for all", 1), ("for members", 2), ("for all again", 3)]
    );

    let late = world.anonymous();
    world.join_with(late, "members", r#"{"history":true}"#);
    let frames = world.read(late);
    assert!(frames[0].contains(r#""seq":2"#), "{}", frames[0]);
    assert!(!frames[1].contains("for members"), "{}", frames[1]);
}

#[test]
fn members_see_who_is_who() {
    let mut world = open_world();
    let (anonymous, member) = (world.anonymous(), world.authenticated(7));
    world.join(anonymous, "members");
    world.join(member, "members");
    world.clear();
    world.message(member, "members", "", "1");
    let frames = world.read(anonymous);
    assert!(
        frames[0].contains(r#""extras":{"name":"hero"},"permissions":{"dbo_id":1,"row_id":7}"#),
        "{}",
        frames[0]
    );
    world.message(anonymous, "members", "", "2");
    assert!(world.read(anonymous)[0].contains(r#""code":"authentication_required""#));
}

#[test]
fn a_private_message_reaches_its_recipient_alone() {
    let mut world = open_world();
    let (a, b, c) = (world.anonymous(), world.anonymous(), world.anonymous());
    for client in [a, b, c] {
        world.join(client, "open");
    }
    world.clear();
    let to_b = format!(r#","socketId":"{}""#, world.id(b));
    world.message(a, "open", &to_b, r#""psst""#);
    let frames = world.read(b);
    assert_eq!(frames.len(), 1);
    let options = format!(
        r#""options":{{"authenticated":false,"socketId":"{}","channel":"open"}}"#,
        world.id(b)
    );
    assert!(frames[0].contains(&options) && !frames[0].contains("\"seq\""), "{}", frames[0]);
    assert_eq!((world.read(a), world.read(c)), (vec![], vec![]));

    world.leave(b, "open");
    world.clear();
    world.message(a, "open", &to_b, r#""psst""#);
    world.message(a, "open", r#","socketId":"nobody""#, r#""psst""#);
    let frames = world.read(a);
    assert!(
        frames.len() == 2
            && frames.iter().all(|frame| frame.contains(r#""code":"recipient_not_found""#))
    );
}

#[test]
fn a_wrong_hash_is_told_before_the_end() {
    let mut world = open_world();
    let a = world.connect_to("wrong");
    assert!(
        world.read(a)[0].contains(r#""message":"Unknown connection hash","code":"unknown_hash""#)
    );
    assert_eq!(world.closed(a), Some(CloseCode::UnknownHash));
    world.join(a, "open");
    assert_eq!(world.read(a), [""; 0]);
}

#[test]
fn three_malformed_frames_in_a_row_end_a_session() {
    let mut world = open_world();
    let a = world.anonymous();
    for text in ["{", "[]", r#"{"action":"ping"}"#, "nonsense", r#"{"action":7}"#] {
        world.text(a, text);
    }
    assert_eq!(world.closed(a), None);
    world.text(a, r#"{"action":"join","options":{"channel":"open"},"payload":"all of it"}"#);
    assert_eq!(world.closed(a), Some(CloseCode::PolicyViolation));
    let malformed =
        world.read(a).into_iter().filter(|frame| frame.contains(r#""code":"malformed_frame""#));
    assert_eq!(malformed.count(), 5);
}

#[test]
fn an_unknown_action_is_told_and_forgiven() {
    let mut world = open_world();
    let a = world.anonymous();
    for _ in 0..10 {
        world.text(a, r#"{"action":"subscribe","options":{"channel":"open"}}"#);
    }
    assert_eq!(world.closed(a), None);
    let frame = r#"{"action":"error","options":{"channel":"open"},"client":null,"payload":{"message":"Unknown action.","code":"unknown_action","action":"subscribe"}}"#;
    assert_eq!(world.read(a), vec![frame; 10]);
}

#[test]
fn the_silent_are_pinged_twice_and_then_given_up() {
    let mut world = open_world();
    let (silent, answering) = (world.anonymous(), world.anonymous());
    world.join(silent, "open");
    for second in 1..=60 {
        world.tick(second);
        if world.take_pings(answering) > 0 {
            world.sign_of_life(answering);
        }
    }
    assert_eq!(world.take_pings(silent), 2);
    assert_eq!(world.closed(silent), Some(CloseCode::Idle));
    assert_eq!(world.closed(answering), None);
    assert!(world.is_empty("open"));
}

#[test]
fn who_has_an_identity_with_an_end_is_told_and_closed_when_it_comes() {
    let mut world = open_world();
    let (thor, loki, nobody) = (world.authenticated(1), world.authenticated(2), world.anonymous());
    for client in [thor, loki, nobody] {
        world.join_with(client, "open", r#"{"history":false,"presence":true}"#);
    }
    world.expire(thor, 5);
    world.tick(4);
    assert_eq!(world.closed(thor), None);
    world.clear();
    world.tick(5);
    assert_eq!(world.closed(thor), Some(CloseCode::TokenExpired));
    let told = r#"{"action":"error","options":{},"client":null,"payload":{"message":"Invalid or expired authentication token.","code":"invalid_token"}}"#;
    assert_eq!(world.read(thor), [told]);
    for client in [loki, nobody] {
        assert_eq!(world.closed(client), None);
        let read = world.read(client);
        assert_eq!(world::actions(&read), ["presence_update"]);
        assert!(read[0].contains(r#""action":"leave","presence":{"socketId":"AQEB"#), "{read:?}");
    }
    world.tick(6);
    assert_eq!(world.read(thor), [told; 0]);
}

#[test]
fn a_session_joins_as_many_channels_as_it_may() {
    let mut world = World::new(vec![World::channel("tree/*", |row| {
        row.wildcard = true;
        row.anonymous_clients = true;
    })]);
    let a = world.anonymous();
    for n in 0..=World::CHANNELS_PER_SESSION {
        world.join(a, &format!("tree/{n}"));
    }
    let frames = world.read(a);
    assert!(frames.last().is_some_and(|frame| frame.contains(r#""code":"too_many_channels""#)));
    world.join(a, "tree/0");
    world.leave(a, "tree/1");
    world.join(a, "tree/new");
    assert_eq!(world::actions(&world.read(a)), ["join", "leave", "join"]);
}

#[test]
fn new_settings_hold_at_once_and_who_may_no_longer_be_here_is_told_and_leaves() {
    let mut world = open_world();
    let (anonymous, member) = (world.anonymous(), world.authenticated(7));
    for client in [anonymous, member] {
        world.join_with(client, "members", "null");
        world.join_with(client, "open", "null");
    }
    world.clear();
    world.change_settings(vec![
        World::channel("members", |row| row.client_public_messaging = true),
        World::channel("elsewhere", |_| {}),
    ]);
    let frames = world.read(anonymous);
    assert_eq!(world::actions(&frames), ["error", "error", "leave", "leave"]);
    assert!(
        frames[0].contains(r#""options":{"channel":"members"}"#)
            && frames[0].contains("anonymous_join_refused")
    );
    assert!(
        frames[1].contains(r#""options":{"channel":"open"}"#)
            && frames[1].contains("channel_not_found")
    );
    assert_eq!(world::actions(&world.read(member)), ["error", "leave"]);
    world.message(member, "members", "", "1");
    world.message(member, "open", "", "1");
    assert_eq!(world::actions(&world.read(member)), ["message", "error"]);
    world.message(anonymous, "members", "", "1");
    assert!(world.read(anonymous)[0].contains("not_joined"));
    assert!(world.is_empty("open"));
}

#[test]
fn another_connection_hash_ends_who_came_with_the_old_one() {
    let mut world = open_world();
    let a = world.anonymous();
    world.switch_off();
    assert!(world.read(a)[0].contains(r#""code":"unknown_hash""#));
    assert_eq!(world.closed(a), Some(CloseCode::UnknownHash));
}
