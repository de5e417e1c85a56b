//! Nothing is missed or doubled without being told.

use crate::open_world;
use crate::world;

#[test]
fn who_comes_back_gets_what_it_missed_and_then_goes_on() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    for text in ["one", "two", "three"] {
        world.message(a, "open", "", &format!("\"{text}\""));
    }
    world.clear();
    world.join_with(
        b,
        "open",
        r#"{"history":true,"presence":true,"resume":{"epoch":"epoch","seq":1}}"#,
    );
    let frames = world.read(b);
    assert_eq!(world::actions(&frames), ["join", "message", "message", "presence_full"]);
    assert!(
        frames[0].contains(r#""seq":3,"history":25,"presence":true,"resumed":true,"#),
        "{}",
        frames[0]
    );
    assert_eq!(world::sequence(&frames[1..3]), [("two", 2), ("three", 3)]);
    world.message(a, "open", "", r#""four""#);
    assert_eq!(world::sequence(&world.read(b)), [("four", 4)]);
}

#[test]
fn who_wants_batches_gets_what_it_missed_in_few_messages() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.message(a, "open", "", r#""one""#);
    for (missed, in_an_array) in [("two", false), ("three", true)] {
        world.message(a, "open", "", &format!("\"{missed}\""));
        let resume = r#"{"batch":true,"resume":{"epoch":"epoch","seq":1}}"#;
        world.clear();
        world.join_with(b, "open", resume);
        let frames = world.read(b);
        let is_array = |frame: &String| frame.starts_with('[') && frame.ends_with(']');
        assert_eq!((frames.len(), is_array(&frames[1])), (2, in_an_array), "{missed}");
    }
    let frames = r#"{"batch":false,"resume":{"epoch":"epoch","seq":1}}"#;
    world.join_with(b, "open", frames);
    assert_eq!(world::actions(&world.read(b)), ["join", "message", "message"]);
}

#[test]
fn who_cannot_be_told_all_it_missed_is_told_so_and_gets_the_history() {
    let mut world = open_world();
    let a = world.anonymous();
    world.join(a, "open");
    for n in 1..=30 {
        world.message(a, "open", "", &n.to_string());
    }
    let mut check = |resume: &str, reason: &str| {
        let late = world.anonymous();
        world.join_with(late, "open", &format!(r#"{{"history":true,"resume":{resume}}}"#));
        let frames = world.read(late);
        assert_eq!(world::actions(&frames), ["join", "history"], "{resume}");
        assert!(
            frames[0].contains(&format!(r#""resumed":false,"reason":"{reason}""#)),
            "{}",
            frames[0]
        );
    };
    check(r#"{"epoch":"epoch","seq":4}"#, "history_too_short");
    check(r#"{"epoch":"another","seq":30}"#, "epoch_changed");
    check(r#"{"epoch":"epoch","seq":31}"#, "position_unknown");
    let in_time = world.anonymous();
    world.join_with(in_time, "open", r#"{"resume":{"epoch":"epoch","seq":5}}"#);
    assert_eq!(world.read(in_time).len(), 26);
}

#[test]
fn what_only_members_may_see_is_no_gap_for_anonymous_readers() {
    let mut world = open_world();
    let (member, anonymous) = (world.authenticated(7), world.anonymous());
    world.join(member, "members");
    world.message(member, "members", "", r#""one""#);
    world.message(member, "members", r#","authenticated":true"#, r#""secret""#);
    world.message(member, "members", "", r#""two""#);
    world.join_with(anonymous, "members", r#"{"resume":{"epoch":"epoch","seq":1}}"#);
    let frames = world.read(anonymous);
    assert_eq!(world::sequence(&frames[1..]), [("two", 2)]);
}

#[test]
fn who_comes_back_as_somebody_else_is_told_that_its_count_is_another() {
    let mut world = open_world();
    let member = world.authenticated(7);
    world.join(member, "members");
    for n in 1..=6 {
        world.message(member, "members", "", &n.to_string());
    }
    world.clear();
    let mut check = |client, epoch: &str, outcome: &str| {
        world.join_with(
            client,
            "members",
            &format!(r#"{{"resume":{{"epoch":"{epoch}","seq":1}}}}"#),
        );
        assert!(world.read(client)[0].contains(outcome), "{epoch}");
        world.leave(client, "members");
        world.clear();
    };
    check(member, "epoch.", r#""resumed":true"#);
    check(member, "epoch", r#""reason":"epoch_changed""#);
    let anonymous = world.anonymous();
    let mut check = |epoch: &str, outcome: &str| {
        world.join_with(
            anonymous,
            "members",
            &format!(r#"{{"resume":{{"epoch":"{epoch}","seq":1}}}}"#),
        );
        assert!(world.read(anonymous)[0].contains(outcome), "{epoch}");
    };
    check("epoch.", r#""reason":"epoch_changed""#);
    world.clear();
}

#[test]
fn a_named_message_is_acked_behind_its_echo_and_sent_again_only_acked() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.join(b, "open");
    world.clear();
    let named = r#","id":"my-1""#;
    world.message(a, "open", named, r#""once""#);
    let frames = world.read(a);
    assert_eq!(world::actions(&frames), ["message", "ack"]);
    let id = &frames[0][frames[0].find(r#","id":""#).expect("a message has an id")..][7..23];
    let ack = format!(
        r#"{{"action":"ack","options":{{"channel":"open","id":"my-1"}},"client":null,"payload":{{"id":"{id}","seq":1,"ts":1000}}}}"#
    );
    assert_eq!(frames[1], ack);
    world.message(a, "open", named, r#""once""#);
    world.message(b, "open", named, r#""once""#);
    assert_eq!(world.read(a), std::slice::from_ref(&ack));
    assert_eq!(world::actions(&world.read(b)), ["message", "ack"]);
}

#[test]
fn a_private_message_is_acked_without_a_number() {
    let mut world = open_world();
    let (a, b) = (world.anonymous(), world.anonymous());
    world.join(a, "open");
    world.join(b, "open");
    world.clear();
    let to_b = format!(r#","id":"p","socketId":"{}""#, world.id(b));
    world.message(a, "open", &to_b, "1");
    assert_eq!(world::actions(&world.read(b)), ["message"]);
    let frames = world.read(a);
    assert!(
        frames.len() == 1 && frames[0].contains(r#""ts":1000}"#) && !frames[0].contains("seq"),
        "{frames:?}"
    );
}

#[test]
fn a_refusal_names_the_message_it_refuses() {
    let mut world = open_world();
    let a = world.anonymous();
    world.message(a, "open", r#","id":"x""#, "1");
    assert!(
        world.read(a)[0].starts_with(r#"{"action":"error","options":{"channel":"open","id":"x"},"#)
    );
    let too_long = format!(r#","id":"{}""#, "x".repeat(65));
    world.message(a, "open", &too_long, "1");
    let frames = world.read(a);
    assert!(
        frames[0].contains("options.id has 65 characters; 1 to 64 are allowed."),
        "{}",
        frames[0]
    );
}

#[test]
fn history_is_read_page_by_page() {
    let mut world = open_world();
    let a = world.anonymous();
    world.join(a, "open");
    for n in 1..=30 {
        world.message(a, "open", "", &format!("\"{n}\""));
    }
    world.clear();
    let mut check = |payload: &str, numbers: std::ops::RangeInclusive<u64>, more: &str| {
        world.text(
            a,
            &format!(
                r#"{{"action":"history","options":{{"channel":"open"}},"payload":{payload}}}"#
            ),
        );
        let frame = world.read(a).pop().expect("the page comes");
        let seqs: Vec<_> =
            frame.match_indices(r#""seq":"#).map(|(at, _)| &frame[at + 6..][..2]).collect();
        let expected: Vec<_> = numbers.map(|n| format!("{n}}}")[..2].to_owned()).collect();
        assert_eq!(seqs, expected, "{payload}");
        assert!(frame.ends_with(&format!("]{more}}}}}")), "{frame}");
    };
    check("null", 6..=30, "");
    check("{}", 6..=30, r#","more":false"#);
    check(r#"{"limit":10}"#, 21..=30, r#","more":true"#);
    check(r#"{"before":21,"limit":10}"#, 11..=20, r#","more":true"#);
    check(r#"{"before":11,"limit":10}"#, 6..=10, r#","more":false"#);
    check(r#"{"limit":4000000000}"#, 6..=30, r#","more":false"#);
}
