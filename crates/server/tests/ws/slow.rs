//! Clients that do not read, and what they cost the others: nothing.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use server::NodeOptions;

use crate::program::Program;
use crate::support::{
    IO_URING, Raw, Server, frame, join, message, open, request, send, text_frame,
};

#[test]
fn a_reader_that_stops_is_let_go_and_the_others_get_everything() {
    IO_URING.iter().for_each(|io_uring| stop_reading(*io_uring));
}

fn stop_reading(io_uring: bool) {
    const MESSAGES: u64 = 1_500;
    let options = NodeOptions { shards: 1, max_lag: 256 << 10, io_uring, ..NodeOptions::default() };
    let few = hub::ChannelSettings { history: crate::support::history(25), ..open("room") };
    let server = Server::with_options(vec![few], options);
    let mut stopped = Raw::connect(server.port);
    stopped.join("room");
    let mut watcher = server.connect();
    watcher.join("room", false, true);
    watcher.read("presence_full");
    let mut readers: Vec<_> = (0..2).map(|_| server.member("room")).collect();
    (0..2).for_each(|_| drop(watcher.read("presence_update")));
    let word = format!("\"{}\"", "x".repeat(16 << 10));
    let mut left = 0;
    for seq in 1..=MESSAGES {
        readers[0].say("room", &word);
        for reader in &mut readers {
            assert_eq!(seq_of(&reader.read_text()), seq);
        }
        let mut text = watcher.read_text();
        if text.contains("presence_update") {
            left += 1;
            text = watcher.read_text();
        }
        assert_eq!(seq_of(&text), seq);
    }
    assert_eq!(left, 1, "who watches presence hears that the one who stopped has gone");

    let mut last = 0;
    let code = loop {
        let (first, content) = stopped.read();
        if first == 0x88 {
            break u16::from_be_bytes([content[0], content[1]]);
        }
        last += 1;
        let text = String::from_utf8(content).expect("frames are text");
        assert_eq!(seq_of(&text), last, "what still comes is whole and in order");
    };
    assert_eq!(code, 1013);
    assert!(last < MESSAGES);
}

