//! Triggers over real sockets, with a webhook over real HTTP.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use hub::{ChannelSettings, Limits, Secret, Settings, Trigger, TriggerActions};
use serde_json::{Value, json};
use server::NodeOptions;

#[cfg(target_os = "linux")]
use crate::program::Program;
use crate::support::{self, Client, HASH, PATIENCE, Server, open, pluck, read_head, request};

const FAILED: &str = "A trigger of this channel failed, so this was not done.";

/// An HTTP server that answers when the test says so.
struct Hook {
    port: u16,
    asked: Receiver<Asked>,
}

/// A request that waits for its answer.
struct Asked {
    head: String,
    body: Value,
    stream: TcpStream,
}

impl Hook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let tell = tell.clone();
                thread::spawn(move || {
                    let mut stream = stream.expect("a connection comes");
                    // Until the server ends the connection, or the test is over.
                    while let Ok(asked) = Asked::read(&mut stream) {
                        if tell.send(asked).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { port, asked }
    }

    /// The next request that the server makes.
    fn next(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).expect("the trigger is asked")
    }

    fn is_asked_nothing(&self) -> bool {
        self.asked.try_recv().is_err()
    }
}

impl Asked {
    fn read(stream: &mut TcpStream) -> io::Result<Self> {
        stream.peek(&mut [0]).and_then(|count| match count {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        })?;
        let head = read_head(stream).to_ascii_lowercase();
        let length = head.split_once("content-length: ").expect("the body has a length").1;
        let length = length.lines().next().and_then(|length| length.parse().ok());
        let mut body = vec![0; length.expect("a length is a number")];
        stream.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).expect("the body is JSON");
        Ok(Self { head, body, stream: stream.try_clone()? })
    }

    fn answer(&mut self, status: &str, body: &str) {
        let length = body.len();
        self.send(&format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"));
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the server reads");
    }

    fn payload(&self) -> &Value {
        &self.body["payload"]
    }
}

/// Row 1 with triggers, row 2 without.
fn rows() -> Vec<ChannelSettings> {
    let row = |id, pattern| ChannelSettings { id, ..open(pattern) };
    vec![row(1, "asked"), row(2, "free")]
}

fn trigger(id: u64, actions: &str, url: String) -> Trigger {
    let actions =
        TriggerActions { join: actions.contains("join"), message: actions.contains("message") };
    let (name, secret) = ("test".to_owned(), Secret::new([7; 32]));
    Trigger { id, channel_id: 1, name, active: true, actions, url, secret }
}

/// A server whose triggers may call this machine.
fn serve(triggers: Vec<Trigger>, change: impl FnOnce(&mut server::config::ServeConfig)) -> Server {
    let mut config = support::config();
    config.allow_private_triggers = true;
    change(&mut config);
    let settings = Settings::new(HASH.to_owned(), rows()).with_triggers(triggers);
    Server::serving(config, settings, NodeOptions { shards: 2, ..NodeOptions::default() })
}

fn asking(hook: &Hook, actions: &str) -> Server {
    let url = format!("http://127.0.0.1:{}/hook?key=1", hook.port);
    serve(vec![trigger(1, actions, url)], |_| {})
}

#[test]
fn a_webhook_decides_who_joins() {
    let hook = Hook::start();
    let server = asking(&hook, "join");
    let mut client = server.connect();
    client.send(support::join("asked", true, false));
    let mut asked = hook.next();
    assert!(asked.head.starts_with("post /hook?key=1 http/1.1\r\n"), "{}", asked.head);
    for field in ["content-type: application/json", "webhook-id: msg_", "webhook-signature: v1,"] {
        assert!(asked.head.contains(&format!("\r\n{field}")), "{}", asked.head);
    }
    let id = asked.body["client"]["socketId"].clone();
    assert_eq!(
        asked.body,
        json!({
            "action": "join",
            "channel": "asked",
            "client": {
                "extras": {}, "permissions": { "dbo_id": 0, "row_id": "0" }, "socketId": id,
            },
            "options": { "authenticated": false, "channel": "asked" },
            "payload": { "history": true, "presence": false },
        })
    );
    asked.answer("200 OK", "false");
    client.read_error("join_refused", "You are not allowed to join this channel.");
    client.send(support::join("asked", true, false));
    hook.next().answer("204 No Content", "");
    assert_eq!(client.read("join")["payload"]["socketId"], id);
    client.read("history");
}

