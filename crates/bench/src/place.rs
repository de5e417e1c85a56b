//! Where all of it runs: the load on a processor of its own, in a network of its own where that is possible.
//!
//! It goes there by starting itself again by programs that every Linux has, as the system's calls for
//! this are not safe ones.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context as _, Result};

/// Where this process is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// How many processors there are.
    pub(crate) processors: usize,
    /// What TCP does about a network that is full, which is not to be measured.
    pub(crate) congestion_control: String,
    /// How many files a process may have open.
    pub(crate) files: usize,
}

/// A time in which the load is made.
pub(crate) struct Clock {
    start: Instant,
    then: Share,
}

/// What the load had of its processor, from 0 to 1; or in seconds, until some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) used: f64,
    /// How long it could not go on because something else ran there.
    pub(crate) waited: f64,
}

/// Runs this program again where measurements are to be made, or says where it is.
pub(crate) fn enter() -> Result<Place> {
    if env::var_os(MARK).is_some() {
        remove_leftovers();
        return here();
    }
    let allowed = allowed()?;
    let last = allowed.last().context("there is no processor")?;
    let mut command = network();
    command.args(["taskset", "-c"]).arg(last.to_string()).arg(env::current_exe()?);
    let list: Vec<_> = allowed.iter().map(usize::to_string).collect();
    command.args(env::args_os().skip(1)).env(MARK, list.join(","));
    replace(&mut command)
}

/// The processors that this process may use.
fn allowed() -> Result<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status").context("the benchmark needs Linux")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(processors).context("the kernel names no processors")
}

/// Reads a list as `0-3,8`.
fn processors(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        processors.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(processors)
}

/// A shell with as many files as it may have, in a network of its own where that is allowed.
fn network() -> Command {
    let unshare: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
    let allowed = unshare.into_iter().find(|options| {
        let mut trial = Command::new("unshare");
        trial.args(*options).args(["sh", "-c", NETWORK]).stdin(Stdio::null());
        trial.stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    });
    let (mut command, script) = match allowed {
        Some(options) => {
            let mut command = Command::new("unshare");
            command.args(options).arg("sh");
            (command, format!("{NETWORK} && {FILES}"))
        }
        None => (Command::new("sh"), FILES.to_owned()),
    };
    command.args(["-c", &script, "sh"]);
    command
}

/// Becomes that program.
#[cfg(unix)]
fn replace(command: &mut Command) -> Result<Place> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).context("cannot start again; `taskset` of util-linux is needed")
}

#[cfg(not(unix))]
fn replace(_: &mut Command) -> Result<Place> {
    anyhow::bail!("the benchmark needs Linux")
}

fn here() -> Result<Place> {
    let processors = env::var(MARK).ok().and_then(|list| processors(&list)).unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").context("the benchmark needs Linux")?;
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let control = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    Ok(Place {
        processors: processors.len(),
        congestion_control: control.unwrap_or_default().trim().to_owned(),
        files: files.unwrap_or(1_024),
    })
}

impl Place {
    /// What keeps figures from being what they could be.
    pub(crate) fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        if self.processors < 3 {
            caveats.push(format!(
                "{} processors: a server on two of them shares one with the load, so what two bring over \
                 one cannot be told here as a rate",
                self.processors
            ));
        }
        if self.processors < 2 {
            caveats
                .push("the load has no processor of its own, so nothing here is a rate".to_owned());
        }
        if self.congestion_control == "bbr" {
            caveats.push(
                "TCP's congestion control is bbr, which paces by timers and distorts what goes over \
                 loopback; as root, or where user namespaces are allowed, the benchmark makes itself a \
                 network with reno"
                    .to_owned(),
            );
        }
        caveats
    }

    /// How many clients there can be; some files are needed for other things.
    pub(crate) fn clients(&self) -> usize {
        self.files.saturating_sub(500)
    }
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), then: Share::until_now() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// What it has had since the start.
    pub(crate) fn share(&self) -> Share {
        let (now, seconds) = (Share::until_now(), self.seconds());
        Share {
            used: (now.used - self.then.used) / seconds,
            waited: (now.waited - self.then.waited) / seconds,
        }
    }
}

impl Share {
    /// Of the thread that makes the load, which is the first.
    fn until_now() -> Self {
        let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
        let mut fields = text.split(' ').filter_map(|field| field.parse::<f64>().ok());
        let mut seconds = || fields.next().unwrap_or_default() / 1e9;
        Self { used: seconds(), waited: seconds() }
    }
}

/// A program to be started on the first processors, so many of them, which ends when this one does.
pub(crate) fn child(count: usize) -> Command {
    let list = env::var(MARK).unwrap_or_default();
    let list: Vec<_> = list.split(',').take(count).collect();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &list.join(",")]);
    command
}

/// A folder that is no other's.
pub(crate) fn new_folder() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("{FOLDER}{}-{count}", id()));
    fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// What runs that were interrupted have left.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.split_once('-'));
        if let Some((process, _)) = process
            && !Path::new("/proc").join(process).exists()
        {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

const MARK: &str = "XANO_BENCH_PLACED";
const FOLDER: &str = "xano-bench-";
const FILES: &str = r#"ulimit -n "$(ulimit -H -n)"; exec "$@""#;
const NETWORK: &str = "ip link set lo up && echo reno > /proc/sys/net/ipv4/tcp_congestion_control \
    && echo 10000 65000 > /proc/sys/net/ipv4/ip_local_port_range";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_those_of_the_kernel() {
        assert_eq!(processors("\t0-1\n"), Some(vec![0, 1]));
        assert_eq!(processors("3"), Some(vec![3]));
        assert_eq!(processors("0,2-4,8"), Some(vec![0, 2, 3, 4, 8]));
        assert_eq!(processors(""), None);
    }

    #[test]
    fn what_distorts_is_said() {
        let place = |processors, control: &str| Place {
            processors,
            congestion_control: control.to_owned(),
            files: 20_000,
        };
        assert!(place(4, "reno").caveats().is_empty());
        assert_eq!(place(2, "bbr").caveats().len(), 2);
        assert_eq!(place(1, "cubic").caveats().len(), 2);
    }
}
