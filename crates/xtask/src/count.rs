//! Counts the instructions of the server's pure parts, which no load of the machine changes, and holds
//! them against a limit each.

use std::{
    collections::BTreeMap,
    env::consts::ARCH,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    setup,
    workspace::{Workspace, output, run},
};

/// What is done with a count that is below its limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lower {
    /// The user is asked to lower the limit.
    Ask,
    /// The limit is lowered; with another compiler than that of the limits, all are written anew.
    Write,
}

/// Counts every part, prints the table, and fails where one is above its limit.
pub(crate) fn count(workspace: &Workspace, lower: Lower) -> Result<()> {
    setup::valgrind()?;
    let limits = Limits::parse(&workspace.read(LIMITS)?).with_context(|| LIMITS.to_owned())?;
    let tools = tools(workspace)?;
    let program = build(workspace)?;
    let mut counts = BTreeMap::new();
    println!("{:<46} {:>9} {:>9}", "instructions", "counted", "limit");
    for line in output(&mut workspace.command(&program))?.lines() {
        let (part, of) = line.split_once(' ').context("the list of parts has no sizes")?;
        let count = count_part(workspace, &program, part)?;
        let limit = limits.parts.get(part).map_or("none".to_owned(), u64::to_string);
        println!("{:<46} {count:>9} {limit:>9}", format!("{part} {of}"));
        counts.insert(part.to_owned(), count);
    }
    if lower == Lower::Write {
        return fs::write(workspace.root.join(LIMITS), limits.lowered(&tools, &counts))
            .with_context(|| format!("cannot write {LIMITS}"));
    }
    let slack = limits.slack(&tools);
    if slack != SLACK {
        println!("\n{slack} % above the limits are allowed: they are from {}", limits.tools);
        println!("and this is {tools}");
    }
    let faults = limits.faults(slack, &counts);
    if !faults.is_empty() {
        bail!("more instructions than {LIMITS} allows, or other parts:\n  {}", faults.join("\n  "));
    }
    let low = limits.low(&counts);
    if slack == SLACK && !low.is_empty() {
        println!("\nlower in {LIMITS} (`cargo xtask count --lower` does), so that it stays so:");
        println!("  {}", low.join("\n  "));
    }
    Ok(())
}

/// The program that has the parts, built as what is released is.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    // Whatever somebody builds the rest with, everybody counts the same program.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.env("CARGO_INCREMENTAL", "0");
    run(cargo.args(["build", "--profile", "count", "--package", "count"]))?;
    Ok(workspace.target.join("count/count"))
}

