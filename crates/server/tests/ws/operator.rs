//! What an operator does to a server that runs: signals, and new certificates.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::ClientConfig;

use crate::program::{Program, Temporary, temporary, temporary_directory};
use crate::support::{Client, ask};
use crate::tls::{TlsClient, encrypted, trusting};

/// The program with certificates that change.
struct Secure {
    program: Program,
    folder: Temporary,
}

impl Secure {
    fn start(name: &str, first: &CertifiedKey<KeyPair>) -> Self {
        let folder = temporary_directory(&format!("{name}-pem"));
        install(&folder, first, first);
        let program = Program::start_with(name, |command| {
            command.arg("--tls-cert").arg(folder.join("cert.pem"));
            command.arg("--tls-key").arg(folder.join("key.pem"));
        });
        Self { program, folder }
    }

    /// Puts new files in place, tells the server, and waits until it says `text` once more.
    fn renew(&self, made: &CertifiedKey<KeyPair>, key: &CertifiedKey<KeyPair>, text: &str) {
        install(&self.folder, made, key);
        self.hang_up(text);
    }

    fn hang_up(&self, text: &str) {
        let said = self.program.log().matches(text).count();
        self.program.signal("HUP");
        self.program.wait_for_log_of(text, said + 1);
    }

    fn member(&self, trusted: &Arc<ClientConfig>) -> TlsClient {
        let stream = encrypted(self.program.port, trusted);
        let url = format!("wss://localhost/rt/{}", self.program.hash);
        let mut client = Client::over(stream, &url);
        client.join("marvel-chat-room", false, false);
        client
    }

    /// Whether the server shows a certificate that these trust.
    fn shows(&self, trusted: &Arc<ClientConfig>) -> bool {
        let mut stream = encrypted(self.program.port, trusted);
        let asked =
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        asked.is_ok() && stream.read_exact(&mut [0; 12]).is_ok()
    }
}

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate can be made")
}

fn install(folder: &Path, certificate: &CertifiedKey<KeyPair>, key: &CertifiedKey<KeyPair>) {
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("a file can be written");
    };
    write("cert.pem", certificate.cert.pem());
    write("key.pem", key.signing_key.serialize_pem());
}

const NEW: &str = "the certificate was read again";
const OLD: &str = "so the old one stays";

#[test]
fn a_new_certificate_is_for_new_connections_and_the_others_go_on() {
    let (first, second) = (made(), made());
    let (trust_first, trust_second) = (trusting(first.cert.der()), trusting(second.cert.der()));
    let secure = Secure::start("renewed", &first);
    let mut early = secure.member(&trust_first);
    assert!(!secure.shows(&trust_second));
    secure.renew(&second, &second, NEW);
    let mut late = secure.member(&trust_second);
    // Who has met the server before may go on without a look at its certificate; this one has not.
    assert!(!secure.shows(&trusting(first.cert.der())));
    early.say("marvel-chat-room", "1");
    for client in [&mut early, &mut late] {
        assert_eq!(client.read("message")["payload"], 1);
    }
}

#[test]
fn a_broken_certificate_is_told_and_the_old_one_stays_in_use() {
    let (first, second) = (made(), made());
    let trust_first = trusting(first.cert.der());
    let secure = Secure::start("broken", &first);
    secure.renew(&second, &first, OLD);
    assert!(secure.program.log().contains("cannot be used together"));
    assert!(secure.shows(&trust_first));
    fs::write(secure.folder.join("cert.pem"), "no certificate").expect("a file can be written");
    secure.hang_up(OLD);
    assert!(secure.program.log().contains("there is no certificate in PEM form in"));
    install(&secure.folder, &second, &second);
    fs::remove_file(secure.folder.join("key.pem")).expect("the file is there");
    secure.hang_up(OLD);
    assert!(secure.program.log().contains("cannot read a private key in PEM form from"));
    assert!(secure.shows(&trust_first));
    secure.renew(&second, &second, NEW);
    assert!(secure.shows(&trusting(second.cert.der())));
}

#[test]
fn without_a_certificate_a_hangup_ends_nothing() {
    let program = Program::start("hangup");
    program.signal("HUP");
    program.wait_for_log("there is no certificate to read again");
    program.connect().join("marvel-chat-room", false, false);
}

#[test]
fn the_first_signal_starts_a_spread_stop_and_the_second_ends_it() {
    let mut program = Program::start_with("twice", |command| {
        command.args(["--drain-window", "1h", "--threads", "1"]);
    });
    let mut clients = [program.connect(), program.connect()];
    clients.iter_mut().for_each(|client| drop(client.join("marvel-chat-room", false, false)));
    program.signal("TERM");
    program.wait_for_log("stopping: every connection is told");
    let answer = ask(program.port, "GET /readyz");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    program.signal("INT");
    clients.iter_mut().for_each(|client| assert_eq!(client.read_close(), 1012));
    assert_eq!(program.wait(), Some(0));
    assert!(program.log().contains("stopped"));
}

#[test]
fn it_serves_on_when_nobody_reads_its_log_any_more() {
    let mut program = Program::start_with("unread", |command| {
        command.args(["--log", "debug"]).stderr(std::process::Stdio::piped());
    });
    program.signal("HUP");
    let mut client = program.connect();
    client.join("marvel-chat-room", false, false);
    program.signal("TERM");
    assert_eq!(client.read_close(), 1012);
    assert_eq!(program.wait(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_takes_the_server_with_it() {
    let data_dir = temporary("terminal");
    let line = format!(
        "{} serve --listen 127.0.0.1:0 --demo --drain-window 0 --data-dir {}",
        env!("CARGO_BIN_EXE_xano-realtime"),
        data_dir.display()
    );
    // It lends its child a terminal, and shows what is written to it.
    let mut terminal = std::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    terminal.stdin(std::process::Stdio::piped());
    let mut program = Program::run(terminal, data_dir, |_| {});
    let mut client = program.connect();
    client.join("marvel-chat-room", false, false);
    program.signal("KILL");
    assert_eq!(client.read_close(), 1012);
    assert_eq!(program.wait(), None);
}
