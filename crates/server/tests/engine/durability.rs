//! What outlives a process, however it ends.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use hub::{EngineCommand, EngineEvent, Joined};
use protocol::{RequestId, Resume, ResumeRefusal};
use server::{Event, MemoryEngine};

use crate::fixture::{A, Actor, Directory, Fixture, actor, draft, name, publishing};

impl Fixture {
    /// Publishes in channel `c` under a name of the same text.
    fn publish_named(&self, actor: &Actor, text: &str) {
        self.publish_with(actor, text, 25, RequestId::parse(text).ok());
    }

    fn publish_with(&self, actor: &Actor, text: &str, history: u32, request: Option<RequestId>) {
        let mut publishing = publishing(draft(text), request, false);
        publishing.history = history;
        let (session, channel) = (actor.key, name("c"));
        self.engine.submit(actor.shard, EngineCommand::Publish { session, channel, publishing });
    }

    /// Joins channel `c` where it was at `epoch` and `seq` before; the answer.
    fn resume(&self, actor: &Actor, epoch: &str, seq: u64) -> Joined {
        let command = EngineCommand::Join {
            session: actor.key,
            member: actor.member.clone(),
            channel: name("c"),
            history: Some(1_000),
            presence: false,
            resume: Some(Resume { epoch: epoch.into(), seq }),
            batch: false,
            announce: false,
        };
        self.engine.submit(actor.shard, command);
        let mut events = Vec::new();
        self.inboxes[actor.shard.0].take(&mut events);
        let joined = events.into_iter().find_map(|event| match event {
            Event::Engine(EngineEvent::Joined(joined)) => Some(*joined),
            _ => None,
        });
        joined.expect("a join is answered")
    }

    /// Everything in channel `c`, as who joins now reads it.
    fn history(&self) -> String {
        let reader = actor(A, 99);
        self.join(&reader, "c", Some(1_000));
        let told = self.told(A).pop().expect("a join is answered");
        self.leave(&reader, "c");
        let _ = self.told(A);
        let (_, history) = told.split_once("history ").expect("it has a history");
        history.split_once(", ").expect("it has a roster").0.to_owned()
    }
}

fn missed(joined: &Joined) -> Result<usize, ResumeRefusal> {
    joined.resumed.as_ref().expect("it resumed").as_ref().map(Vec::len).map_err(|refusal| *refusal)
}

fn files(directory: &Directory) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.path()).expect("the journal has a directory");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry is whole").path()).collect();
    files.sort();
    files
}

/// An engine with an empty journal, and a member of its channel `c`.
fn member() -> (Directory, Fixture, Actor) {
    let directory = Directory::new();
    let engine = Fixture::open(&directory);
    let one = actor(A, 1);
    engine.join(&one, "c", None);
    (directory, engine, one)
}

/// Opens a copy of what is on the disk now, as after a crash.
fn crash(directory: &Directory) -> (Fixture, Directory) {
    let copy = Directory::new();
    for file in files(directory) {
        let name = file.file_name().expect("a file has a name");
        fs::copy(&file, copy.path().join(name)).expect("a file can be copied");
    }
    (Fixture::open(&copy), copy)
}

#[test]
fn what_was_acked_outlives_a_crash_with_its_numbers_and_its_names() {
    let (directory, engine, one) = member();
    engine.publish_named(&one, "a");
    engine.publish_with(&one, "b", 25, None);
    assert!(engine.told(A).contains(&"1 acked a: Some(1)".to_owned()));
    let (engine, _copy) = crash(&directory);
    assert_eq!(engine.history(), "[a#1 b#2]");
    engine.join(&one, "c", None);
    engine.publish_named(&one, "a");
    engine.publish_named(&one, "c");
    let mut told = engine.told(A);
    // Acks come when the disk has answered.
    told[1..].sort();
    assert_eq!(told[1..], ["1 acked a: Some(1)", "1 acked c: Some(3)", "c#3"]);
}

