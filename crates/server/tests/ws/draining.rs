//! A server that stops, on the way there.

use std::time::Duration;

use hub::Settings;
use server::NodeOptions;
use server::config::ServeConfig;
use tungstenite::Message;

use crate::support::{Client, HASH, Server, ask, config, exchange, handshake, open};

/// Ends its connections over so long that none is told by itself in a test but the first of a shard.
const HOUR: Duration = Duration::from_secs(3_600);

fn server(drain_window: Duration, shards: usize) -> Server {
    let config = ServeConfig { drain_window, ..config() };
    let settings = Settings::new(HASH.to_owned(), vec![open("room")]);
    Server::serving(config, settings, NodeOptions { shards, ..NodeOptions::default() })
}

/// Asks everybody in turn for a sign of life until one gets its end instead; its code, and the rest.
fn until_one_is_told(mut clients: Vec<Client>) -> (u16, Vec<Client>) {
    loop {
        for place in 0..clients.len() {
            clients[place].send(r#"{"action":"ping"}"#);
            match clients[place].socket.read().expect("the server answers") {
                Message::Text(text) => assert!(text.contains("pong"), "{text}"),
                Message::Close(Some(frame)) => {
                    clients.swap_remove(place);
                    return (frame.code.into(), clients);
                }
                other => panic!("a pong or the end was expected, this came: {other}"),
            }
        }
    }
}

#[test]
fn one_is_told_at_once_and_the_others_go_on_until_their_turn() {
    let server = server(HOUR, 1);
    let clients = (0..3).map(|_| server.member("room")).collect();
    server.stop();
    let (code, mut rest) = until_one_is_told(clients);
    assert_eq!(code, 1012);
    rest[0].say("room", "1");
    for client in &mut rest {
        assert_eq!(client.read("message")["payload"], 1);
    }
    server.stop();
    for client in &mut rest {
        assert_eq!(client.read_close(), 1012);
    }
    server.wait();
}

#[test]
fn while_it_drains_it_says_so_and_takes_nobody() {
    let server = server(HOUR, 1);
    assert!(ask(server.port, "GET /readyz").starts_with("HTTP/1.1 200 "));
    let clients = (0..2).map(|_| server.member("room")).collect();
    server.stop();
    let (_, mut rest) = until_one_is_told(clients);
    let answer = ask(server.port, "GET /readyz");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("draining\n"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(ask(server.port, "GET /healthz").starts_with("HTTP/1.1 200 "));
    let answer = exchange(server.port, &handshake(HASH, ""));
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("about to stop"), "{answer}");
    rest[0].expect_nothing();
    server.stop();
    assert_eq!(rest[0].read_close(), 1012);
    server.wait();
}

#[test]
fn at_the_end_of_the_window_all_have_been_told_after_what_they_had_to_read() {
    let server = server(Duration::from_secs(1), 2);
    let mut clients: Vec<_> = (0..20).map(|_| server.member("room")).collect();
    for n in 0..100 {
        clients[0].say("room", &n.to_string());
    }
    // Its own echo says that all are on their way to the others.
    (0..100).for_each(|n| assert_eq!(clients[0].read("message")["payload"], n));
    server.stop();
    for client in &mut clients[1..] {
        (0..100).for_each(|n| assert_eq!(client.read("message")["payload"], n));
    }
    for client in &mut clients {
        assert_eq!(client.read_close(), 1012);
    }
    server.wait();
}

#[test]
fn nobody_is_waited_for_where_nobody_is() {
    let server = server(HOUR, 2);
    server.stop();
    server.wait();
}
