//! The program is killed, or its disk fails: what it has acknowledged is there afterwards, once.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::Program;
use crate::support::{Client, pluck, request};

const CHANNEL: &str = "marvel-chat-room";
/// All that one life of the program is sent; less than the channel keeps.
const EACH: u64 = 40;

#[test]
fn what_was_acked_is_kept_once_and_in_order_however_often_the_program_is_killed() {
    let mut program = Program::start("kill");
    let mut bystander = Bystander::join(&program);
    for life in 0..6 {
        let mut client = program.connect();
        client.join(CHANNEL, false, false);
        (0..EACH).for_each(|n| say(&mut client, life, n));
        // The rest is somewhere on its way.
        let acked = life * 6;
        (0..acked).for_each(|n| assert_eq!(read_ack(&mut client), name(life, n)));
        bystander.read_some();
        program = program.restart_after_a_kill(|_| {});
        bystander.resume(&program);
        let mut client = program.connect();
        client.join(CHANNEL, true, false);
        let kept = payloads(&client.read("history"));
        let kept_of_life: Vec<_> = kept.iter().filter(|payload| payload[0] == life).collect();
        let expected: Vec<_> = (0..kept_of_life.len() as u64).map(|n| json!([life, n])).collect();
        assert_eq!(kept_of_life, expected.iter().collect::<Vec<_>>(), "in order and without holes");
        assert!(kept_of_life.len() as u64 >= acked, "{acked} acked, {} kept", kept_of_life.len());
        // Who does not know what became of its messages sends them all again.
        (0..EACH).for_each(|n| say(&mut client, life, n));
        (0..EACH).for_each(|n| assert_eq!(read_ack(&mut client), name(life, n)));
        client.send(request("history", CHANNEL));
        let kept = payloads(&client.read("history"));
        let expected: Vec<_> = (0..EACH).map(|n| json!([life, n])).collect();
        assert_eq!(kept[kept.len() - expected.len()..], expected, "each once");
    }
}

#[test]
fn when_a_file_cannot_grow_what_is_kept_goes_on_in_another() {
    let program = Program::start_with("full", limit_files);
    let mut client = program.connect();
    client.join(CHANNEL, false, false);
    let text = "x".repeat(2_000);
    let mut refused = 0;
    for n in 0..900_u64 {
        // What is refused while the disk fails is sent again.
        loop {
            send(&mut client, &format!("n{n}"), &json!([n, text]));
            let frame = read_answer(&mut client);
            if frame["action"] == "ack" {
                break;
            }
            assert_eq!(frame["payload"]["code"], "storage_failed", "{frame}");
            refused += 1;
        }
    }
    assert!(refused > 0, "the disk failed");
    let program = program.restart_after_a_kill(|_| {});
    let mut client = program.connect();
    client.join(CHANNEL, true, false);
    let kept = payloads(&client.read("history"));
    let numbers: Vec<_> = kept.iter().map(|payload| payload[0].as_u64()).collect();
    assert_eq!(numbers, (800..900).map(Some).collect::<Vec<_>>());
}