#[test]
fn who_has_seen_no_more_than_outlived_the_crash_resumes_and_who_has_is_told() {
    let directory = Directory::new();
    let engine = Fixture::open(&directory);
    let one = actor(A, 1);
    let before = engine.resume(&one, "none", 0).position.epoch;
    engine.publish_named(&one, "a");
    engine.publish_named(&one, "b");
    let _ = engine.told(A);
    let (after, copy) = crash(&directory);
    assert_eq!(missed(&after.resume(&one, &before, 0)), Ok(2));
    assert_eq!(missed(&after.resume(&one, &before, 2)), Ok(0));
    assert_eq!(missed(&after.resume(&one, &before, 3)), Err(ResumeRefusal::EpochChanged));
    let epoch = after.resume(&one, &before, 1).position.epoch;
    assert_ne!(epoch, before);
    assert_eq!(missed(&after.resume(&one, &epoch, 3)), Err(ResumeRefusal::PositionUnknown));
    let (later, _copy) = crash(&copy);
    assert_eq!(missed(&later.resume(&one, &before, 1)), Ok(1));
    assert_eq!(missed(&later.resume(&one, &epoch, 1)), Ok(1));
}

#[test]
fn a_journal_torn_or_damaged_at_any_byte_loses_its_end_and_nothing_before() {
    let (directory, engine, one) = member();
    let whole: Vec<_> = (1..=3).map(|n| format!("m{n}#{n}")).collect();
    for n in 1..=3 {
        engine.publish_named(&one, &format!("m{n}"));
    }
    let _ = engine.told(A);
    let file = files(&directory).pop().expect("there is a file");
    let mut bytes = fs::read(&file).expect("it can be read");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("something is in it");
    bytes.truncate(end + 1);
    let beginnings: Vec<_> = (0..=3).map(|n| format!("[{}]", whole[..n].join(" "))).collect();
    let mut seen = Vec::new();
    let check = |content: &[u8]| {
        let copy = Directory::new();
        let path = copy.path().join(file.file_name().expect("it has a name"));
        fs::write(path, content).expect("a file can be written");
        let history = Fixture::open(&copy).history();
        assert!(beginnings.contains(&history), "{history}");
        history
    };
    for length in (0..bytes.len()).step_by(5) {
        seen.push(check(&bytes[..length]));
    }
    assert!(
        seen.is_sorted_by_key(String::len)
            && beginnings[..3].iter().all(|history| seen.contains(history))
    );
    for place in (8..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        check(&damaged);
    }
    let torn = [bytes.as_slice(), &[0; 512]].concat();
    assert_eq!(check(&torn), beginnings[3]);
}

#[test]
fn what_goes_on_unseen_by_the_journal_is_not_taken_for_what_it_knew() {
    let directory = Directory::new();
    let engine = Fixture::open(&directory);
    let one = actor(A, 1);
    let epoch = engine.resume(&one, "none", 0).position.epoch;
    engine.publish_named(&one, "a");
    engine.publish_with(&one, "unkept", 0, None);
    let _ = engine.told(A);
    let (after, _copy) = crash(&directory);
    assert_eq!(missed(&after.resume(&one, &epoch, 1)), Err(ResumeRefusal::EpochChanged));
    assert_eq!(after.history(), "[]");

    engine.publish_named(&one, "b");
    let _ = engine.told(A);
    let (after, _copy) = crash(&directory);
    assert_eq!(after.history(), "[b#3]");
    assert_eq!(missed(&after.resume(&one, &epoch, 1)), Err(ResumeRefusal::HistoryTooShort));
    assert_eq!(missed(&after.resume(&one, &epoch, 2)), Ok(1));
}

#[test]
fn a_channel_that_was_forgotten_does_not_come_back() {
    let directory = Directory::new();
    let engine = Fixture::open(&directory);
    let one = actor(A, 1);
    for n in 0..20_000 {
        let channel = format!("many/{n}");
        engine.join(&one, &channel, None);
        engine.publish(&one, &channel, "kept", false);
        engine.leave(&one, &channel);
        if n % 1_000 == 0 {
            let _ = engine.told(A);
        }
    }
    let count = |engine: &Fixture| {
        for n in 0..20_000 {
            engine.join(&one, &format!("many/{n}"), Some(25));
        }
        let told = engine.told(A);
        told.iter().filter(|words| words.contains("kept#1")).count()
    };
    let _ = engine.told(A);
    let (after, _copy) = crash(&directory);
    let (after, before) = (count(&after), count(&engine));
    // Where the bound lies is not quite the same in each process.
    assert!((15_000..=before).contains(&after) && before < 17_000, "{after} of {before}");
}

#[test]
fn a_channel_with_members_outlives_a_crash_however_many_others_there_are() {
    let directory = Directory::new();
    let engine = Fixture::open(&directory);
    let one = actor(A, 1);
    for n in 0..20_000 {
        let channel = format!("many/{n}");
        engine.join(&one, &channel, None);
        engine.publish(&one, &channel, "kept", false);
        if n % 1_000 == 0 {
            let _ = engine.told(A);
        }
    }
    let _ = engine.told(A);
    let (after, _copy) = crash(&directory);
    for n in 0..20_000 {
        after.join(&one, &format!("many/{n}"), Some(25));
    }
    let told = after.told(A);
    assert_eq!(told.iter().filter(|words| words.contains("kept#1")).count(), 20_000);
}

