//! The workspace's own commands, for a machine that has rustup, Node, git and a C compiler and nothing else.
#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

mod bench;
mod check;
mod count;
mod inline;
mod sdk;
mod setup;
mod start;
mod test;
mod tidy;
mod workspace;

use std::{env, process::ExitCode};

use anyhow::{Result, bail};

use crate::{count::Lower, sdk::Flavour, workspace::Workspace};

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let workspace = Workspace::find()?;
    match args.as_slice() {
        ["setup"] => setup::build_tools(&workspace),
        ["setup", "--tests"] => {
            setup::test_tools(&workspace).and_then(|_| setup::second_browser()).map(drop)
        }
        ["sdk"] => sdk::build(&workspace, Flavour::Release),
        ["sdk", "--dev"] => sdk::build(&workspace, Flavour::Dev),
        ["count"] => count::count(&workspace, Lower::Ask),
        ["count", "--lower"] => count::count(&workspace, Lower::Write),
        ["size"] => sdk::check_size(&workspace),
        ["start", server_args @ ..] => start::start(&workspace, server_args),
        ["build"] => start::build_release(&workspace),
        ["test"] => test::test(&workspace),
        ["bench", args @ ..] => bench::bench(&workspace, args),
        ["tidy"] => tidy::tidy(&workspace),
        ["check"] => check::check(&workspace),
        ["ci"] => {
            check::check(&workspace)?;
            test::test(&workspace)
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("`{}` is not a command of xtask\n\n{USAGE}", args.join(" ")),
    }
}

const USAGE: &str = "\
usage: cargo xtask <command>

  start [server args…]  set up, build and run the server in demo mode
  test                  set up and run every test
  bench [what…]         measure against peers, in turn: servers, sdk, growth, or scenarios by name, as
                        fanout or latency; --quick for a short look; `bench --help` lists them
  build                 release build: dist/ and the server binary
  sdk [--dev]           the SDK in dist/; --dev is larger, readable and quicker to build
  ci                    check and test: all that a change must pass

  setup [--tests]       install what the builds (and the browser tests) need
  check                 formatting, lints, docs, tidy, size, instructions, dependencies
  tidy                  the rules no other tool knows
  size                  the SDK against crates/sdk/size-limit.txt
  count [--lower]       the server's instructions against crates/count/limits.txt
";
