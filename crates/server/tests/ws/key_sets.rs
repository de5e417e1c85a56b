//! Issuers that change their keys: a real one on this machine, as it answers and as it does not.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use rcgen::{KeyPair, PKCS_ED25519};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use server::NodeOptions;
use server::config::ServeConfig;

use crate::program::{check_serves_nothing, temporary, temporary_directory};
use crate::support::{Client, HASH, PATIENCE, Server, config, open};

/// An issuer's key, and what the issuer calls it.
struct IssuerKey {
    pair: KeyPair,
    id: String,
}

impl IssuerKey {
    fn new(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
        Self { pair, id: id.to_owned() }
    }

    fn jwk(&self) -> Value {
        let x = BASE64URL_NOPAD.encode(self.pair.public_key_raw());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id, "use": "sig" })
    }

    /// A token for this row of table 4.
    fn token(&self, row_id: u64) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.id }).to_string();
        let claims = json!({ "dbo_id": 4, "row_id": row_id }).to_string();
        let parts = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
        let message = parts.join(".");
        let signer = Ed25519KeyPair::from_pkcs8(&self.pair.serialize_der()).expect("it can sign");
        let signature = BASE64URL_NOPAD.encode(signer.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }
}

fn set(keys: &[&IssuerKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

/// An answer with this body.
fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Lists keys at an address. Its thread ends with the process.
struct Issuer {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// What is answered; nothing at all if there is nothing.
    answer: Mutex<Option<String>>,
    asked: Mutex<usize>,
    changed: Condvar,
}

impl Issuer {
    fn listing(keys: &[&IssuerKey]) -> Self {
        Self::at(0, keys)
    }

    fn at(port: u16, keys: &[&IssuerKey]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(State::default());
        let issuer = Self { port, state: Arc::clone(&state) };
        issuer.list(keys);
        thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                unanswered.extend(state.serve(stream.expect("a connection comes")));
            }
        });
        issuer
    }

    fn list(&self, keys: &[&IssuerKey]) {
        self.answer(Some(answer("200 OK", &set(keys))));
    }

    fn answer(&self, answer: Option<String>) {
        *self.state.answer.lock().expect("nobody panics") = answer;
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/.well-known/jwks.json", self.port)
    }

    fn asked(&self) -> usize {
        *self.state.asked.lock().expect("nobody panics")
    }

    /// Waits until it was asked so often.
    fn wait_until_asked(&self, times: usize) {
        let asked = self.state.asked.lock().expect("nobody panics");
        let waited = self.state.changed.wait_timeout_while(asked, PATIENCE, |asked| *asked < times);
        assert!(!waited.expect("nobody panics").1.timed_out(), "it is asked {times} times");
    }
}

impl State {
    /// Answers a request; the stream, where there is to be no answer.
    fn serve(&self, mut stream: TcpStream) -> Option<TcpStream> {
        let mut lines = BufReader::new(&stream).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        for line in lines {
            if line.unwrap_or_default().is_empty() {
                break;
            }
        }
        assert_eq!(first, "GET /.well-known/jwks.json HTTP/1.1");
        *self.asked.lock().expect("nobody panics") += 1;
        self.changed.notify_all();
        let answer = self.answer.lock().expect("nobody panics").clone();
        let Some(answer) = answer else { return Some(stream) };
        // Who asked may have had enough of it.
        stream.write_all(answer.as_bytes()).ok();
        None
    }
}

fn serving(source: &str) -> Server {
    let token_jwks = vec![source.parse().expect("it is a source")];
    let settings = hub::Settings::new(HASH.to_owned(), vec![open("room")]);
    let config = ServeConfig { token_jwks, ..config() };
    Server::serving(config, settings, NodeOptions::default())
}

/// The row that a token's bearer is; `None` if it names nobody.
fn bearer(port: u16, token: &str) -> Option<u64> {
    let mut client = Client::with_token(port, HASH, token);
    client.send(crate::support::join("room", false, false));
    let mut frame = client.read_any();
    let refused = frame["payload"]["code"] == "invalid_token";
    if refused {
        frame = client.read("join");
    }
    let row = frame["client"]["permissions"]["row_id"].as_u64().filter(|row| *row != 0);
    assert_eq!(row.is_none(), refused, "{frame}");
    row
}

