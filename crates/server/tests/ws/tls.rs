//! The same over TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use hub::Settings;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use serde_json::json;
use server::NodeOptions;
use server::config::ServeConfig;

use crate::program::{Program, Temporary, temporary, temporary_directory};
use crate::support::{Client, HASH, Server, config, open, read_head, request, tcp};

pub(crate) type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A server with a certificate of its own, and those who trust it.
struct Secure {
    server: Server,
    client_config: Arc<ClientConfig>,
    _directory: Temporary,
}

impl Secure {
    fn start(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate can be made");
        let directory = temporary_directory(name);
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        fs::write(&certificate, made.cert.pem()).expect("a file can be written");
        fs::write(&key, made.signing_key.serialize_pem()).expect("a file can be written");
        let config = ServeConfig { tls_cert: Some(certificate), tls_key: Some(key), ..config() };
        let settings = Settings::new(HASH.to_owned(), vec![open("room")]);
        let options = NodeOptions { shards: 2, ..NodeOptions::default() };
        let server = Server::serving(config, settings, options);
        Self { server, client_config: trusting(made.cert.der()), _directory: directory }
    }

    fn member(&self) -> TlsClient {
        let stream = encrypted(self.server.port, &self.client_config);
        let mut client = Client::over(stream, &format!("wss://localhost/rt/{HASH}"));
        client.join("room", false, false);
        client
    }
}

/// A connection whose TLS handshake is still to come.
pub(crate) fn encrypted(
    port: u16,
    config: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").expect("this is a name");
    let tls = ClientConnection::new(Arc::clone(config), name).expect("the configuration is right");
    StreamOwned::new(tls, tcp(port))
}

pub(crate) fn trusting(certificate: &CertificateDer<'_>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).expect("the certificate is one");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider can do TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[test]
fn a_thousand_messages_and_a_large_one_go_both_ways() {
    let secure = Secure::start("messages");
    let (mut thor, mut loki) = (secure.member(), secure.member());
    for n in 0..1_000 {
        thor.say("room", &n.to_string());
    }
    for client in [&mut thor, &mut loki] {
        (0..1_000).for_each(|n| assert_eq!(client.read("message")["payload"], n));
    }
    let large = "x".repeat(900 << 10);
    for turn in 0..2 {
        [&mut thor, &mut loki][turn].say("room", &format!("\"{large}\""));
        for client in [&mut thor, &mut loki] {
            assert_eq!(client.read("message")["payload"], large.as_str());
        }
    }
}

#[test]
fn a_long_answer_comes_to_its_end_without_anybody_saying_more() {
    let secure = Secure::start("answers");
    let mut client = secure.member();
    let piece = format!("\"{}\"", "x".repeat(300_000));
    for _ in 0..30 {
        client.say("room", &piece);
        client.read("message");
    }
    for _ in 0..10 {
        client.send(request("history", "room"));
        let text = client.read_text();
        assert!(text.len() > 12 * 300_000 && text.ends_with("]}}"));
    }
}

#[test]
fn a_stopping_server_says_so() {
    let secure = Secure::start("drain");
    let mut clients: Vec<_> = (0..3).map(|_| secure.member()).collect();
    secure.server.stop();
    for client in &mut clients {
        assert_eq!(client.read_close(), 1012);
    }
    secure.server.wait();
}

#[test]
fn a_trigger_is_asked_over_tls_when_its_certificate_is_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .expect("a certificate can be made");
    let file = temporary("trigger-authorities");
    fs::write(&file, made.cert.pem()).expect("a file can be written");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("there are protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map(Arc::new)
        .expect("the certificate is right");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let trigger = json!({
        "channel_id": 1, "name": "TLS", "url": format!("https://localhost:{port}/"),
        "actions": { "message": true },
    });
    for trusted in [false, true] {
        let program = Program::start_with("trigger-tls", |command| {
            command.arg("--allow-private-triggers").env_remove("SSL_CERT_FILE");
            if trusted {
                command.env("SSL_CERT_FILE", &*file);
            }
        });
        program.administer("POST", "/channel/trigger", &trigger);
        let mut client = program.connect();
        client.join("marvel-chat-room", false, false);
        client.say("marvel-chat-room", "1");
        let (tcp, _) = listener.accept().expect("the trigger is called");
        let tls = ServerConnection::new(Arc::clone(&config)).expect("the configuration is right");
        let mut hook = StreamOwned::new(tls, tcp);
        if trusted {
            assert!(read_head(&mut hook).starts_with("POST / HTTP/1.1\r\n"));
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n\"over TLS\"";
            hook.write_all(answer).expect("the program reads");
            assert_eq!(client.read("message")["payload"], "over TLS");
        } else {
            hook.read(&mut [0]).expect_err("the program does not trust it");
            let told = "A trigger of this channel failed, so this was not done.";
            client.read_error("trigger_failed", told);
        }
    }
}
