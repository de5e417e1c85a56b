//! Every answer of a trigger, and what follows from it.

use hub::CallError;
use serde_json::{Value, json};

use crate::triggers::{OVERLOADED, error, payloads, rows, trigger};
use crate::world::{self, World};

const FAILED: &str = "A trigger of this channel failed, so this was not done.";

/// What a trigger answers, and what becomes of the payload `"*"`.
type Case = (Result<&'static str, CallError>, Outcome);

#[derive(Clone)]
enum Outcome {
    /// The others get this.
    Payload(Value),
    /// The trigger's refusal: the sender is told so.
    Refused,
    /// The sender is told this.
    Error(&'static str, &'static str),
}

fn cases() -> Vec<Case> {
    use Outcome::{Error, Payload, Refused};
    let failed = |said: &str| Err(CallError::Failed(Some(said.to_owned())));
    vec![
        (Ok(""), Payload(json!("*"))),
        (Ok(" \r\n"), Payload(json!("*"))),
        (Ok("null"), Payload(json!("*"))),
        (Ok("true"), Payload(json!(true))),
        (Ok("0"), Payload(json!(0))),
        (Ok(r#""""#), Payload(json!(""))),
        (Ok(" [1, 2] "), Payload(json!([1, 2]))),
        (Ok(r#"{"a":false}"#), Payload(json!({ "a": false }))),
        (Ok("false"), Refused),
        (Ok(" false\n"), Refused),
        (Ok("<html>"), Error("trigger_failed", FAILED)),
        (Ok("false false"), Error("trigger_failed", FAILED)),
        (Ok("FALSE"), Error("trigger_failed", FAILED)),
        (Err(CallError::Failed(None)), Error("trigger_failed", FAILED)),
        (failed(""), Error("trigger_failed", FAILED)),
        (failed("\u{7}\n"), Error("trigger_failed", FAILED)),
        (failed("not\nnow\u{1b}"), Error("trigger_failed", "not now")),
        (Err(CallError::Overloaded), Error("overloaded", OVERLOADED)),
    ]
}

#[test]
fn what_a_trigger_answers_decides_and_what_is_no_answer_refuses() {
    for (answer, outcome) in cases() {
        for (channel, authenticated) in [("asked", false), ("asked", true), ("members", true)] {
            let case = format!("{answer:?} in {channel}, authenticated: {authenticated}");
            let mut world = World::new(rows());
            let [sender, other] = [1, 2].map(|row| match authenticated {
                true => world.authenticated(row),
                false => world.anonymous(),
            });
            world.join(other, channel);
            let triggers = [1, 3].map(|row| trigger(row, row, "join message"));
            world.change_triggers(rows(), triggers.to_vec());
            world.clear();

            world.join(sender, channel);
            assert_eq!(world.read(sender), [""; 0], "{case}");
            let call = world.asked().call;
            world.say(call, answer.clone());
            check_joined(&world.read(sender), &outcome, &case);
            if !matches!(outcome, Outcome::Payload(_)) {
                world.join(sender, channel);
                world.answer_next("true");
            }
            world.clear();

            world.message(sender, channel, r#","id":"mine""#, r#""*""#);
            assert!(world.read(other).is_empty() && world.read(sender).is_empty(), "{case}");
            let call = world.asked().call;
            world.say(call, answer.clone());
            check_sent(&world.read(sender), &world.read(other), &outcome, &case);
        }
    }
}

fn check_joined(frames: &[String], outcome: &Outcome, case: &str) {
    let (code, message) = match outcome {
        Outcome::Payload(_) => return assert_eq!(world::actions(frames), ["join"], "{case}"),
        Outcome::Refused => ("join_refused", "You are not allowed to join this channel."),
        Outcome::Error(code, message) => (*code, *message),
    };
    assert_eq!(payloads(frames), [error(code, message, "join")], "{case}");
}

fn check_sent(frames: &[String], others: &[String], outcome: &Outcome, case: &str) {
    let (code, message) = match outcome {
        Outcome::Payload(payload) => {
            assert_eq!(payloads(others), std::slice::from_ref(payload), "{case}");
            return assert_eq!(world::actions(frames), ["message", "ack"], "{case}");
        }
        Outcome::Refused => ("message_refused", "This message was refused."),
        Outcome::Error(code, message) => (*code, *message),
    };
    assert_eq!(payloads(frames), [error(code, message, "message")], "{case}");
    assert!(frames[0].contains(r#""id":"mine""#), "{case}");
    assert!(others.is_empty(), "{case}");
}
