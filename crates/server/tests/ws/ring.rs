//! Readers that are written to through io_uring.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::process::{Command, Output};
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use crate::program::{Program, assert_fails, temporary};

#[test]
fn with_the_option_each_thread_has_a_ring_and_many_readers_get_everything_in_order() {
    let has_ring = |file: &String| file.contains("io_uring");
    let program = Program::start("no-ring");
    assert!(!program.open_files().iter().any(has_ring), "nobody has asked for one");

    let program = Program::start_with("ring", |command| {
        command.args(["--threads", "2", "--io-uring"]);
    });
    assert_eq!(program.open_files().iter().filter(|file| has_ring(file)).count(), 2);
    let mut members: Vec<_> = (0..200).map(|_| program.connect()).collect();
    for member in &mut members {
        member.join("marvel-chat-room", false, false);
    }
    for (n, member) in members.iter_mut().take(50).enumerate() {
        member.say("marvel-chat-room", &n.to_string());
    }
    let hear = |member: &mut crate::support::Client| {
        let mut frames: Vec<_> = (0..50).map(|_| member.read("message")).collect();
        frames.iter_mut().map(|frame| (frame["seq"].take(), frame["payload"].take())).collect()
    };
    let heard: Vec<Vec<_>> = members.iter_mut().map(hear).collect();
    assert!(heard.iter().all(|other| *other == heard[0]));
    assert_eq!(heard[0].iter().map(|(seq, _)| seq.as_u64()).max(), Some(Some(50)));
}

/// Runs the program where the kernel answers this system call with `EPERM`, as containers have it.
fn run_refused(call: i64, arguments: &'static [&'static str]) -> Output {
    let refused = thread::spawn(move || {
        let (rules, allow) = (BTreeMap::from([(call, Vec::new())]), SeccompAction::Allow);
        let arch = ARCH.try_into().expect("seccomp knows this processor");
        let refuse = SeccompAction::Errno(libc::EPERM as u32);
        let filter = SeccompFilter::new(rules, allow, refuse, arch).expect("this is a filter");
        let filter: BpfProgram = filter.try_into().expect("this is a program");
        apply_filter(&filter).expect("a thread may refuse itself something");
        let mut command = Command::new(env!("CARGO_BIN_EXE_xano-realtime"));
        command.args(arguments).arg("--data-dir").arg(&*temporary("refused-ring"));
        command.output().expect("the program starts")
    });
    refused.join().expect("the program ends")
}

#[test]
fn where_the_kernel_refuses_io_uring_the_program_says_so_and_does_not_start() {
    for call in [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter] {
        let output = run_refused(call, &["serve", "--io-uring", "--listen", "127.0.0.1:0"]);
        let way_out = "allow it, or start without --io-uring: Operation not permitted";
        assert_fails(&output, 1, &["error: cannot start the node: io_uring is forbidden", way_out]);
        assert!(output.stdout.is_empty());
        let output = run_refused(call, &["check", "--io-uring"]);
        assert_fails(&output, 1, &["error: io_uring is forbidden", way_out]);
    }
}
