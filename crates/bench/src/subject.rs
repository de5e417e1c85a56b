//! The servers that are measured: how they are started, and what they have used.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{env, fs, iter, thread};

use anyhow::{Context as _, Result, bail};
use rustls::ClientConfig;

use crate::place;
use crate::tls::Certificate;

/// Which server it is, and how it runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// This one, with its defaults, on one thread.
    Ours,
    /// … with `--durability memory`.
    Memory,
    /// … behind TLS.
    Tls,
    /// … on two threads and processors.
    TwoThreads,
    /// Another build of it.
    Other,
    Bun,
    Ws,
    /// One `send()` for each reader, and nothing else.
    Bare,
}

/// A server that can be started.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) role: Role,
    program: PathBuf,
    arguments: Vec<String>,
}

/// Where the servers' programs are.
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    /// Other builds of it, which take part where it does.
    pub(crate) others: Vec<Subject>,
    pub(crate) bun: Option<PathBuf>,
    pub(crate) node: Option<PathBuf>,
}

/// A server that runs; killed when dropped.
pub(crate) struct Running {
    pub(crate) role: Role,
    pub(crate) port: u16,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    hash: String,
    child: Child,
    data: Option<PathBuf>,
}

/// What a server had used, at one moment.
pub(crate) struct Used {
    /// Processor seconds of each thread.
    threads: Vec<f64>,
    /// Bytes that are in memory.
    pub(crate) memory: f64,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "xano-realtime",
            Self::Memory => "in memory",
            Self::Tls => "with TLS",
            Self::TwoThreads => "2 threads",
            Self::Other => "another build",
            Self::Bun => "Bun",
            Self::Ws => "ws",
            Self::Bare => "send",
        }
    }

    /// Whether it speaks this project's protocol, and not a plain broadcast.
    pub(crate) fn is_xano(self) -> bool {
        !matches!(self, Self::Bun | Self::Ws | Self::Bare)
    }
}

impl Programs {
    /// The servers in these roles that are installed, ours first.
    pub(crate) fn subjects(&self, roles: &[Role]) -> Result<Vec<Subject>> {
        let mut subjects = Vec::new();
        for role in roles {
            let peer = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            let (program, arguments) = match role {
                Role::Bun => (self.bun.clone(), vec![text(peer("bun.js"))]),
                Role::Ws => (self.node.clone(), vec![text(peer("ws.js"))]),
                Role::Bare => (Some(env::current_exe()?), vec!["bare".to_owned()]),
                _ => (Some(self.server.clone()), Vec::new()),
            };
            if let Some(program) = program {
                let name = role.name().to_owned();
                subjects.push(Subject { name, role: *role, program, arguments });
            }
            if *role == Role::Ours {
                subjects.extend(self.others.iter().cloned());
            }
        }
        Ok(subjects)
    }
}

