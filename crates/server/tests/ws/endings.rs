//! How connections end, and the server.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use hub::Limits;
use server::NodeOptions;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

use crate::support::{Raw, Server, frame, open, text_frame};

#[test]
fn a_ping_is_answered_with_its_own_content() {
    let server = Server::start(vec![open("room")]);
    let mut client = server.member("room");
    for content in [&b""[..], &[0xFF; 125]] {
        client.socket.send(Message::Ping(content.to_vec().into())).expect("the server reads");
        let answer = client.socket.read().expect("the server answers");
        assert_eq!(answer, Message::Pong(content.to_vec().into()));
    }
}

#[test]
fn who_closes_gets_its_code_back_and_is_gone_for_the_others() {
    let server = Server::start(vec![open("room")]);
    let mut watcher = server.connect();
    watcher.join("room", false, true);
    watcher.read("presence_full");
    for code in [1000, 1001, 3000, 4000, 4999] {
        let mut client = server.member("room");
        assert_eq!(watcher.read("presence_update")["payload"]["action"], "join");
        let reason = CloseFrame { code: code.into(), reason: "bye".into() };
        client.socket.close(Some(reason)).expect("the server reads");
        assert_eq!(client.read_close(), code);
        assert_eq!(watcher.read("presence_update")["payload"]["action"], "leave");
    }
    let mut silent = Raw::connect(server.port);
    silent.send(&frame(0x88, b""));
    assert_eq!(silent.read_close(), 1000);
}

#[test]
fn what_was_asked_before_a_close_is_not_lost() {
    let server = Server::start(vec![open("room")]);
    let mut client = Raw::connect(server.port);
    client.join("room");
    let words = (0..100).flat_map(|n| text_frame(&crate::support::message("room", &n.to_string())));
    client.send(&words.chain(frame(0x88, &1000_u16.to_be_bytes())).collect::<Vec<_>>());
    assert_eq!(client.read_close(), 1000);
    let mut reader = server.connect();
    reader.join("room", true, false);
    let history = reader.read("history");
    assert_eq!(history["payload"]["history"].as_array().map(Vec::len), Some(100));
}

#[test]
fn the_silent_are_pinged_and_the_dead_are_let_go() {
    let limits = Limits { ping_after: 1, dead_after: 2, ..Limits::default() };
    let options = NodeOptions { shards: 1, limits, ..NodeOptions::default() };
    let server = Server::with_options(vec![open("room")], options);
    let mut lives = Raw::connect(server.port);
    let mut dead = Raw::connect(server.port);
    for _ in 0..3 {
        assert_eq!(lives.read(), (0x89, Vec::new()));
        lives.send(&frame(0x8A, b""));
    }
    assert_eq!(dead.read(), (0x89, Vec::new()));
    assert_eq!(dead.read_close(), 1013);
    lives.join("room");
}

#[test]
fn a_stopping_server_closes_everybody_with_1012_after_all_they_have_to_read() {
    let server = Server::start(vec![open("room")]);
    let mut clients: Vec<_> = (0..5).map(|_| server.member("room")).collect();
    for n in 0..100 {
        clients[0].say("room", &n.to_string());
    }
    for client in &mut clients[..4] {
        (0..100).for_each(|n| assert_eq!(client.read("message")["payload"], n));
    }
    server.stop();
    let started = Instant::now();
    let mut late = clients.pop().expect("there are five");
    for client in &mut clients {
        assert_eq!(client.read_close(), 1012);
    }
    (0..100).for_each(|n| assert_eq!(late.read("message")["payload"], n));
    assert_eq!(late.read_close(), 1012);
    server.wait();
    assert!(started.elapsed() < Duration::from_secs(4), "nobody was waited for in vain");
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
}

#[test]
fn a_stopping_server_does_not_wait_for_ever() {
    let server = Server::start(vec![open("room")]);
    let mut deaf = Raw::connect(server.port);
    deaf.join("room");
    let mut half = server.tcp();
    std::io::Write::write_all(&mut half, b"GET /rt/").expect("the server reads");
    let started = Instant::now();
    server.stop();
    server.wait();
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
}
