//! Who comes in and says nothing at first, as browsers do that want to be quick later.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hub::Settings;
use server::NodeOptions;
use server::config::ServeConfig;

use crate::support::{HASH, Raw, Server, ask, config, handshake, open, read_head};

/// Nothing but its silence ends a connection in time for a test.
const LONG: Duration = Duration::from_secs(3_600);

fn server(shards: usize, change: impl FnOnce(&mut ServeConfig)) -> Server {
    let mut config = config();
    config.limits.handshake_timeout = LONG;
    change(&mut config);
    let settings = Settings::new(HASH.to_owned(), vec![open("room")]);
    Server::serving(config, settings, NodeOptions { shards, ..NodeOptions::default() })
}

/// Connections that the server has accepted, and heard nothing from: it has served one that came later.
fn silent(server: &Server, count: usize) -> Vec<TcpStream> {
    let silent = (0..count).map(|_| server.tcp()).collect();
    server.member("room");
    silent
}

fn say(tcp: &mut TcpStream, text: &str) {
    tcp.write_all(text.as_bytes()).expect("the server reads");
}

#[test]
fn who_says_nothing_at_first_is_served_when_it_says_something() {
    for shards in [1, 2, 3] {
        let server = server(shards, |_| {});
        let mut silent = silent(&server, 12);
        for tcp in &mut silent[..6] {
            say(tcp, &handshake(HASH, ""));
        }
        // To find out who it is takes somebody else.
        for tcp in &mut silent[6..9] {
            say(tcp, &handshake(HASH, "Sec-WebSocket-Protocol: nobody\r\n"));
        }
        for tcp in &mut silent[9..] {
            say(tcp, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        }
        for mut tcp in silent.drain(9..) {
            let mut answer = String::new();
            tcp.read_to_string(&mut answer).expect("the answer comes whole");
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
        }
        for (at, mut tcp) in silent.into_iter().enumerate() {
            let head = read_head(&mut tcp);
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            let mut client = Raw { tcp };
            if at >= 6 {
                assert_eq!(client.read_json()["payload"]["code"], "invalid_token");
            }
            client.join("room");
        }
    }
}

#[test]
fn half_a_handshake_after_a_silence_is_waited_for() {
    let server = server(1, |_| {});
    let mut silent = silent(&server, 1);
    let text = handshake(HASH, "");
    let (half, rest) = text.split_at(40);
    say(&mut silent[0], half);
    // Whoever comes now is served later than that half.
    server.member("room");
    say(&mut silent[0], rest);
    assert!(read_head(&mut silent[0]).starts_with("HTTP/1.1 101 "));
}

#[test]
fn who_stays_silent_is_let_go_and_was_counted_among_those_who_come() {
    let server = server(2, |config| {
        config.limits.max_handshakes = 3;
        config.limits.handshake_timeout = Duration::from_secs(1);
    });
    let silent = silent(&server, 2);
    // The third is the last for whom there is room, so this one waits for their end.
    let more: Vec<_> = (0..2).map(|_| server.tcp()).collect();
    server.member("room");
    for mut tcp in silent.into_iter().chain(more) {
        assert_eq!(tcp.read(&mut [0]).expect("the server ends it in order"), 0);
    }
    assert!(server.reached("handshakes") >= 1);
    assert!(server.reached("handshake_time") >= 4);
}

#[test]
fn a_silence_is_taken_off_the_time_for_a_head() {
    let server = server(1, |config| config.limits.handshake_timeout = Duration::from_secs(3));
    let half = &handshake(HASH, "")[..40];
    let [mut early] = silent(&server, 1).try_into().expect("one");
    // Nothing is to be heard in most of its time.
    early.set_read_timeout(Some(Duration::from_secs(2))).expect("it can be set");
    assert!(early.read(&mut [0]).is_err(), "it is waited for");
    let mut late = server.tcp();
    say(&mut early, half);
    say(&mut late, half);
    early.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
    assert_eq!(early.read(&mut [0]).expect("the server ends it in order"), 0);
    late.set_nonblocking(true).expect("it can be set");
    let error = late.read(&mut [0]).expect_err("it has as long as the other one had");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(server.reached("handshake_time"), 1);
}

#[test]
fn who_goes_without_a_word_leaves_its_place_to_others() {
    let server = server(2, |config| config.limits.max_handshakes = 1);
    for _ in 0..20 {
        drop(server.tcp());
    }
    // The time of those would not be over yet.
    server.member("room");
    assert_eq!(server.reached("handshake_time"), 0);
}

#[test]
fn who_speaks_only_when_the_server_drains_hears_of_it() {
    let server = server(2, |config| config.drain_window = LONG);
    let mut silent = silent(&server, 1);
    let _stays = server.member("room");
    server.stop();
    while !ask(server.port, "GET /readyz").ends_with("draining\n") {}
    say(&mut silent[0], "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(read_head(&mut silent[0]).starts_with("HTTP/1.1 503 "));
}
