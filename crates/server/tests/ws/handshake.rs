//! From HTTP to WebSocket, and the addresses that stay HTTP.

use std::io::Write;

use hub::Settings;
use server::NodeOptions;
use server::config::demo_channels;

use crate::support::{
    Client, HASH, Raw, Server, ask, config, exchange, handshake, join, message, open, read_head,
    text_frame,
};

fn http(server: &Server, request: &str) -> String {
    exchange(server.port, request)
}

fn get(server: &Server, path: &str) -> String {
    ask(server.port, &format!("GET {path}"))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

#[test]
fn a_token_is_given_back_and_refused_in_words_and_the_client_goes_on_as_anonymous() {
    let server = Server::start(vec![open("room")]);
    let mut raw = Raw { tcp: server.tcp() };
    raw.send(handshake(HASH, "Sec-WebSocket-Protocol: eyJhbGciOi.J9, other\r\n").as_bytes());
    let head = read_head(&mut raw.tcp);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("eyJhbGciOi.J9"));
    let error = raw.read_json();
    assert_eq!(error["payload"]["code"], "invalid_token");
    assert_eq!(error["payload"]["message"], "Invalid or expired authentication token.");
    raw.join("room");
}

#[test]
fn without_a_token_no_sub_protocol_is_given() {
    let server = Server::start(vec![open("room")]);
    let mut tcp = server.tcp();
    tcp.write_all(handshake(HASH, "").as_bytes()).expect("the server reads");
    let head = read_head(&mut tcp);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "sec-websocket-protocol"), None);
}

#[test]
fn a_wrong_hash_is_told_inside_the_connection_which_then_ends() {
    let off = Server::serving(config(), Settings::default(), NodeOptions::default());
    let on = Server::start(vec![open("room")]);
    for (server, hash) in
        [(&on, "wrong"), (&off, HASH), (&off, "%20"), (&on, ""), (&on, "a/b"), (&on, "%FF")]
    {
        let mut client = Client::connect(server.port, hash);
        client.read_error("unknown_hash", "Unknown connection hash");
        assert_eq!(client.read_close(), 4404);
    }
}

#[test]
fn what_is_no_websocket_handshake_is_told_to_upgrade() {
    let server = Server::start(vec![open("room")]);
    let right = handshake(HASH, "Connection: close\r\n");
    for wrong in [
        right.replace("Upgrade: websocket\r\n", ""),
        right.replace("Connection: Upgrade\r\n", ""),
        right.replace("Version: 13", "Version: 8"),
        right.replace("GET /rt", "HEAD /rt"),
        right.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"),
        right.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZXh4"),
        right.replace("dGhlIHNhbXBsZSBub25jZQ==", "?"),
        right.replace("Sec-WebSocket-Key", "X-Key"),
    ] {
        let answer = http(&server, &wrong);
        assert!(answer.starts_with("HTTP/1.1 426 "), "{wrong}{answer}");
        assert_eq!(header(&answer, "sec-websocket-version"), Some("13"));
    }
    for hash in [HASH, "a/b", ""] {
        assert!(get(&server, &format!("/rt/{hash}")).starts_with("HTTP/1.1 426 "));
    }
}

#[test]
fn frames_right_behind_the_handshake_are_read() {
    let server = Server::start(vec![open("room")]);
    let early = [text_frame(&join("room", false, false)), text_frame(&message("room", "1"))];
    let mut client = Raw::connect_and_send(server.port, &early.concat());
    assert_eq!(client.read_json()["action"], "join");
    assert_eq!(client.read_json()["payload"], 1);
}

#[test]
fn much_right_behind_an_unusual_handshake_is_read_too() {
    let server = Server::start(vec![open("room")]);
    let many = "X-Proxy: there are many\r\n".repeat(70);
    let mut request = handshake(HASH, &many).into_bytes();
    request.extend(text_frame(&join("room", false, false)));
    let payload = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..10 {
        request.extend(text_frame(&message("room", &payload)));
    }
    let mut client = Raw { tcp: server.tcp() };
    client.send(&request);
    assert!(read_head(&mut client.tcp).starts_with("HTTP/1.1 101 "));
    assert_eq!(client.read_json()["action"], "join");
    (0..10).for_each(|_| assert_eq!(client.read_json()["action"], "message"));
}

#[test]
fn a_handshake_byte_by_byte_is_a_handshake() {
    let server = Server::start(vec![open("room")]);
    let mut client = Raw { tcp: server.tcp() };
    handshake(HASH, "").bytes().for_each(|byte| client.send(&[byte]));
    assert!(read_head(&mut client.tcp).starts_with("HTTP/1.1 101 "));
    text_frame(&join("room", false, false)).iter().for_each(|byte| client.send(&[*byte]));
    assert_eq!(client.read_json()["action"], "join");
}

#[test]
fn the_server_says_that_it_is_well_and_its_page_knows_the_hash() {
    let server = Server::start(demo_channels());
    assert!(get(&server, "/healthz").starts_with("HTTP/1.1 200 "));
    assert!(get(&server, "/readyz").ends_with("ready\n"));
    let page = get(&server, "/");
    assert!(page.starts_with("HTTP/1.1 200 "));
    assert!(page.contains(&format!("data-connection-hash=\"{HASH}\"")));
    assert!(get(&server, "/nothing").starts_with("HTTP/1.1 404 "));
    assert!(get(&server, "/rt").starts_with("HTTP/1.1 404 "));
}
