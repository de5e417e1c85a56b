//! The program as it is started from a command line.

use std::fs;
use std::io::{BufRead, BufReader};
use std::mem;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::support::Client;

/// The program while it serves the demo; killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) data_dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) hash: String,
}

impl Program {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, |_| {})
    }

    /// Starts it with what `change` adds to its command line.
    pub(crate) fn start_with(name: &str, change: impl FnOnce(&mut Command)) -> Self {
        Self::start_in(temporary(name), change)
    }

    /// Kills it on the spot, and starts it again in the same data directory.
    pub(crate) fn restart_after_a_kill(mut self, change: impl FnOnce(&mut Command)) -> Self {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        Self::start_in(mem::take(&mut self.data_dir), change)
    }

    fn start_in(data_dir: PathBuf, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--demo", "--data-dir"]);
        command.arg(&data_dir).stdout(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("the output is a pipe")).lines();
        let (mut port, mut hash) = (None, None);
        for line in lines {
            let line = line.expect("the program says where it listens");
            if let Some((_, number)) = line.split_once("is listening on http://127.0.0.1:") {
                port = number.parse().ok();
            }
            if let Some((_, text)) = line.split_once("connection hash") {
                hash = Some(text.trim().to_owned());
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let port = port.expect("the program says its port");
        Self { child, data_dir, port, hash: hash.expect("the program says its hash") }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.port, &self.hash)
    }

    /// What the program's command for tokens prints.
    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        let output = token(&self.data_dir, arguments);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("a token is text");
        text.strip_suffix('\n').expect("a token is a line").to_owned()
    }

    /// The most memory it has had so far, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        kilobytes.expect("Linux counts memory") << 10
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.data_dir).ok();
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
    command.arg("serve").args(arguments);
    command
}

/// Runs the program's command for tokens.
pub(crate) fn token(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
    command.arg("token").arg("--data-dir").arg(data_dir).args(arguments);
    command.output().expect("the program starts")
}

pub(crate) fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("xano-ws-{name}-{}", std::process::id()))
}

fn assert_fails(output: &Output, texts: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    for text in texts {
        assert!(errors.contains(text), "{text} in {errors}");
    }
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = other.local_addr().expect("a listener has an address").to_string();
    let output = command(&["--listen", &address]).output().expect("the program starts");
    assert_fails(&output, &["error: ", &address, "another program", "--listen HOST:PORT"]);
}

#[test]
fn a_certificate_that_is_not_there_is_named() {
    let missing = temporary("missing").join("cert.pem");
    let missing = missing.to_str().expect("the path is text");
    let output = command(&["--listen", "127.0.0.1:0", "--tls-cert", missing, "--tls-key", missing])
        .output()
        .expect("the program starts");
    assert_fails(&output, &["error: ", "certificate", missing]);
}

#[cfg(unix)]
#[test]
fn told_to_stop_it_closes_its_connections_and_ends_well() {
    let mut program = Program::start("sigterm");
    let mut client = program.connect();
    client.join("marvel-chat-room", false, false);
    let told = Command::new("kill").arg("-TERM").arg(program.child.id().to_string()).status();
    assert!(told.expect("there is a kill").success());
    assert_eq!(client.read_close(), 1012);
    let status = program.child.wait().expect("the program ends");
    assert_eq!(status.code(), Some(0));
}