#[test]
fn the_journal_stays_a_small_multiple_of_what_it_says() {
    let (directory, engine, one) = member();
    let text = "x".repeat(64 << 10);
    for n in 0..3_000 {
        engine.publish_with(&one, &format!("{n}{text}"), 25, None);
        if n % 50 == 0 {
            let _ = engine.told(A);
        }
    }
    let _ = engine.told(A);
    let size = |path: &PathBuf| fs::metadata(path).expect("a file has a size").len();
    let total: u64 = files(&directory).iter().map(size).sum();
    assert!(total < 100 << 20, "190 MiB were published, {total} bytes are kept");
    let history = engine.history();
    assert!(history.contains("#3000]") && history.starts_with("[2975x"));
    engine.engine.close();
    assert_eq!(Fixture::open(&directory).history(), history);
}

#[test]
fn a_start_that_fails_after_a_crash_costs_nothing_and_neither_does_the_next() {
    let (directory, engine, one) = member();
    engine.publish_named(&one, "a");
    let _ = engine.told(A);
    let copy = Directory::new();
    let bytes = fs::read(files(&directory).pop().expect("there is a file")).expect("it is read");
    let torn = [bytes.as_slice(), b"torn"].concat();
    fs::write(copy.path().join("0000000001.journal"), torn).expect("it is written");
    // The process had begun another file; now the disk gives that one back as an error.
    let refused = copy.path().join("0000000002.journal");
    fs::create_dir(&refused).expect("a directory can be made");
    for _ in 0..2 {
        assert!(MemoryEngine::open(Vec::new(), copy.path(), MemoryEngine::MAX_KEPT_BYTES).is_err());
    }
    fs::remove_dir(&refused).expect("it can be removed");
    assert_eq!(Fixture::open(&copy).history(), "[a#1]");
}

#[test]
fn where_a_file_was_damaged_nobody_goes_on_as_if_nothing_were_missing() {
    let (one, epoch, mut bytes) = two_kept();
    let place = bytes.windows(3).rposition(|bytes| bytes == b"\"b\"").expect("b is there");
    bytes[place] ^= 1;
    let copy = gone_on_behind(&bytes);
    let after = Fixture::open(&copy);
    assert_eq!(after.history(), "[a#1]");
    assert_eq!(missed(&after.resume(&one, &epoch, 1)), Err(ResumeRefusal::EpochChanged));
}

#[test]
fn room_that_was_made_for_more_is_no_damage() {
    let (one, epoch, bytes) = two_kept();
    assert!(bytes.ends_with(&[0; 4096]), "there is room");
    let copy = gone_on_behind(&bytes);
    let after = Fixture::open(&copy);
    assert_eq!(after.history(), "[a#1 b#2]");
    assert_eq!(missed(&after.resume(&one, &epoch, 1)), Ok(1));
    assert_eq!(files(&copy).len(), 1, "nothing is kept for somebody to look into");
}

/// Who is a member, in which epoch, and a file in which two of its messages are.
fn two_kept() -> (Actor, Arc<str>, Vec<u8>) {
    let directory = Directory::new();
    let engine = Fixture::open(&directory);
    let one = actor(A, 1);
    let epoch = engine.resume(&one, "none", 0).position.epoch;
    engine.publish_named(&one, "a");
    engine.publish_named(&one, "b");
    let _ = engine.told(A);
    let bytes = fs::read(files(&directory).pop().expect("a file")).expect("it can be read");
    (one, epoch, bytes)
}

/// What a process left behind that had gone on in another file when it ended.
fn gone_on_behind(bytes: &[u8]) -> Directory {
    let directory = Directory::new();
    fs::write(directory.path().join("0000000001.journal"), bytes).expect("it is written");
    fs::write(directory.path().join("0000000002.journal"), b"xano-rt1").expect("it is written");
    directory
}

#[test]
fn a_file_of_which_only_the_length_got_to_the_disk_is_torn_and_not_foreign() {
    let directory = Directory::new();
    fs::write(directory.path().join("0000000001.journal"), [0; 4096]).expect("it is written");
    assert_eq!(Fixture::open(&directory).history(), "[]");
}
