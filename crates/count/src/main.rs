//! Runs one pure part of a message's way through the server, so that callgrind can count it.
//!
//! Without arguments it lists the parts; `cargo xtask count` counts each in a process of its own and
//! holds it against `limits.txt`. Everything random is fixed, so a count is the same every time.
#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

mod chance;
mod parts;
mod server;
mod world;

/// Where the server has it, for the files that are the server's.
mod transport {
    pub(crate) use crate::server::frame;
}

use std::env;
use std::process::ExitCode;

use crate::parts::{PARTS, Part};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => {
            for Part { name, size, of, .. } in PARTS {
                println!("{name}/{size} {of}");
            }
            ExitCode::SUCCESS
        }
        [name, rounds] => match (find(name), rounds.parse()) {
            (Some(part), Ok(rounds)) => {
                run(part, rounds);
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        _ => usage(),
    }
}

fn find(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| format!("{}/{}", part.name, part.size) == name)
}

fn run(part: &Part, rounds: usize) {
    let mut run = (part.prepare)(part.size, WARM_UP + rounds);
    // The first rounds ask for memory that later ones find.
    (0..WARM_UP).for_each(|_| run());
    counted(&mut *run, rounds);
}

/// What callgrind counts: it looks for this name.
#[inline(never)]
fn counted(run: &mut dyn FnMut(), rounds: usize) {
    for _ in 0..rounds {
        run();
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: count [PART/SIZE ROUNDS]; without arguments it lists the parts");
    ExitCode::FAILURE
}

const WARM_UP: usize = 10;
