//! The program as it is started from a command line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use server::auth::OwnKeys;
use server::store::DataDir;
use tempfile::TempDir;

use crate::support::{Client, PATIENCE, get, read_head, tcp};

/// The program while it serves the demo; killed when dropped.
pub(crate) struct Program {
    child: Child,
    errors: PathBuf,
    pub(crate) data_dir: Temporary,
    pub(crate) port: u16,
    pub(crate) hash: String,
}

/// A path in a directory that is removed with the last of the paths in it; nothing is there at first.
#[derive(Clone, Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    directory: Arc<TempDir>,
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
        Self::start_in(self.data_dir.clone(), change)
    }

    /// The same in a data directory that need not be new.
    pub(crate) fn start_in(data_dir: Temporary, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--demo", "--data-dir"]);
        command.arg(&*data_dir);
        Self::run(command, data_dir, change)
    }

    /// Starts a command that serves the demo with that data directory.
    pub(crate) fn run(
        mut command: Command,
        data_dir: Temporary,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let errors = data_dir.with_extension("log");
        let log = File::create(&errors).expect("a temporary file can be made");
        command.stdout(Stdio::piped()).stderr(log);
        change(&mut command);
        let mut child = command.spawn().expect("the program starts");
        // Where a test wants a pipe here, it wants one that nobody reads.
        drop(child.stderr.take());
        let lines = BufReader::new(child.stdout.take().expect("the output is a pipe")).lines();
        let (sender, told) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut program = Self { child, errors, data_dir, port: 0, hash: String::new() };
        let patience = Instant::now() + PATIENCE;
        while !program.is_told(&told) {
            assert!(Instant::now() < patience, "it does not start: {}", program.log());
        }
        program
    }

    /// Whether it has said, in words or as JSON, where it listens and under which hash.
    fn is_told(&mut self, words: &mpsc::Receiver<String>) -> bool {
        let log = self.log();
        let entry = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(entry) = { entry }.find(|entry| entry["message"] == "serving") {
            self.port =
                entry["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
            self.hash = entry["connection_hash"].as_str().expect("a hash").to_owned();
            return true;
        }
        let Ok(line) = words.recv_timeout(Duration::from_millis(10)) else { return false };
        if line.contains("is listening on ") {
            let port = line.rsplit_once(':').and_then(|(_, number)| number.parse().ok());
            self.port = port.expect("the program says its port");
        }
        if let Some((_, text)) = line.split_once("connection hash") {
            text.trim().clone_into(&mut self.hash);
        }
        line.starts_with("Ctrl-C")
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

    /// The keys that it signs its tokens with.
    pub(crate) fn own_keys(&self) -> OwnKeys {
        let data = DataDir::existing(&self.data_dir);
        let store = data.existing_store().expect("there are settings");
        data.existing_own_keys(&store).expect("there are keys")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.errors).expect("the log is text")
    }

    /// Waits until it has logged something with `text` in it; all that it has logged.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        self.wait_for_log_of(text, 1)
    }

    /// The same, for something it says several times.
    pub(crate) fn wait_for_log_of(&self, text: &str, times: usize) -> String {
        let patience = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.matches(text).count() >= times {
                return log;
            }
            assert!(Instant::now() < patience, "`{text}` is not in the log: {log}");
            thread::yield_now();
        }
    }

    /// Sends a signal, as in `TERM`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let (signal, id) = (format!("-{name}"), self.child.id().to_string());
        let told = Command::new("kill").args([signal, id]).status();
        assert!(told.expect("there is a kill").success());
    }

    /// Waits until it has ended; its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("the program ends").code()
    }

    /// Asks the Metadata API; the head of its answer.
    pub(crate) fn administer(&self, method: &str, path: &str, body: &Value) -> String {
        let token = fs::read_to_string(self.data_dir.join("admin-token")).expect("there is one");
        let (token, body) = (token.trim(), body.to_string());
        let request = format!(
            "{method} /api:meta/workspace/1/realtime{path} HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut tcp = tcp(self.port);
        tcp.write_all(request.as_bytes()).expect("the program reads");
        read_head(&mut tcp)
    }

    /// What its open files are.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_files(&self) -> Vec<String> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        let files =
            files.expect("the program runs").filter_map(|file| file.ok()?.path().read_link().ok());
        files.map(|file| file.display().to_string()).collect()
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

/// A path of that name where nothing is yet.
pub(crate) fn temporary(name: &str) -> Temporary {
    let directory = tempfile::Builder::new().prefix("xano-ws-").tempdir();
    let directory = directory.expect("a temporary directory can be made");
    Temporary { path: directory.path().join(name), directory: Arc::new(directory) }
}

/// A directory of that name.
pub(crate) fn temporary_directory(name: &str) -> Temporary {
    let directory = temporary(name);
    fs::create_dir(&directory).expect("a directory can be made");
    directory
}

impl Temporary {
    /// A path in the directory that this is the path of.
    pub(crate) fn below(&self, name: &str) -> Self {
        Self { path: self.path.join(name), directory: Arc::clone(&self.directory) }
    }
}

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Deref for Temporary {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// With these options the program ends with an error that has these texts in it, and serves nothing.
pub(crate) fn check_serves_nothing(data_dir: &Path, arguments: &[&str], texts: &[&str]) {
    let mut command = command(&["--listen", "127.0.0.1:0", "--data-dir"]);
    let output = command.arg(data_dir).args(arguments).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    for text in texts {
        assert!(errors.contains(text), "{text} in {errors}");
    }
}

/// It ended with this code, and said all of this.
pub(crate) fn assert_fails(output: &Output, code: i32, texts: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    for text in texts {
        assert!(errors.contains(text), "{text} in {errors}");
    }
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = other.local_addr().expect("a listener has an address").to_string();
    let output = command(&["--listen", &address]).output().expect("the program starts");
    assert_fails(&output, 1, &["error: ", &address, "another program", "--listen HOST:PORT"]);
}

#[test]
fn a_certificate_that_is_not_there_is_named() {
    let missing = temporary("missing").join("cert.pem");
    let missing = missing.to_str().expect("the path is text");
    let output = command(&["--listen", "127.0.0.1:0", "--tls-cert", missing, "--tls-key", missing])
        .output()
        .expect("the program starts");
    assert_fails(&output, 1, &["error: ", "certificate", missing]);
}

/// Starts the program where the system lets it have few files open; how many connections it takes then,
/// and what it logs.
#[cfg(unix)]
fn with_few_files(name: &str, arguments: &[&str]) -> (String, String) {
    let log = temporary("log");
    let program = Program::start_with(name, |command| {
        let mut limited = Command::new("sh");
        let script = r#"ulimit -Sn 64 && ulimit -Hn 1000 && exec "$0" "$@" 2>"$LOG""#;
        limited.args(["-c", script]).env("LOG", &*log).arg(command.get_program());
        limited.args(command.get_args()).arg("--metrics-public").args(arguments);
        limited.stdout(Stdio::piped());
        *command = limited;
    });
    let (_, page) = get(program.port, "/metrics", "");
    let limit = page.lines().find_map(|line| line.strip_prefix("xano_connections_limit "));
    let limit = limit.expect("the limit is told").to_owned();
    let logged = fs::read_to_string(&log).expect("there is a log");
    (limit, logged)
}

#[cfg(unix)]
#[test]
fn it_takes_as_many_connections_as_it_may_have_files_and_warns_where_it_shall_take_more() {
    let (limit, logged) = with_few_files("few-files", &[]);
    assert_eq!(limit, "744", "1,000 files but 256");
    assert!(!logged.contains("WARN"), "{logged}");
    let (limit, logged) = with_few_files("too-few-files", &["--max-connections", "5000"]);
    assert_eq!(limit, "5000");
    assert!(logged.contains("WARN") && logged.contains("ulimit -n"), "{logged}");
}

#[test]
fn a_limit_that_cannot_work_is_refused_with_its_reason() {
    let output = command(&["--max-lag", "1KiB"]).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("--max-lag") && errors.contains("65536"), "{errors}");
}

#[cfg(unix)]
#[test]
fn told_to_stop_it_closes_its_connections_and_ends_well() {
    let mut program = Program::start("sigterm");
    let mut client = program.connect();
    client.join("marvel-chat-room", false, false);
    program.signal("TERM");
    assert_eq!(client.read_close(), 1012);
    assert_eq!(program.wait(), Some(0));
}