impl Subject {
    /// Reads `NAME=PROGRAM[,ARGUMENT…]`: another build of this server.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let form = "another build is NAME=PROGRAM[,ARGUMENT…]";
        let (name, command) = text.split_once('=').context(form)?;
        let mut words = command.split(',').map(str::to_owned);
        let program = words.next().filter(|program| !program.is_empty()).context(form)?;
        let arguments = words.collect();
        Ok(Self { name: name.to_owned(), role: Role::Other, program: program.into(), arguments })
    }

    /// Starts it on its processor and waits until it serves.
    pub(crate) fn start(&self) -> Result<Running> {
        self.start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(&self, more: &[&str]) -> Result<Running> {
        let processors = if self.role == Role::TwoThreads { 2 } else { 1 };
        let mut command = place::child(processors);
        command.arg(&self.program).stdout(Stdio::piped()).stdin(Stdio::null());
        let running = if self.role.is_xano() {
            self.start_xano(command, more)
        } else {
            self.start_plain(command)
        };
        running
            .with_context(|| format!("{} ({}) does not start", self.name, self.program.display()))
    }

    fn start_xano(&self, mut command: Command, more: &[&str]) -> Result<Running> {
        let data = place::new_folder()?;
        let threads = if self.role == Role::TwoThreads { "2" } else { "1" };
        command.args(["serve", "--demo", "--threads", threads, "--log", "error"]);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        command.args(&self.arguments).args(more);
        let mut tls = None;
        match self.role {
            Role::Memory => drop(command.args(["--durability", "memory"])),
            Role::Tls => {
                let certificate = Certificate::write(&data)?;
                command.arg("--tls-cert").arg(&certificate.chain);
                command.arg("--tls-key").arg(&certificate.key);
                tls = Some(certificate.client);
            }
            _ => {}
        }
        let child = command.spawn().context("cannot run it")?;
        let hash = String::new();
        let mut running = Running { role: self.role, port: 0, tls, hash, child, data: Some(data) };
        let output = running.child.stdout.take().context("the output is a pipe")?;
        for line in lines(output) {
            if let Some((_, number)) = line.split_once("://127.0.0.1:")
                && line.contains("listening")
            {
                running.port = number.trim().parse().unwrap_or_default();
            }
            if let Some((_, hash)) = line.split_once("connection hash") {
                hash.trim().clone_into(&mut running.hash);
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        if running.port == 0 || running.hash.is_empty() {
            bail!("it does not say where it listens");
        }
        running.declare("bench/*", 100)?;
        Ok(running)
    }

    fn start_plain(&self, mut command: Command) -> Result<Running> {
        let child = command.args(&self.arguments).spawn().context("cannot run it")?;
        let hash = String::new();
        let mut running = Running { role: self.role, port: 0, tls: None, hash, child, data: None };
        let output = running.child.stdout.take().context("the output is a pipe")?;
        let port = lines(output).next().context("it says nothing")?;
        running.port = port.trim().parse().context("it does not say its port")?;
        Ok(running)
    }
}

/// What a program prints, until it has been silent for too long; what comes later is read too, so that it
/// does not have to wait.
fn lines(output: ChildStdout) -> impl Iterator<Item = String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody may listen any more.
            sender.send(line).ok();
        }
    });
    iter::from_fn(move || receiver.recv_timeout(PATIENCE).ok())
}

impl Running {
    /// Where clients of a channel connect to.
    pub(crate) fn path(&self, channel: usize) -> String {
        if self.role.is_xano() { format!("/rt/{}", self.hash) } else { format!("/{channel}") }
    }

    /// Declares channels as those of the demo are, below a pattern, with a history of so many.
    pub(crate) fn declare(&self, pattern: &str, history: usize) -> Result<()> {
        let token = self.data.as_ref().context("it has a data directory")?.join("admin-token");
        let token = fs::read_to_string(token).context("the admin token")?;
        let body = format!(
            r#"{{"pattern":"{pattern}","wildcard":true,"anonymous_clients":true,"client_public_messaging":true,"presence":true,"history":{history}}}"#
        );
        let request = format!(
            "POST /api:meta/workspace/1/realtime/channel HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            token.trim(),
            body.len()
        );
        let mut answer = String::new();
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        match &self.tls {
            None => {
                socket.write_all(request.as_bytes())?;
                socket.read_to_string(&mut answer)?;
            }
            Some(config) => {
                let name = "localhost".try_into().context("localhost is no name")?;
                let mut tls = rustls::ClientConnection::new(Arc::clone(config), name)?;
                let mut stream = rustls::Stream::new(&mut tls, &mut socket);
                stream.write_all(request.as_bytes())?;
                stream.read_to_string(&mut answer)?;
            }
        }
        if !answer.starts_with("HTTP/1.1 200") {
            bail!("the channels cannot be declared: {answer}");
        }
        Ok(())
    }

    /// What it has used until now.
    pub(crate) fn used(&self) -> Result<Used> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let mut threads = Vec::new();
        for thread in fs::read_dir(folder.join("task")).context("the server has ended")? {
            // A thread may have ended since it was listed.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let nanoseconds: f64 =
                text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or_default();
            threads.push(nanoseconds / 1e9);
        }
        let status = fs::read_to_string(folder.join("status"))?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        let memory = memory.context("the server has ended")? * 1_024.0;
        Ok(Used { threads, memory })
    }
}

impl Used {
    /// Processor seconds of all threads.
    pub(crate) fn seconds(&self) -> f64 {
        self.threads.iter().sum()
    }

    /// How even the load was since then: what the second busiest thread did of what the busiest did.
    pub(crate) fn balance(&self, before: &Self) -> f64 {
        let mut spent: Vec<f64> =
            self.threads.iter().zip(&before.threads).map(|(now, then)| now - then).collect();
        spent.sort_by(|a, b| b.total_cmp(a));
        if spent.len() < 2 { 0.0 } else { spent[1] / spent[0] }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(data) = &self.data {
            fs::remove_dir_all(data).ok();
        }
    }
}

/// How long a server may be silent while it starts.
const PATIENCE: Duration = Duration::from_secs(20);
