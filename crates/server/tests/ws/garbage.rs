//! Bytes on the port that are no handshake, and frames that no library writes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::hostile::Neighbours;
use crate::support::{HASH, PATIENCE, Raw, frame, handshake, join, message, read_head, text_frame};

#[test]
fn every_reserved_bit_and_opcode_ends_the_connection() {
    let mut neighbours = Neighbours::new();
    for first in [0x90, 0xA0, 0xC0, 0xD1, 0xE1, 0xF1, 0xF9] {
        neighbours.check(&frame(first, b"{}"), 1002);
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        neighbours.check(&frame(0x80 | opcode, b""), 1002);
        neighbours.check(&frame(opcode, b""), 1002);
    }
}

#[test]
fn control_frames_are_whole_and_short() {
    let mut neighbours = Neighbours::new();
    for opcode in [0x8, 0x9, 0xA] {
        neighbours.check(&frame(opcode, b""), 1002);
        neighbours.check(&frame(0x80 | opcode, &[b'x'; 126]), 1002);
    }
    let mut client = Raw::connect(neighbours.server.port);
    client.send(&frame(0x89, &[b'x'; 125]));
    assert_eq!(client.read(), (0x8A, vec![b'x'; 125]));
    client.send(&[frame(0x8A, b"nobody asked"), frame(0x8A, b"")].concat());
    client.join("chat/1");
    neighbours.expect_peace();
}

#[test]
fn a_close_is_answered_with_its_code_and_one_that_may_not_be_sent_with_1002() {
    let mut neighbours = Neighbours::new();
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4000, 4999_u16] {
        let mut client = Raw::connect(neighbours.server.port);
        client.join("chat/1");
        client.send(&frame(0x88, &[&code.to_be_bytes()[..], "wei\u{df}".as_bytes()].concat()));
        assert_eq!(client.read_close(), code);
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535_u16] {
        neighbours.check(&frame(0x88, &code.to_be_bytes()), 1002);
    }
    neighbours.check(&frame(0x88, b"\x03\xE8\xED\xA0\x80"), 1007);
    let mut client = Raw::connect(neighbours.server.port);
    client.send(&frame(0x01, b"{\"action\":"));
    client.send(&frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(client.read_close(), 1000, "in the middle of a message too");
    neighbours.expect_peace();
}

#[test]
fn parts_of_two_messages_cannot_be_mixed() {
    let mut neighbours = Neighbours::new();
    for second in [frame(0x01, b"}"), frame(0x81, b"{}"), frame(0x82, b""), frame(0x02, b"")] {
        let code = if second[0] & 0x0F == 2 { 1003 } else { 1002 };
        neighbours.check(&[frame(0x01, b"{"), second].concat(), code);
    }
    let split = [frame(0x01, b"\"\xF0\x9F"), frame(0x00, b"\xA6"), frame(0x80, b"\xFF\"")];
    neighbours.check(&split.concat(), 1007);
}

#[test]
fn who_pings_without_end_and_never_reads_is_not_read_any_more() {
    let mut neighbours = Neighbours::new();
    let mut flood = Raw::connect(neighbours.server.port);
    flood.join("chat/1");
    let pings = frame(0x89, &[b'x'; 125]).repeat(1_000);
    flood.tcp.set_nonblocking(true).expect("a socket can be made impatient");
    let mut written = 0;
    // Every answer waits for its reader; the server takes no more than it may owe.
    let full = (0..10_000).any(|_| match flood.tcp.write(&pings) {
        Ok(count) => {
            written += count;
            neighbours.speaker.say("room", "1");
            for client in [&mut neighbours.speaker, &mut neighbours.listener] {
                client.read("message");
            }
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
            true
        }
    });
    assert!(full, "{written} bytes of pings were taken");
    neighbours.expect_peace();
    drop(flood);
    neighbours.expect_peace();
}

