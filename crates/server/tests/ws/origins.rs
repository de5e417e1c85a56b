//! Which pages may open connections.

use hub::Settings;
use server::NodeOptions;
use server::config::ServeConfig;

use crate::program::{assert_fails, command};
use crate::support::{HASH, Server, config, exchange, handshake, open, read_head};

fn server(origins: &[&str]) -> Server {
    let parse = |text: &&str| text.parse().expect("this is an origin");
    let config = ServeConfig { allow_origin: origins.iter().map(parse).collect(), ..config() };
    Server::serving(
        config,
        Settings::new(HASH.to_owned(), vec![open("room")]),
        NodeOptions::default(),
    )
}

/// The head of the answer to a handshake that a page of `origin` starts.
fn from(server: &Server, origin: &str) -> String {
    let mut tcp = server.tcp();
    let request = handshake(HASH, &format!("Origin: {origin}\r\n"));
    std::io::Write::write_all(&mut tcp, request.as_bytes()).expect("the server reads");
    read_head(&mut tcp)
}

#[test]
fn without_a_list_every_page_may_connect() {
    let server = server(&[]);
    for origin in ["https://a.example", "null"] {
        assert!(from(&server, origin).starts_with("HTTP/1.1 101 "));
    }
}

#[test]
fn with_a_list_others_are_refused_in_words_and_programs_are_not() {
    let server = server(&["https://a.example", "https://*.b.example", "null"]);
    for origin in ["https://a.example", "https://shop.b.example", "null"] {
        assert!(from(&server, origin).starts_with("HTTP/1.1 101 "), "{origin}");
    }
    for origin in
        ["https://evil.example", "http://a.example", "https://a.example:444", "", "\u{e4}"]
    {
        let request = handshake(HASH, &format!("Origin: {origin}\r\n"))
            .replace("Upgrade\r\n", "Upgrade, close\r\n");
        let answer = exchange(server.port, &request);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
    }
    let evil = from(&server, "https://evil.example");
    assert!(evil.starts_with("HTTP/1.1 403 "), "{evil}");
    let request = handshake(HASH, "Origin: https://evil.example\r\n");
    let answer = exchange(server.port, &request.replace("Upgrade\r\n", "Upgrade, close\r\n"));
    assert!(answer.contains("--allow-origin https://evil.example"), "{answer}");
    server.member("room").expect_nothing();
}

#[test]
fn what_is_no_origin_is_refused_at_the_start() {
    for (text, reason) in [
        ("a.example", "starts with https://"),
        ("https://a.example/chat", "has no path"),
        ("https://a.example,https://b.example/", "has no path"),
    ] {
        let output = command(&["--allow-origin", text]).output().expect("the program starts");
        assert_fails(&output, 2, &["--allow-origin", reason]);
    }
}