#[test]
fn who_reads_slowly_is_not_taken_for_dead_although_nobody_listens_to_it() {
    let limits = hub::Limits { ping_after: 1, dead_after: 2, ..hub::Limits::default() };
    let options = NodeOptions { shards: 1, limits, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room")], options);
    let mut slow = Raw::connect(server.port);
    slow.join("room");
    slow.send(&text_frame(&message("room", &format!("\"{}\"", "x".repeat(1_000_000)))));
    assert_eq!(slow.read_json()["action"], "message");
    let questions = text_frame(&request("history", "room")).repeat(60);
    slow.send(&questions);
    let mut answered = 0;
    let mut read_some = |count: usize| {
        let end = answered + count;
        while answered < end {
            let (first, content) = slow.read();
            match first {
                0x89 => slow.send(&frame(0x8A, &content)),
                _ => assert_eq!(first, 0x81),
            }
            answered += usize::from(first == 0x81);
        }
    };
    // The pings of another client are the seconds of this one.
    let mut metronome = Raw::connect(server.port);
    for _ in 0..5 {
        assert_eq!(metronome.read().0, 0x89);
        metronome.send(&frame(0x8A, b""));
        read_some(4);
    }
    read_some(40);
    slow.join("room");
}

#[test]
fn a_private_message_waits_behind_a_long_answer_and_costs_nobody_its_connection() {
    let room = hub::ChannelSettings { client_private_messaging: true, ..open("room") };
    let options = NodeOptions { shards: 1, max_lag: 64 << 10, ..NodeOptions::default() };
    let server = Server::with_options(vec![room], options);
    let mut sender = server.member("room");
    let word = format!("\"{}\"", "x".repeat(900_000));
    for _ in 0..4 {
        sender.say("room", &word);
        sender.read("message");
    }
    let mut reader = Raw::connect(server.port);
    reader.join("room");
    let id = sender.roster("room").pop().expect("the reader is in the room");
    reader.send(&text_frame(&request("history", "room")));
    // The answer has begun, and is longer than what fits into the buffers on its way.
    reader.peek();
    let options = format!(r#"{{"channel":"room","socketId":"{id}"}}"#);
    sender.send(format!(r#"{{"action":"message","options":{options},"payload":"psst"}}"#));
    sender.expect_nothing();
    let (_, history) = reader.read();
    assert!(history.len() > 3_000_000, "the history is long: {}", history.len());
    assert_eq!(reader.read_json()["payload"], "psst");
}

#[test]
fn many_private_messages_at_once_close_nobody_who_reads() {
    let room = hub::ChannelSettings { client_private_messaging: true, ..open("room") };
    let options = NodeOptions { shards: 1, max_lag: 64 << 10, ..NodeOptions::default() };
    let server = Server::with_options(vec![room], options);
    let mut reader = server.member("room");
    let mut senders: Vec<_> = (0..10).map(|_| server.member("room")).collect();
    let id = senders[0].roster("room").remove(0);
    let word = "x".repeat(1_000);
    let options = format!(r#"{{"channel":"room","socketId":"{id}"}}"#);
    let text = format!(r#"{{"action":"message","options":{options},"payload":"{word}"}}"#);
    let reading = thread::spawn(move || (0..2_000).for_each(|_| drop(reader.read("message"))));
    for _ in 0..200 {
        senders.iter_mut().for_each(|sender| sender.send(text.as_str()));
    }
    reading.join().expect("the reader gets all of them");
}

/// The number at a message's end: these are too many and too long to be parsed.
fn seq_of(text: &str) -> u64 {
    let number =
        text.rsplit_once("\"seq\":").and_then(|(_, end)| end.strip_suffix('}')?.parse().ok());
    number.expect("messages end with their number")
}

#[test]
fn who_asks_without_reading_is_not_listened_to_until_it_reads() {
    let server = Server::start(vec![open("chat/*"), open("room")]);
    let mut asker = Raw::connect(server.port);
    let channels: Vec<_> = (0..4).map(|n| format!("chat/{n}")).collect();
    let word = format!("\"{}\"", "x".repeat(64 << 10));
    for channel in &channels {
        let mut speaker = server.member(channel);
        speaker.say(channel, &word);
        speaker.read("message");
        asker.join(channel);
    }
    let [mut speaker, mut listener] = [(); 2].map(|()| server.member("room"));

    // Requests are padded so that few of them fill the buffers on the way.
    let questions: Vec<_> = channels
        .iter()
        .map(|channel| {
            text_frame(&format!("{}{}", request("history", channel), " ".repeat(60_000)))
        })
        .collect();
    asker.tcp.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
    let (mut asked, mut unsent) = (0, Vec::new());
    while unsent.is_empty() {
        assert!(asked < 2_000, "the server takes more than 120 MB from who does not read");
        let question = &questions[asked % channels.len()];
        let mut sent = 0;
        while sent < question.len() && unsent.is_empty() {
            match asker.tcp.write(&question[sent..]) {
                Ok(count) => sent += count,
                Err(error) => {
                    let full = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    assert!(full, "{error}");
                    unsent = question[sent..].to_vec();
                }
            }
        }
        asked += 1;
        if asked % 50 == 0 {
            speaker.say("room", &asked.to_string());
            assert_eq!(listener.read("message")["payload"], asked);
        }
    }

    let mut writer = asker.tcp.try_clone().expect("a socket can be shared");
    let rest = thread::spawn(move || {
        writer.set_write_timeout(None).expect("a timeout can be taken off");
        writer.write_all(&unsent).expect("the server reads again");
    });
    for n in 0..asked {
        let answer = asker.read_json();
        assert_eq!(answer["action"], "history");
        assert_eq!(answer["options"]["channel"], channels[n % channels.len()].as_str());
    }
    rest.join().expect("all was written");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_stops_costs_no_memory() {
    let program = Program::start("stopped-reader");
    let mut members: Vec<_> = (0..5).map(|_| program.connect()).collect();
    for member in &mut members {
        member.join("marvel-chat-room", false, false);
    }
    let before = program.peak_memory();
    let _stopped = members.pop();
    let word = format!("\"{}\"", "x".repeat(100_000));
    for seq in 1..=500 {
        members[0].say("marvel-chat-room", &word);
        for member in &mut members {
            assert_eq!(seq_of(&member.read_text()), seq);
        }
    }
    assert_growth(&program, before, 48 << 20);
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_stops_in_many_channels_costs_no_memory_either() {
    const CHANNELS: usize = 100;
    let program = Program::start("stopped-everywhere");
    let row = r#"{"pattern":"chat/*","wildcard":true,"anonymous_clients":true,"client_public_messaging":true}"#;
    let token = std::fs::read_to_string(program.data_dir.join("admin-token")).expect("a token");
    let more =
        format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
    let what = "POST /api:meta/workspace/1/realtime/channel";
    let (head, answer) = send(program.port, what, &more, row);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head} {answer}");
    let [mut stopped, mut speaker] = [(); 2].map(|()| program.connect());
    let names: Vec<_> = (0..CHANNELS).map(|n| format!("chat/{n}")).collect();
    for name in &names {
        stopped.join(name, false, false);
        speaker.join(name, false, false);
    }
    let before = program.peak_memory();
    // 900 KB wait in each of them, which was allowed while each was counted alone.
    let word = format!("\"{}\"", "x".repeat(90_000));
    for _ in 0..10 {
        for name in &names {
            speaker.say(name, &word);
            speaker.read_text();
        }
    }
    assert_growth(&program, before, 16 << 20);
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_always_a_little_behind_costs_no_memory() {
    let program = Program::start("behind");
    let mut speaker = program.connect();
    speaker.join("marvel-chat-room", false, false);
    for _ in 0..10 {
        speaker.say("marvel-chat-room", &format!("\"{}\"", "x".repeat(100_000)));
        speaker.read_text();
    }
    let before = program.peak_memory();
    // Long answers to short questions, then short answers to long questions.
    ask_while_reading(&program, "marvel-chat-room", (200, 0));
    assert_growth(&program, before, 24 << 20);
    ask_while_reading(&program, "dc-chat-room", (10_000, 3_000));
    assert_growth(&program, before, 24 << 20);
}

/// Asks `count` times for a history, with so much `padding`, while reading the answers.
#[cfg(target_os = "linux")]
fn ask_while_reading(program: &Program, channel: &str, (count, padding): (usize, usize)) {
    let mut client = program.connect();
    client.join(channel, false, false);
    let tcp = client.socket.get_ref().try_clone().expect("a socket can be shared");
    let mut asker = Raw { tcp: tcp.try_clone().expect("a socket can be shared") };
    let question = text_frame(&format!("{}{}", request("history", channel), " ".repeat(padding)));
    let asking = thread::spawn(move || (0..count).for_each(|_| asker.send(&question)));
    let mut reader = Raw { tcp };
    for _ in 0..count {
        assert_eq!(reader.read().0, 0x81);
    }
    asking.join().expect("all was asked");
}

#[cfg(target_os = "linux")]
fn assert_growth(program: &Program, before: usize, most: usize) {
    let growth = program.peak_memory() - before;
    assert!(growth < most, "the server has taken {} KB more", growth >> 10);
}

#[test]
fn a_stopping_server_does_not_lose_what_a_slow_client_has_asked_for() {
    let server = Server::start(vec![open("room")]);
    let mut client = Raw::connect(server.port);
    client.send(&text_frame(&join("room", true, false)));
    client.read_json();
    client.read_json();
    let word = text_frame(&message("room", &format!("\"{}\"", "x".repeat(500_000))));
    for _ in 0..16 {
        client.send(&word);
        client.read();
    }
    for _ in 0..3 {
        client.send(&text_frame(&request("history", "room")));
    }
    client.tcp.peek(&mut [0]).expect("the first answer comes");
    server.stop();
    let mut whole = 0;
    loop {
        let (first, content) = client.read();
        if first == 0x88 {
            break;
        }
        assert!(content.len() > 3_500_000 && content.ends_with(b"]}}"));
        whole += 1;
    }
    assert!(whole >= 1);
}