#[test]
fn every_one_of_many_pings_is_answered_in_its_turn() {
    let mut neighbours = Neighbours::new();
    let mut client = Raw::connect(neighbours.server.port);
    let mut writer = client.tcp.try_clone().expect("a socket has two ends");
    let count = 50_000_u32;
    let writing = thread::spawn(move || {
        let pings = (0..count).flat_map(|n| frame(0x89, &n.to_be_bytes())).collect::<Vec<_>>();
        writer.write_all(&pings).expect("the server reads on");
    });
    for n in 0..count {
        assert_eq!(client.read(), (0x8A, n.to_be_bytes().to_vec()));
    }
    writing.join().expect("all pings are written");
    neighbours.expect_peace();
}

#[test]
fn what_is_no_http_is_refused_and_closed() {
    let mut neighbours = Neighbours::new();
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03client hello";
    for bytes in [
        &client_hello[..],
        b"\0\0\0\0\r\n\r\n",
        b"\xFF\xFE\xFD\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"\x81\x85\x37\xfa\x21\x3dhello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut tcp = neighbours.server.tcp();
        tcp.write_all(bytes).expect("the server reads");
        tcp.shutdown(Shutdown::Write).expect("a socket has two ends");
        let mut answer = Vec::new();
        // A server that closes with bytes unread resets the connection, which ends it as well.
        tcp.read_to_end(&mut answer).ok();
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{}: {answer}", bytes.escape_ascii());
    }
    neighbours.expect_peace();
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let mut neighbours = Neighbours::new();
    let long = |header: &str| handshake(HASH, &format!("{header}: {}\r\n", "x".repeat(20 << 10)));
    let many = handshake(HASH, &"a: b\r\n".repeat(5_000));
    for head in [long("X-Long"), long("Sec-WebSocket-Protocol"), many] {
        let mut tcp = neighbours.server.tcp();
        tcp.write_all(head.as_bytes()).expect("the server reads");
        assert!(read_head(&mut tcp).starts_with("HTTP/1.1 431 "));
    }
    neighbours.expect_peace();
}

#[test]
fn handshakes_that_never_end_keep_nobody_waiting() {
    let mut neighbours = Neighbours::new();
    let whole = handshake(HASH, "");
    let begun: Vec<TcpStream> = (0..200)
        .map(|n| {
            let mut tcp = neighbours.server.tcp();
            let end = n * whole.len() / 200;
            tcp.write_all(&whole.as_bytes()[..end]).expect("the server reads");
            tcp
        })
        .collect();
    neighbours.expect_peace();
    neighbours.server.member("chat/1").expect_nothing();
    drop(begun);
    neighbours.expect_peace();
}

#[test]
fn a_head_that_does_not_come_in_time_is_not_waited_for() {
    let mut neighbours = Neighbours::new();
    let mut silent = neighbours.server.tcp();
    let mut begun = neighbours.server.tcp();
    begun.write_all(b"GET /rt/").expect("the server reads");
    for tcp in [&mut silent, &mut begun] {
        // The server gives them ten seconds.
        tcp.set_read_timeout(Some(2 * PATIENCE)).expect("a timeout can be set");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).expect("the server closes the socket");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    neighbours.expect_peace();
}

#[test]
fn a_handshake_that_offers_extensions_gets_none() {
    let mut neighbours = Neighbours::new();
    let mut client = Raw { tcp: neighbours.server.tcp() };
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-own\r\n";
    client.send(handshake(HASH, offer).as_bytes());
    let head = read_head(&mut client.tcp).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && !head.contains("extensions"), "{head}");
    client.join("chat/1");
    neighbours.expect_peace();
}

#[test]
fn a_member_that_says_everything_at_once_is_answered_in_order() {
    let mut neighbours = Neighbours::new();
    let mut bytes = text_frame(&join("chat/1", false, false));
    for n in 0..5_000 {
        bytes.extend(text_frame(&message("chat/1", &n.to_string())));
    }
    let mut client = Raw::connect(neighbours.server.port);
    let mut writer = client.tcp.try_clone().expect("a socket has two ends");
    let writing = thread::spawn(move || writer.write_all(&bytes).expect("the server reads on"));
    assert_eq!(client.read_json()["action"], "join");
    for n in 0..5_000 {
        assert_eq!(client.read_json()["payload"], n);
    }
    writing.join().expect("all is written");
    neighbours.expect_peace();
}