#[test]
fn a_key_that_is_listed_when_the_server_starts_is_good() {
    let key = IssuerKey::new("first");
    let issuer = Issuer::listing(&[&key]);
    let server = serving(&issuer.url());
    assert_eq!(bearer(server.port, &key.token(7)), Some(7));
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn when_an_issuer_changes_its_keys_the_first_token_of_the_new_one_is_good_and_the_old_ones_are_not()
{
    let [old, new] = ["old", "new"].map(IssuerKey::new);
    let issuer = Issuer::listing(&[&old]);
    let server = serving(&issuer.url());
    assert_eq!(bearer(server.port, &old.token(1)), Some(1));
    issuer.list(&[&new]);
    assert_eq!(bearer(server.port, &old.token(1)), Some(1), "it is listed as far as anybody knows");
    assert_eq!(bearer(server.port, &new.token(2)), Some(2));
    assert_eq!(issuer.asked(), 2);
    assert_eq!(bearer(server.port, &old.token(1)), None);
}

#[test]
fn however_many_tokens_name_unknown_keys_the_issuer_is_asked_once_more() {
    let [key, stranger] = ["known", "known"].map(IssuerKey::new);
    let issuer = Issuer::listing(&[&key]);
    let server = serving(&issuer.url());
    for round in 0..40 {
        let garbage = IssuerKey { id: format!("made-up-{round}"), pair: ed25519() };
        assert_eq!(bearer(server.port, &garbage.token(1)), None);
        // A key that is known is never asked for, whoever claims to have it.
        assert_eq!(bearer(server.port, &stranger.token(1)), None);
    }
    assert_eq!(issuer.asked(), 2);
    assert_eq!(bearer(server.port, &key.token(3)), Some(3));
}

#[test]
fn many_who_come_at_once_with_a_new_key_wait_for_one_fetch() {
    let [old, new] = ["old", "new"].map(IssuerKey::new);
    let issuer = Issuer::listing(&[&old]);
    let server = serving(&issuer.url());
    issuer.list(&[&old, &new]);
    let tokens: Vec<_> = (1..=20).map(|row| new.token(row)).collect();
    let port = server.port;
    let rows: HashSet<_> = thread::scope(|scope| {
        let bearers: Vec<_> =
            tokens.iter().map(|token| scope.spawn(move || bearer(port, token))).collect();
        bearers.into_iter().filter_map(|bearer| bearer.join().expect("it ends")).collect()
    });
    assert_eq!(rows, (1..=20).collect());
    assert_eq!(issuer.asked(), 2);
}

#[test]
fn a_server_starts_while_its_issuer_does_not_answer_and_has_the_keys_when_it_does() {
    let key = IssuerKey::new("late");
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        free.local_addr().expect("a listener has an address").port()
    };
    let server = serving(&format!("http://127.0.0.1:{port}/.well-known/jwks.json"));
    assert_eq!(bearer(server.port, &key.token(1)), None);
    let issuer = Issuer::at(port, &[&key]);
    issuer.wait_until_asked(1);
    // The keys are there as soon as the answer has been read.
    let deadline = Instant::now() + PATIENCE;
    while bearer(server.port, &key.token(1)) != Some(1) {
        assert!(Instant::now() < deadline, "the keys come");
    }
}

#[test]
fn an_issuer_that_answers_with_something_else_changes_nothing() {
    let key = IssuerKey::new("good");
    let too_long = format!("{{\"keys\":[]{}}}", " ".repeat(256 << 10));
    let many: Vec<_> = (0..65).map(|_| json!({})).collect();
    let wrong = [
        answer("500 Internal Server Error", &set(&[])),
        answer("404 Not Found", &set(&[])),
        answer("200 OK", "<html>"),
        answer("200 OK", &too_long),
        answer("200 OK", &json!({ "keys": many }).to_string()),
        "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[]}".to_owned(),
    ];
    for wrong in wrong {
        let issuer = Issuer::listing(&[&key]);
        let server = serving(&issuer.url());
        issuer.answer(Some(wrong.clone()));
        assert_eq!(bearer(server.port, &IssuerKey::new("unknown").token(1)), None);
        issuer.wait_until_asked(2);
        assert_eq!(
            bearer(server.port, &key.token(5)),
            Some(5),
            "{}",
            &wrong[..wrong.len().min(99)]
        );
    }
}

#[test]
fn nobody_waits_long_for_an_issuer_that_hangs_and_who_has_a_known_key_not_at_all() {
    let key = IssuerKey::new("known");
    let issuer = Issuer::listing(&[&key]);
    let server = serving(&issuer.url());
    issuer.answer(None);
    thread::scope(|scope| {
        let stranger = scope.spawn(|| bearer(server.port, &IssuerKey::new("unknown").token(1)));
        issuer.wait_until_asked(2);
        assert_eq!(bearer(server.port, &key.token(5)), Some(5));
        assert!(!stranger.is_finished(), "it waits for the issuer");
        // Within the patience of a test's client, which is shorter than a fetch may take.
        assert_eq!(stranger.join().expect("it ends"), None);
    });
}

#[test]
fn a_file_that_is_replaced_is_read_again() {
    let directory = temporary_directory("key-set-file");
    let file = directory.join("jwks.json");
    let [old, new] = ["old", "new"].map(IssuerKey::new);
    fs::write(&file, set(&[&old])).expect("the file can be written");
    let server = serving(file.to_str().expect("the path is text"));
    assert_eq!(bearer(server.port, &old.token(1)), Some(1));
    fs::write(&file, set(&[&new])).expect("the file can be written");
    assert_eq!(bearer(server.port, &new.token(2)), Some(2));
    assert_eq!(bearer(server.port, &old.token(1)), None);
}

#[test]
fn what_is_wrong_with_key_sets_is_told_before_anything_is_served() {
    let directory = temporary("wrong-key-sets");
    let check =
        |arguments: &[&str], texts: &[&str]| check_serves_nothing(&directory, arguments, texts);
    check(&["--token-jwks", "ftp://a.example/"], &["--token-jwks", "https://"]);
    check(&["--token-jwks", "missing.json"], &["error: ", "key set (JWKS)", "missing.json"]);
    check(&["--token-audience", "chat"], &["--token-key", "--token-jwks"]);
    check(&["--token-issuer", "https://a.example/"], &["--token-key", "--token-jwks"]);
    check(&["--token-key", "missing.pem", "--token-audience", ""], &["--token-audience", "value"]);
    check(&["--trust-proxy", "my-proxy"], &["--trust-proxy", "10.0.0.0/8"]);
    check(&["--auth-token-lifetime", "24"], &["--auth-token-lifetime", "24h"]);
}

fn ed25519() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made")
}