/// The instructions of one round of a part.
fn count_part(workspace: &Workspace, program: &Path, part: &str) -> Result<u64> {
    let mut valgrind = workspace.command("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.args(["--collect-atstart=no", "--toggle-collect=*::counted"]);
    // The program's own memory begins behind its environment, so it gets none.
    valgrind.arg(program).args([part, &ROUNDS.to_string()]).env_clear();
    let done = valgrind.output().context("cannot run valgrind")?;
    let said = String::from_utf8_lossy(&done.stderr);
    match collected(&said) {
        Some(count) if done.status.success() => Ok(count / ROUNDS),
        _ => bail!("callgrind cannot count {part}:\n{said}"),
    }
}

/// What callgrind says that it has counted.
fn collected(said: &str) -> Option<u64> {
    let count = said.lines().find_map(|line| Some(line.split_once("Collected : ")?.1))?;
    count.trim().parse().ok().filter(|count| *count > 0)
}

/// What the counts depend on besides the code: the compiler, and the allocator, which is the C library's.
fn tools(workspace: &Workspace) -> Result<String> {
    let compiler = output(workspace.command("rustc").arg("--version"))?;
    let compiler: Vec<&str> = compiler.split_whitespace().take(2).collect();
    let library = output(workspace.command("getconf").arg("GNU_LIBC_VERSION"))?;
    Ok(format!("{}, {}, {ARCH}", compiler.join(" "), library.trim()))
}

/// What [`LIMITS`] says: with what the limits were counted, then one for each part.
#[derive(Debug)]
struct Limits {
    tools: String,
    parts: BTreeMap<String, u64>,
}

impl Limits {
    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let tools = lines.next().context("says not with what was counted")?.to_owned();
        let part = |line: &str| {
            let (part, limit) = line.split_once(' ')?;
            Some((part.to_owned(), limit.parse().ok()?))
        };
        let part = |line| part(line).with_context(|| format!("has no part and its limit: {line}"));
        Ok(Self { tools, parts: lines.map(part).collect::<Result<_>>()? })
    }

    /// How far above its limit a part may be, in per cent.
    fn slack(&self, tools: &str) -> u64 {
        if self.tools == tools { SLACK } else { SLACK_ELSEWHERE }
    }

    /// What is wrong with these counts.
    fn faults(&self, slack: u64, counts: &BTreeMap<String, u64>) -> Vec<String> {
        let judge = |(part, count): (&String, &u64)| match self.parts.get(part) {
            None => Some(format!("{part} has no limit, and {count} instructions")),
            Some(limit) if count * 100 > limit * (100 + slack) => {
                Some(format!("{part} has {count}, its limit is {limit}"))
            }
            Some(_) => None,
        };
        let gone = self.parts.keys().filter(|part| !counts.contains_key(*part));
        let gone = gone.map(|part| format!("{part} has a limit and is not counted"));
        counts.iter().filter_map(judge).chain(gone).collect()
    }

    /// Parts that are clearly below their limits, with what their limits should be.
    fn low(&self, counts: &BTreeMap<String, u64>) -> Vec<String> {
        let is_low = |(part, count): &(&String, &u64)| {
            self.parts.get(*part).is_some_and(|limit| *count * (100 + SLACK) < limit * 100)
        };
        counts.iter().filter(is_low).map(|(part, count)| format!("{part} {count}")).collect()
    }

    /// The file with lower limits where the counts allow it, and a limit for each new part.
    fn lowered(&self, tools: &str, counts: &BTreeMap<String, u64>) -> String {
        let known = |part: &String| self.parts.get(part).filter(|_| self.tools == tools);
        let mut text = format!("{tools}\n");
        for (part, count) in counts {
            let limit = known(part).map_or(*count, |limit| *limit.min(count));
            writeln!(text, "{part} {limit}").expect("writing into memory cannot fail");
        }
        text
    }
}

const LIMITS: &str = "crates/count/limits.txt";
/// How often a part is run; its count is the average.
const ROUNDS: u64 = 100;
/// The same program has the same counts everywhere, but a change elsewhere in it may move what is inlined.
const SLACK: u64 = 1;
/// With another compiler or C library than that of the limits.
const SLACK_ELSEWHERE: u64 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(part, count)| ((*part).to_owned(), *count)).collect()
    }

    fn limits() -> Limits {
        Limits::parse("rustc 1, glibc 2\nack/10 1000\nack/100 1000\n").expect("the file is right")
    }

    #[test]
    fn what_callgrind_says_is_read() {
        let said = "==7== Events    : Ir\n==7== Collected : 718713\n==7== \n";
        assert_eq!(collected(said), Some(718_713));
        assert_eq!(collected("==7== Collected : 0\n"), None, "the function was not found");
        assert_eq!(collected("valgrind: no such tool"), None);
    }

    #[test]
    fn a_part_may_not_pass_its_limit() {
        let judge =
            |one, two| limits().faults(SLACK, &counts(&[("ack/10", one), ("ack/100", two)]));
        assert_eq!(judge(1_010, 500), Vec::<String>::new());
        assert_eq!(judge(1_000, 9_000), ["ack/100 has 9000, its limit is 1000"]);
    }

    #[test]
    fn every_part_has_a_limit_and_every_limit_a_part() {
        let faults = limits().faults(SLACK, &counts(&[("ack/10", 7), ("leave/10", 8)]));
        assert_eq!(
            faults,
            ["leave/10 has no limit, and 8 instructions", "ack/100 has a limit and is not counted"]
        );
    }

    #[test]
    fn another_compiler_may_count_a_little_more() {
        assert_eq!(limits().slack("rustc 1, glibc 2"), SLACK);
        assert_eq!(limits().slack("rustc 2, glibc 2"), SLACK_ELSEWHERE);
    }

    #[test]
    fn limits_only_go_down_unless_the_compiler_is_another() {
        let counts = counts(&[("ack/10", 900), ("ack/100", 1_005)]);
        assert_eq!(limits().low(&counts), ["ack/10 900"]);
        let same = limits().lowered("rustc 1, glibc 2", &counts);
        assert_eq!(same, "rustc 1, glibc 2\nack/10 900\nack/100 1000\n");
        let other = limits().lowered("rustc 2, glibc 2", &counts);
        assert_eq!(other, "rustc 2, glibc 2\nack/10 900\nack/100 1005\n");
    }
}