#[test]
fn however_often_it_starts_in_vain_on_a_full_disk_what_was_acked_is_there_when_it_has_room() {
    let program = Program::start("vain");
    let mut client = program.connect();
    client.join(CHANNEL, false, false);
    let text = "x".repeat(20_000);
    for n in 0..100 {
        send(&mut client, &format!("n{n}"), &json!([n, text]));
        assert_eq!(read_ack(&mut client), format!("n{n}"));
    }
    let data_dir = program.data_dir.clone();
    let program = program.restart_after_a_kill(|serve| {
        // As when it is killed while it writes.
        let file = journal(&data_dir).pop().expect("there is a file");
        let mut file = OpenOptions::new().append(true).open(file).expect("it can be written");
        file.write_all(b"torn").expect("it is written");
        for _ in 0..3 {
            let mut command = Command::new(serve.get_program());
            command.args(serve.get_args());
            limit_files(&mut command);
            command.stderr(Stdio::piped());
            let mut child = command.spawn().expect("the program starts");
            let mut said = String::new();
            let mut words = child.stdout.take().expect("it is a pipe");
            // Where it serves nevertheless, it says so.
            let served = words.read(&mut [0; 64]).expect("it speaks or ends") > 0;
            child.kill().ok();
            child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("it is text");
            child.wait().expect("it ends");
            assert!(!served && said.contains("cannot use the journal"), "it serves: {said}");
        }
        let size: u64 = journal(&data_dir).iter().map(|file| size_of_file(file)).sum();
        assert!(size < 4 << 20, "{size} bytes for 2 MB");
    });
    let mut client = program.connect();
    client.join(CHANNEL, true, false);
    let kept = payloads(&client.read("history"));
    let numbers: Vec<_> = kept.iter().map(|payload| payload[0].as_u64()).collect();
    assert_eq!(numbers, (0..100).map(Some).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_stays_full_is_not_filled_with_what_could_not_be_written_whole() {
    let program = Program::start_with("filled", limit_files);
    let mut client = program.connect();
    client.join(CHANNEL, false, false);
    let text = "x".repeat(20_000);
    let mut is_taken = |n: u64| {
        send(&mut client, &format!("n{n}"), &json!([n, text]));
        let mut frame = client.read_any();
        while frame["action"] == "ack" {
            frame = client.read_any();
        }
        frame["action"] == "message"
    };
    // Fewer than may wait for a disk that is only slow.
    let refused = (0..700).find(|n| !is_taken(*n)).expect("the disk is full");
    // It tries again each second.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        assert!(!is_taken(refused));
    }
    let files = journal(&program.data_dir);
    assert!(files.len() <= 3, "{files:?}");
}

#[test]
fn without_the_disk_nothing_is_kept_and_nobody_is_misled() {
    let program = Program::start("memory");
    let mut client = program.connect();
    let epoch = client.join(CHANNEL, false, false)["payload"]["epoch"].take();
    say(&mut client, 0, 0);
    read_ack(&mut client);
    let in_memory = |command: &mut Command| {
        command.args(["--durability", "memory"]);
    };
    let program = program.restart_after_a_kill(in_memory);
    let mut client = program.connect();
    client.join(CHANNEL, true, false);
    assert_eq!(payloads(&client.read("history")), [] as [Value; 0]);
    say(&mut client, 0, 1);
    read_ack(&mut client);
    // The reader of the first life has missed what was said in the second.
    let program = program.restart_after_a_kill(|_| {});
    let mut client = program.connect();
    resume(&mut client, &epoch, 1);
    let joined = client.read("join");
    assert_eq!(joined["payload"]["resumed"], false);
    assert_eq!(joined["payload"]["reason"], "epoch_changed");
}

/// Lets it write no file beyond half a megabyte, or one.
fn limit_files(command: &mut Command) {
    let mut shell = Command::new("sh");
    // Without the trap the signal would end the program; a block has 512 or 1,024 bytes.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    *command = shell;
    command.stdout(Stdio::piped());
}

/// The journal's files, in order.
fn journal(data_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data_dir.join("journal")).expect("there is a journal");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry is whole").path()).collect();
    files.sort();
    files
}

fn size_of_file(file: &Path) -> u64 {
    fs::metadata(file).expect("a file has a size").len()
}

/// Reads along, and resumes after each kill.
struct Bystander {
    client: Client,
    epoch: Value,
    seq: u64,
}

impl Bystander {
    fn join(program: &Program) -> Self {
        let mut client = program.connect();
        let epoch = client.join(CHANNEL, false, false)["payload"]["epoch"].take();
        Self { client, epoch, seq: 0 }
    }

    /// Reads as much as every life is sent before it is acked: at least nothing.
    fn read_some(&mut self) {
        for _ in 0..EACH / 2 {
            self.read_next();
        }
    }

    fn read_next(&mut self) {
        let frame = self.client.read("message");
        self.seq += 1;
        assert_eq!(frame["seq"], self.seq, "no gap and no double");
    }

    /// Either misses nothing, or is told that it may have.
    fn resume(&mut self, program: &Program) {
        self.client = program.connect();
        resume(&mut self.client, &self.epoch, self.seq);
        let mut joined = self.client.read("join");
        let now = joined["payload"]["seq"].as_u64().expect("the answer has a number");
        self.epoch = joined["payload"]["epoch"].take();
        if joined["payload"]["resumed"] == true {
            while self.seq < now {
                self.read_next();
            }
        } else {
            assert!(now < self.seq, "it had seen what was lost: {joined}");
            self.seq = now;
        }
    }
}

fn resume(client: &mut Client, epoch: &Value, seq: u64) {
    let join = json!({
        "action": "join",
        "options": { "channel": CHANNEL },
        "payload": { "resume": { "epoch": epoch, "seq": seq } },
    });
    client.send(join.to_string());
}

fn name(life: u64, n: u64) -> String {
    format!("{life}-{n}")
}

fn say(client: &mut Client, life: u64, n: u64) {
    send(client, &name(life, n), &json!([life, n]));
}

fn send(client: &mut Client, id: &str, payload: &Value) {
    let options = json!({ "channel": CHANNEL, "id": id });
    client.send(json!({ "action": "message", "options": options, "payload": payload }).to_string());
}

/// The next frame that is no message.
fn read_answer(client: &mut Client) -> Value {
    loop {
        let frame = client.read_any();
        if frame["action"] != "message" {
            return frame;
        }
    }
}

/// The name in the next ack.
fn read_ack(client: &mut Client) -> String {
    let frame = read_answer(client);
    assert_eq!(frame["action"], "ack", "{frame}");
    frame["options"]["id"].as_str().expect("an ack has a name").to_owned()
}

fn payloads(history: &Value) -> Vec<Value> {
    pluck(&history["payload"]["history"], "payload")
}
