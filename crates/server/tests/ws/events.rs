//! The command that pushes an event to a running server.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::{Program, assert_fails, temporary, temporary_directory};
use crate::support::Client;

const ROOM: &str = "marvel-chat-room";

fn command(port: u16, data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
    command.env("XANO_URL", format!("http://127.0.0.1:{port}"));
    command.args(["event", "--data-dir"]).arg(data_dir).args(arguments);
    command
}

fn event(program: &Program, arguments: &[&str]) -> Output {
    command(program.port, &program.data_dir, arguments).output().expect("the program starts")
}

fn assert_says(output: &Output, text: &str) {
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), text);
}

#[test]
fn everybody_in_the_channel_gets_it_and_the_number_is_told() {
    let program = Program::start("event");
    let mut clients = [program.connect(), program.connect()];
    clients.iter_mut().for_each(|client| drop(client.join(ROOM, false, false)));
    let output = event(&program, &["--channel", ROOM, "--data", r#"{"text":"Hello"}"#]);
    assert_says(&output, "delivered to 2 connections of this node\n");
    for client in &mut clients {
        assert_eq!(client.read("event")["payload"]["data"], json!({ "text": "Hello" }));
    }
    let output = event(&program, &["--channel", ROOM, "--data", "-1"]);
    assert_says(&output, "delivered to 2 connections of this node\n");
    assert_eq!(clients[0].read("event")["payload"]["data"], -1);
}

#[test]
fn only_whom_it_is_for_gets_it_and_a_key_only_once() {
    let program = Program::start("event-for");
    let token = program.token(&["--table-id", "1", "--row-id", "7"]);
    let mut thor = Client::with_token(program.port, &program.hash, &token);
    let mut loki = program.connect();
    [&mut thor, &mut loki].into_iter().for_each(|client| drop(client.join(ROOM, false, false)));
    let to_thor =
        ["--channel", ROOM, "--data", "1", "--auth-table", "1", "--auth-id", "7"].as_slice();
    assert_says(&event(&program, to_thor), "delivered to 1 connection of this node\n");
    assert_eq!(thor.read("event")["payload"]["data"], 1);
    let once = ["--channel", ROOM, "--data", "2", "--idempotency-key", "a-key"];
    (0..2).for_each(|_| assert!(event(&program, &once).status.success()));
    for client in [&mut thor, &mut loki] {
        assert_eq!(client.read("event")["payload"]["data"], 2);
        client.expect_nothing();
    }
}

#[test]
fn the_data_may_come_on_the_standard_input_and_the_token_from_a_file() {
    let program = Program::start("event-input");
    let mut client = program.connect();
    client.join(ROOM, false, false);
    let nowhere = temporary("event-nowhere");
    let mut command = command(program.port, &nowhere, &["--channel", ROOM, "--data", "-"]);
    command.arg("--token-file").arg(program.data_dir.join("admin-token"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("the input is a pipe");
    input.write_all(b"[1,\n2]\n").expect("the program reads");
    drop(input);
    let output = child.wait_with_output().expect("the program ends");
    assert_says(&output, "delivered to 1 connection of this node\n");
    assert_eq!(client.read("event")["payload"]["data"], json!([1, 2]));
}

#[test]
fn what_is_wrong_is_said_with_the_way_out() {
    let program = Program::start("event-wrong");
    for (arguments, texts) in [
        (&["--channel", "nowhere", "--data", "1"][..], &["\"nowhere\"", "Channel not found."][..]),
        (&["--channel", "", "--data", "1"], &["refuses the event for the channel \"\""]),
        (
            &["--channel", ROOM, "--data", "hello"],
            &["--data is no JSON", "'\"hello\"'", "line 1 column"],
        ),
        (&["--channel", ROOM, "--data", "{} {}"], &["--data is no JSON", "trailing"]),
        (&["--channel", ROOM, "--data", "1", "--idempotency-key", ""], &["idempotency_key"]),
        (
            &["--channel", ROOM, "--data", "1", "--url", "localhost:8787"],
            &["--url localhost:8787", "http"],
        ),
        (
            &["--channel", ROOM, "--data", "1", "--url", "http://127.0.0.1:1/?a"],
            &["must not have a ?"],
        ),
    ] {
        assert_fails(&event(&program, arguments), 1, texts);
    }
    let usage = event(&program, &["--channel", ROOM, "--data", "1", "--auth-id", "7"]);
    assert_fails(&usage, 2, &["--auth-table"]);
}

#[test]
fn a_wrong_token_and_a_missing_one_are_told_apart() {
    let program = Program::start("event-token");
    let one = ["--channel", ROOM, "--data", "1"];
    let other = temporary("event-token-other");
    let missing = command(program.port, &other, &one).output().expect("the program starts");
    assert_fails(&missing, 1, &["there is no", "admin-token", "--data-dir"]);
    fs::create_dir(&other).expect("a directory can be made");
    fs::write(other.join("admin-token"), "x".repeat(43)).expect("a file can be written");
    let wrong = command(program.port, &other, &one).output().expect("the program starts");
    assert_fails(&wrong, 1, &["does not know the token in", "admin-token", "--data-dir"]);
    let errors = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!errors.contains("xxx"), "{errors}");
}

#[test]
fn over_tls_the_server_must_be_whom_this_machine_trusts() {
    let folder = temporary_directory("event-tls-pem");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .expect("a certificate can be made");
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem()).expect("a file can be written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("a file can be written");
    let program = Program::start_with("event-tls", |command| {
        command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    });
    let push = || {
        let mut push =
            command(program.port, &program.data_dir, &["--channel", ROOM, "--data", "1"]);
        push.env("XANO_URL", format!("https://localhost:{}/", program.port));
        push
    };
    let output = push().output().expect("the program starts");
    assert_fails(&output, 1, &["cannot be asked", "invalid peer certificate"]);
    let output = push().env("SSL_CERT_FILE", &certificate).output().expect("the program starts");
    assert_says(&output, "delivered to 0 connections of this node\n");
}

#[test]
fn where_no_server_is_that_is_said() {
    let program = Program::start("event-nobody");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("a listener has an address").port();
    drop(free);
    let one = ["--channel", ROOM, "--data", "1"];
    let output = command(port, &program.data_dir, &one).output().expect("the program starts");
    let url = format!("the server at http://127.0.0.1:{port} cannot be asked");
    assert_fails(&output, 1, &[&url, "--url", "refused"]);
}

#[test]
fn a_token_that_has_expired_is_told_apart_from_one_that_nobody_knows() {
    let program = Program::start("event-expired");
    let mut making = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
    making.args(["admin-token", "--name", "ci", "--scope", "publish", "--expires", "1s"]);
    let made = making.arg("--data-dir").arg(&*program.data_dir).output().expect("it starts");
    assert!(made.status.success(), "{made:?}");
    let file = program.data_dir.join("expiring");
    fs::write(&file, &made.stdout).expect("a file can be written");
    let push = || {
        let mut command =
            command(program.port, &program.data_dir, &["--channel", ROOM, "--data", "1"]);
        command.arg("--token-file").arg(&file).output().expect("the program starts")
    };
    let end = Instant::now() + Duration::from_secs(20);
    let mut output = push();
    while output.status.success() && Instant::now() < end {
        output = push();
    }
    assert_fails(&output, 1, &["this access token has expired; make a new one"]);
}

#[cfg(unix)]
#[test]
fn files_with_secrets_that_others_may_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::start("shared-secrets");
    let push = |warned: Option<&str>| {
        let output = event(&program, &["--channel", ROOM, "--data", "1"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert_eq!(errors.contains("others than its owner may read"), warned.is_some(), "{errors}");
        assert!(warned.is_none_or(|file| errors.contains(file)), "{errors}");
    };
    push(None);
    let file = program.data_dir.join("admin-token");
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("the file is ours");
    push(Some("admin-token"));
}
