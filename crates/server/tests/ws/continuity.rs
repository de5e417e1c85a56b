//! Connections that break at random: nothing is lost, doubled or reordered without being told.

use std::collections::VecDeque;
use std::thread;

use serde_json::Value;
use server::NodeOptions;

use crate::support::{Client, HASH, IO_URING, Server, open};

const WRITERS: u64 = 3;
/// All fits into the longest history, so that a slow machine is no excuse for a gap.
const EACH: u64 = 330;
const TOTAL: u64 = WRITERS * EACH;

#[test]
fn who_breaks_off_and_resumes_reads_every_message_once_and_in_order() {
    IO_URING.iter().for_each(|io_uring| break_off_and_resume(*io_uring));
}

fn break_off_and_resume(io_uring: bool) {
    let options = NodeOptions { shards: 2, io_uring, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room")], options);
    let port = server.port;
    let writers: Vec<_> =
        (0..WRITERS).map(|me| thread::spawn(move || write(port, me, Chance(me + 1)))).collect();
    let readers: Vec<_> =
        (0..4).map(|me| thread::spawn(move || read(port, me % 2 == 0, Chance(me + 100)))).collect();
    writers.into_iter().for_each(|writer| writer.join().expect("a writer finishes"));
    for reader in readers {
        let (heard, breaks) = reader.join().expect("a reader finishes");
        assert!(breaks >= 5, "connections broke: {breaks}");
        for me in 0..WRITERS {
            let said: Vec<_> = heard
                .iter()
                .filter(|payload| payload[0] == me)
                .map(|payload| &payload[1])
                .collect();
            assert_eq!(
                said,
                (0..EACH).collect::<Vec<_>>(),
                "writer {me} is heard once and in order"
            );
        }
    }
}

/// Sends numbered messages, each named, with some under way at a time. When the connection breaks it
/// sends again whatever was not acknowledged.
fn write(port: u16, me: u64, mut chance: Chance) {
    let mut unacked: VecDeque<u64> = VecDeque::new();
    let mut next = 0;
    while next < EACH || !unacked.is_empty() {
        let mut client = Client::connect(port, HASH);
        client.join("room", false, false);
        unacked.iter().for_each(|n| say(&mut client, me, *n));
        let until_it_breaks = 30 + chance.below(150);
        for _ in 0..until_it_breaks {
            while unacked.len() < 20 && next < EACH {
                say(&mut client, me, next);
                unacked.push_back(next);
                next += 1;
            }
            if unacked.is_empty() {
                return;
            }
            let frame = client.read_any();
            if frame["action"] == "ack" {
                let acked = unacked.pop_front().expect("only what was sent is acknowledged");
                assert_eq!(frame["options"]["id"], format!("{me}-{acked}"), "acks come in order");
            }
        }
    }
}

fn say(client: &mut Client, me: u64, n: u64) {
    let options = format!(r#"{{"channel":"room","id":"{me}-{n}"}}"#);
    client.send(format!(r#"{{"action":"message","options":{options},"payload":[{me},{n}]}}"#));
}

/// Reads until all has come, as arrays or as frames, breaking off now and then; what it read, and how
/// often it broke off.
fn read(port: u16, batch: bool, mut chance: Chance) -> (Vec<Value>, usize) {
    let mut heard = Vec::new();
    let mut breaks = 0;
    let mut client = Client::connect(port, HASH);
    let ack = client.join("room", true, false);
    let epoch = ack["payload"]["epoch"].clone();
    let history = client.read("history")["payload"]["history"].take();
    heard.extend(
        history.as_array().expect("history is a list").iter().map(|frame| frame["payload"].clone()),
    );
    let mut seq = ack["payload"]["seq"].as_u64().expect("the answer has a number");
    assert_eq!(heard.len() as u64, seq, "the reader came in time for all of it");
    while seq < TOTAL {
        let enough = (seq + chance.below(120)).min(TOTAL);
        while seq < enough {
            for frame in frames(client.read_any(), batch) {
                seq += 1;
                assert_eq!(frame["seq"], seq, "no gap and no double");
                heard.push(frame["payload"].clone());
            }
        }
        drop(client);
        breaks += 1;
        client = Client::connect(port, HASH);
        let resume = format!(r#"{{"epoch":{epoch},"seq":{seq}}}"#);
        let payload = format!(r#"{{"batch":{batch},"resume":{resume}}}"#);
        client.send(format!(
            r#"{{"action":"join","options":{{"channel":"room"}},"payload":{payload}}}"#
        ));
        assert_eq!(client.read("join")["payload"]["resumed"], true);
    }
    (heard, breaks)
}

/// The frames of a message.
fn frames(message: Value, batch: bool) -> Vec<Value> {
    match message {
        Value::Array(frames) => {
            assert!(batch, "it has not asked for arrays");
            frames
        }
        frame => vec![frame],
    }
}

/// Random numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
