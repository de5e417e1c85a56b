//! The servers that are measured: how they are started, and how to get into their channel.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A server that can be started.
pub(crate) struct Subject {
    pub(crate) name: String,
    kind: Kind,
    program: PathBuf,
    arguments: Vec<String>,
}

/// What a server speaks.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Kind {
    /// This project's protocol.
    Xano,
    /// Whatever one sends goes to all.
    Bun,
    /// The same, by the shortest loop there is.
    Bare,
}

/// A server that runs; killed when dropped.
pub(crate) struct Running {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    /// Where clients connect to.
    pub(crate) path: String,
    child: Child,
    data: Option<PathBuf>,
}

impl Subject {
    /// Reads `NAME=KIND:PROGRAM,ARGUMENT…`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let form = "a subject is NAME=KIND:PROGRAM[,ARGUMENT…]";
        let (name, rest) = text.split_once('=').context(form)?;
        let (kind, command) = rest.split_once(':').unwrap_or((rest, ""));
        let mut words = command.split(',').map(str::to_owned);
        let program = PathBuf::from(words.next().unwrap_or_default());
        let kind = match kind {
            "xano" => Kind::Xano,
            "bun" => Kind::Bun,
            "bare" => Kind::Bare,
            _ => bail!("{form}, and KIND is none of xano, bun and bare"),
        };
        Ok(Self { name: name.to_owned(), kind, program, arguments: words.collect() })
    }

    /// Starts it on processor 0 and waits until it serves.
    pub(crate) fn start(&self) -> Result<Running> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).stdout(Stdio::piped());
        match self.kind {
            Kind::Xano => self.start_xano(command),
            Kind::Bun => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/bun.js");
                command.arg(&self.program).arg(script);
                self.start_plain(command)
            }
            Kind::Bare => {
                command.arg(env::current_exe()?).arg("bare");
                self.start_plain(command)
            }
        }
    }

    fn start_xano(&self, mut command: Command) -> Result<Running> {
        let data = env::temp_dir().join(format!("xano-bench-{}", std::process::id()));
        command.arg(&self.program).args(["serve", "--demo", "--threads", "1", "--log", "error"]);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(&data).args(&self.arguments);
        let mut child = command.spawn().context("cannot start the server")?;
        let output = child.stdout.take().context("the output is a pipe")?;
        let (mut port, mut path) = (None, None);
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some((_, number)) = line.split_once("http://127.0.0.1:")
                && line.contains("listening")
            {
                port = number.trim().parse().ok();
            }
            if let Some((_, hash)) = line.split_once("connection hash") {
                path = Some(format!("/rt/{}", hash.trim()));
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let port = port.context("the server says no port")?;
        let path = path.context("the server says no hash")?;
        Ok(Running { kind: self.kind, port, path, child, data: Some(data) })
    }

    fn start_plain(&self, mut command: Command) -> Result<Running> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = command.arg(port.to_string()).spawn().context("cannot start the server")?;
        let running = Running { kind: self.kind, port, path: "/".to_owned(), child, data: None };
        let patience = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > patience {
                bail!("{} does not listen", self.name);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Running {
    /// The processor time it has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may hold spaces, the 12th and 13th field count ticks of 10 ms.
        let (_, fields) = stat.rsplit_once(')').context("the kernel's form has changed")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse().unwrap_or(0_u64)).sum();
        Ok(ticks as f64 / 100.0)
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