#[test]
fn webhooks_make_of_a_message_what_they_want_one_after_the_other() {
    let (first, second) = (Hook::start(), Hook::start());
    let [one, two] = [&first, &second].map(|hook| format!("http://127.0.0.1:{}/", hook.port));
    let server = serve(vec![trigger(20, "message", two), trigger(3, "message", one)], |_| {});
    let (mut sender, mut reader) = (server.member("asked"), server.member("asked"));
    sender.say("asked", r#""raw""#);
    let mut asked = first.next();
    assert_eq!(asked.payload(), "raw");
    assert!(second.is_asked_nothing());
    asked.answer("200 OK", r#"{ "cooked": "once" }"#);
    let mut asked = second.next();
    assert_eq!(asked.payload(), &json!({ "cooked": "once" }));
    asked.answer("200 OK", r#"["twice"]"#);
    for client in [&mut sender, &mut reader] {
        assert_eq!(client.read("message")["payload"], json!(["twice"]));
    }
    sender.say("asked", "1");
    first.next().answer("200 OK", "false");
    sender.read_error("message_refused", "This message was refused.");
    reader.expect_nothing();
    assert!(second.is_asked_nothing());
    let mut late = server.connect();
    late.join("asked", true, false);
    let history = late.read("history");
    assert_eq!(pluck(&history["payload"]["history"], "payload"), [json!(["twice"])]);
}

#[test]
fn nobody_else_waits_for_a_webhook_that_hangs() {
    let hook = Hook::start();
    let server = asking(&hook, "message");
    let (mut sender, mut reader) = (server.member("asked"), server.member("asked"));
    let mut other = server.member("free");
    sender.join("free", false, false);
    sender.say("asked", r#""slow""#);
    sender.say("asked", r#""behind""#);
    let mut asked = hook.next();
    // Only what is read below lets the webhook answer: if it were waited for, this would never end.
    sender.say("free", r#""mine""#);
    other.say("free", r#""theirs""#);
    let mut heard = [sender.read("message"), sender.read("message")]
        .map(|frame| frame["payload"].as_str().expect("a text was sent").to_owned());
    heard.sort();
    assert_eq!(heard, ["mine", "theirs"]);
    reader.expect_nothing();
    asked.answer("200 OK", "null");
    assert_eq!(sender.read("message")["payload"], "slow");
    let mut behind = hook.next();
    assert_eq!(behind.payload(), "behind");
    behind.answer("200 OK", "");
    for (client, payload) in [(&mut reader, "slow"), (&mut sender, "behind")] {
        assert_eq!(client.read("message")["payload"], payload);
    }
}

#[test]
fn what_is_no_answer_refuses_and_nothing_is_delivered() {
    let hook = Hook::start();
    let url = format!("http://127.0.0.1:{}/", hook.port);
    let server = serve(vec![trigger(1, "message", url)], |config| config.trigger_max_body = 1_000);
    let (mut sender, mut reader) = (server.member("asked"), server.member("asked"));
    let large = format!("\"{}\"", "x".repeat(1_000));
    let said = r#"{"message":"Bad words\n are not\u0007allowed."}"#;
    let cases = [
        ("200 OK", "no JSON", FAILED),
        ("200 OK", large.as_str(), FAILED),
        ("500 Internal Server Error", "<html>", FAILED),
        ("500 Internal Server Error", "false", FAILED),
        ("503 Service Unavailable", "", FAILED),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", "true", FAILED),
        ("404 Not Found", r#"{"message":5}"#, FAILED),
        ("422 Unprocessable Content", said, "Bad words  are not allowed."),
    ];
    for (status, body, message) in cases {
        sender.send(r#"{"action":"message","options":{"channel":"asked","id":"it"},"payload":1}"#);
        hook.next().answer(status, body);
        let error = sender.read_error("trigger_failed", message);
        assert_eq!(error["options"], json!({ "channel": "asked", "id": "it" }), "{status}");
        assert_eq!(error["payload"]["action"], "message");
    }
    // It may also hang up.
    sender.say("asked", "1");
    let asked = hook.next();
    asked.stream.shutdown(std::net::Shutdown::Both).expect("a connection can be ended");
    sender.read_error("trigger_failed", FAILED);
    reader.expect_nothing();
    sender.say("asked", "2");
    hook.next().answer("200 OK", "");
    assert_eq!(reader.read("message")["payload"], 2);
    server.await_metric("xano_limit_reached_total{limit=\"trigger_answer\"}", 1);
}

#[test]
fn a_webhook_that_takes_too_long_refuses() {
    let hook = Hook::start();
    let url = format!("http://127.0.0.1:{}/", hook.port);
    let server = serve(vec![trigger(1, "join message", url)], |config| {
        config.trigger_timeout = Duration::from_millis(100);
    });
    let mut client = server.connect();
    client.send(support::join("asked", false, false));
    let _silent = hook.next();
    client.read_error("trigger_failed", FAILED);
    client.send(support::join("asked", false, false));
    let mut late = hook.next();
    late.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntru");
    client.read_error("trigger_failed", FAILED);
    client.send(support::join("asked", false, false));
    hook.next().answer("200 OK", "true");
    client.read("join");
    server.await_metric("xano_limit_reached_total{limit=\"trigger_time\"}", 2);
    server.await_metric("xano_trigger_calls_total{outcome=\"failed\"}", 2);
    server.await_metric("xano_trigger_calls_total{outcome=\"answered\"}", 1);
}

#[test]
fn what_is_not_of_the_public_internet_is_not_called() {
    let hook = Hook::start();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let url = format!("http://{host}:{}/", hook.port);
        let server =
            serve(vec![trigger(1, "message", url)], |config| config.allow_private_triggers = false);
        let mut client = server.member("asked");
        client.say("asked", "1");
        client.read_error("trigger_failed", FAILED);
    }
    assert!(hook.is_asked_nothing());
}

#[test]
fn what_waited_is_done_in_order_and_answered_in_full() {
    const REQUESTS: usize = 200;
    let hook = Hook::start();
    let server = asking(&hook, "message");
    let mut client = server.member("asked");
    client.say("asked", r#""first""#);
    let mut asked = hook.next();
    for _ in 0..REQUESTS {
        client.send(request("history", "asked"));
    }
    client.send(request("leave", "asked"));
    client.expect_nothing();
    asked.answer("200 OK", "null");
    client.read("message");
    for _ in 0..REQUESTS {
        assert_eq!(client.read("history")["payload"]["history"][0]["payload"], "first");
    }
    client.read("leave");
    client.expect_nothing();
}

#[test]
fn what_is_asked_for_somebody_who_has_gone_is_not_done() {
    let hook = Hook::start();
    let server = asking(&hook, "message");
    let (mut sender, mut reader) = (server.member("asked"), server.member("asked"));
    sender.say("asked", "1");
    let mut asked = hook.next();
    sender.socket.close(None).expect("a client can go");
    assert_eq!(sender.read_close(), 1000);
    let mut next: Client = server.member("asked");
    asked.answer("200 OK", "null");
    next.say("asked", "2");
    hook.next().answer("200 OK", "null");
    assert_eq!(reader.read("message")["payload"], 2);
}

#[test]
fn many_sessions_ask_at_once_and_each_gets_its_answer() {
    const SESSIONS: usize = 100;
    let hook = Hook::start();
    let server = asking(&hook, "join");
    let mut clients: Vec<_> = (0..SESSIONS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(support::join("asked", false, false));
    }
    // More than are asked about at the same time: the others have their turn when one is answered.
    for n in 0..SESSIONS {
        let refused = n % 2 == 0;
        hook.next().answer("200 OK", if refused { "false" } else { "true" });
    }
    let joined = clients.iter_mut().filter_map(|client| {
        let frame = client.read_any();
        (frame["action"] == "join").then_some(())
    });
    assert_eq!(joined.count(), SESSIONS / 2);
}

#[test]
fn when_too_much_waits_on_the_whole_node_its_sender_is_told_and_stays_connected() {
    let hook = Hook::start();
    let triggers = vec![trigger(1, "message", format!("http://127.0.0.1:{}/", hook.port))];
    let mut config = support::config();
    config.allow_private_triggers = true;
    let settings = Settings::new(HASH.to_owned(), rows()).with_triggers(triggers);
    let limits = Limits { waiting_in_all: 3_000, ..Limits::default() };
    let options = NodeOptions { shards: 2, limits, ..NodeOptions::default() };
    let server = Server::serving(config, settings, options);
    // They live on different threads.
    let [mut thor, mut loki] = [(); 2].map(|()| server.member("asked"));
    let said = format!("\"{}\"", "x".repeat(1_000));
    let mut asked = Vec::new();
    for client in [&mut thor, &mut loki] {
        client.say("asked", &said);
        asked.push(hook.next());
    }
    assert_eq!(server.metric("xano_waiting_bytes"), 2 * (1_002 + 128));
    for client in [&mut thor, &mut loki] {
        client.say("asked", &said);
        client.read_error("overloaded", "The server is overloaded; the message was not sent.");
    }
    assert_eq!((server.reached("waiting_in_all"), server.reached("waiting_requests")), (2, 0));
    asked.iter_mut().for_each(|asked| asked.answer("200 OK", "\"allowed\""));
    for client in [&mut thor, &mut loki] {
        for _ in 0..2 {
            assert_eq!(client.read("message")["payload"], "allowed");
        }
    }
    server.await_metric("xano_waiting_bytes", 0);
    thor.say("asked", &said);
    hook.next().answer("200 OK", "");
    loki.read("message");
}

#[cfg(target_os = "linux")]
#[test]
fn what_waited_for_a_trigger_does_not_come_all_at_once() {
    const REQUESTS: usize = 200;
    let program = Program::start_with("triggers", |command| {
        command.arg("--allow-private-triggers");
    });
    let mut client = program.connect();
    client.join("marvel-chat-room", false, false);
    for _ in 0..10 {
        client.say("marvel-chat-room", &format!("\"{}\"", "x".repeat(100_000)));
        client.read_text();
    }
    let hook = Hook::start();
    let trigger = json!({
        "channel_id": 1, "name": "test", "url": format!("http://127.0.0.1:{}/", hook.port),
        "actions": { "message": true },
    });
    let created = program.administer("POST", "/channel/trigger", &trigger);
    assert!(created.starts_with("HTTP/1.1 200 "), "{created}");
    client.say("marvel-chat-room", r#""asked""#);
    let mut asked = hook.next();
    for _ in 0..REQUESTS {
        client.send(request("history", "marvel-chat-room"));
    }
    client.expect_nothing();
    let before = program.peak_memory();
    asked.answer("200 OK", "");
    client.read("message");
    for _ in 0..REQUESTS {
        assert!(client.read_text().len() > 1_000_000);
    }
    let growth = program.peak_memory() - before;
    assert!(growth < 24 << 20, "the server has taken {} KB more", growth >> 10);
}
