//! What is counted: each part at two sizes of what could make it slower, where there is such a thing.

use std::hint::black_box;
use std::sync::Arc;

use hub::{
    ChannelSettings, Draft, EngineEvent, Ledger, Operation, Output, Publication, PublicationId,
    Publishing, Remembered, SessionKey, Settings, permit,
};
use protocol::{ClientMessage, Recipients, RequestId};

use crate::server::log::Log;
use crate::server::record;
use crate::transport::frame::Decoder;
use crate::world::{CHANNEL, HASH, NOW, World, channel, join, row};

/// One thing the server does, over and over.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    /// What the size is the number of.
    pub(crate) of: &'static str,
    /// Makes all that is needed for so many rounds, which is not counted, and the round.
    pub(crate) prepare: fn(size: usize, rounds: usize) -> Round,
}

type Round = Box<dyn FnMut()>;

const fn part(
    name: &'static str,
    (size, of): (usize, &'static str),
    prepare: fn(usize, usize) -> Round,
) -> Part {
    Part { name, size, of, prepare }
}

pub(crate) const PARTS: &[Part] = &[
    part("frame", (128, BYTES), frame),
    part("frame", (4_096, BYTES), frame),
    part("decode-message", (128, BYTES), decode_message),
    part("decode-message", (4_096, BYTES), decode_message),
    part("decode-named-message", (128, BYTES), decode_named_message),
    part("decode-join", (1, "frame"), decode_join),
    part("permission", (1, "message"), permission),
    part("settings-exact", (10, "rows"), settings_exact),
    part("settings-exact", (10_000, "rows"), settings_exact),
    part("settings-nested", (10, "rows"), settings_nested),
    part("settings-nested", (100, "rows"), settings_nested),
    part("hub-message", (10, MEMBERS), hub_message),
    part("hub-message", (1_000, MEMBERS), hub_message),
    part("hub-message-of-one-in-many", (1_000, "channels"), hub_message_of_one_in_many),
    part("hub-published", (10, MEMBERS), hub_published),
    part("hub-published", (1_000, MEMBERS), hub_published),
    part("append", (25, KEPT), append),
    part("append", (1_000, KEPT), append),
    part("append-named", (25, REMEMBERED), append_named),
    part("append-named", (1_000, REMEMBERED), append_named),
    part("ack", (25, REMEMBERED), ack),
    part("ack", (1_000, REMEMBERED), ack),
    part("encode", (128, BYTES), encode),
    part("encode", (4_096, BYTES), encode),
    part("journal-record", (128, BYTES), journal_record),
    part("journal-record", (4_096, BYTES), journal_record),
    part("four-logs", (128, BYTES), four_logs),
    part("four-logs", (4_096, BYTES), four_logs),
    part("advance", (1, "frame"), advance),
    part("advance", (16, "frames"), advance),
    part("message", (10, MEMBERS), message),
    part("message", (1_000, MEMBERS), message),
    part("join", (100, MEMBERS), join_without_presence),
    part("join", (1_000, MEMBERS), join_without_presence),
    part("join-with-presence", (100, MEMBERS), join_with_presence),
    part("join-with-presence", (1_000, MEMBERS), join_with_presence),
    part("leave", (100, MEMBERS), leave),
    part("leave", (1_000, MEMBERS), leave),
    part("history-of-100", (100, KEPT), history_of_100),
    part("history-of-100", (1_000, KEPT), history_of_100),
];

const BYTES: &str = "bytes";
const KEPT: &str = "kept";
const MEMBERS: &str = "members";
const REMEMBERED: &str = "remembered";

/// A frame as it comes from the socket: header and mask.
fn frame(size: usize, rounds: usize) -> Round {
    let text = message_text(size, "");
    let mut masked = vec![0x81, 0x80 | 126];
    masked.extend_from_slice(&(text.len() as u16).to_be_bytes());
    let mask = [7, 77, 177, 217];
    masked.extend_from_slice(&mask);
    masked.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    let mut frames = vec![masked; rounds].into_iter();
    let mut decoder = Decoder::default();
    Box::new(move || {
        let mut bytes = frames.next().expect("one for each round");
        let read = decoder.decode(&mut bytes, 1 << 20, |frame| {
            black_box(frame);
            true
        });
        read.expect("the frame is right");
    })
}

fn decode_message(size: usize, _rounds: usize) -> Round {
    decode(message_text(size, ""))
}

fn decode_named_message(size: usize, _rounds: usize) -> Round {
    decode(message_text(size, r#","id":"V1StGXR8_Z5jdHi6B-myT""#))
}

fn decode_join(_size: usize, _rounds: usize) -> Round {
    decode(join(CHANNEL, true))
}

fn decode(text: String) -> Round {
    Box::new(move || drop(black_box(ClientMessage::decode(black_box(&text)))))
}

fn permission(_size: usize, _rounds: usize) -> Round {
    let row = row(1, CHANNEL, 100);
    Box::new(move || {
        let operation = Operation::Send(&Recipients::Everyone);
        black_box(permit(black_box(&row), true, black_box(operation))).ok();
    })
}

/// The row of a channel that has one of its own.
fn settings_exact(size: usize, _rounds: usize) -> Round {
    let mut rows = rows(size);
    rows.push(row(0, CHANNEL, 100));
    look_up(rows)
}

/// The row of a channel that is below another, with trees beside it that it is not in.
fn settings_nested(size: usize, _rounds: usize) -> Round {
    let mut rows: Vec<_> = rows(size - 1);
    for row in &mut rows {
        row.pattern.push_str("/*");
        row.wildcard = true;
    }
    rows.push(row(0, "room/*", 100));
    look_up(rows)
}

fn look_up(rows: Vec<ChannelSettings>) -> Round {
    let settings = Settings::new(HASH.to_owned(), rows);
    assert!(settings.channel(CHANNEL).is_some(), "the channel has a row");
    Box::new(move || {
        black_box(settings.channel(black_box(CHANNEL)));
    })
}

fn rows(count: usize) -> Vec<ChannelSettings> {
    (1..=count as u64).map(|id| row(id, &format!("room-{id}"), 100)).collect()
}

/// From a frame's text to the command for the engine.
fn hub_message(size: usize, _rounds: usize) -> Round {
    let mut world = World::new(100);
    let sender = world.member();
    world.members(size - 1);
    to_command(world, sender)
}

fn hub_message_of_one_in_many(size: usize, _rounds: usize) -> Round {
    let mut world = World::new(100);
    let sender = world.member();
    (1..size).for_each(|n| world.text(sender, &join(&format!("room/{n}"), false)));
    to_command(world, sender)
}

fn to_command(mut world: World, sender: SessionKey) -> Round {
    let text = message_text(128, "");
    Box::new(move || {
        world.hub.handle_text(sender, black_box(&text), NOW);
        let command = world.hub.poll_output();
        assert!(matches!(command, Some(Output::Engine(_))), "the message is allowed");
        drop(black_box(command));
    })
}

/// From what the engine tells to what is to be written.
fn hub_published(size: usize, rounds: usize) -> Round {
    let mut world = World::new(100);
    world.members(size);
    let publication = publication(128);
    let event =
        || EngineEvent::Published { channel: channel(), publication: Arc::clone(&publication) };
    let mut events: Vec<_> = (0..rounds).map(|_| event()).collect();
    Box::new(move || {
        world.hub.handle_engine(events.pop().expect("one for each round"));
        drop(black_box(world.hub.poll_output()));
    })
}

/// A message gets its number and its place in a history that is full.
fn append(size: usize, rounds: usize) -> Round {
    let mut ledger: Ledger<()> = Ledger::new("epoch-7".into());
    let history = size as u32;
    (0..size).for_each(|_| drop(ledger.publish(publishing(None, history))));
    let all = (0..rounds).map(|_| publishing(None, history));
    let mut all = all.collect::<Vec<_>>().into_iter();
    Box::new(move || {
        let publishing = all.next().expect("one for each round");
        ledger.admit(publishing.messages_per_minute, publishing.draft.ts).expect("no limit");
        drop(black_box(ledger.publish(publishing)));
    })
}

/// The same for a message that its sender has named, among others.
fn append_named(size: usize, rounds: usize) -> Round {
    let mut ledger: Ledger<()> = Ledger::new("epoch-7".into());
    let named = |n: usize| publishing(Some(request(n)), 100);
    (0..size).for_each(|n| drop(ledger.publish(named(n))));
    let all = (size..size + rounds).map(named);
    let mut all = all.collect::<Vec<_>>().into_iter();
    Box::new(move || {
        let publishing = all.next().expect("one for each round");
        let known = ledger.receipt(publishing.request.as_ref(), publishing.draft.ts);
        assert!(known.is_none(), "the name is new");
        ledger.admit(publishing.messages_per_minute, publishing.draft.ts).expect("no limit");
        drop(black_box(ledger.publish(publishing)));
    })
}

/// What is sent once more gets the ack that it had.
fn ack(size: usize, _rounds: usize) -> Round {
    let mut world = World::new(100);
    let sender = world.member();
    let named = |n: usize| message_text(128, &format!(r#","id":"request-{n}""#));
    (0..size).for_each(|n| world.text(sender, &named(n)));
    let (text, position) = (named(size / 2), world.position());
    Box::new(move || {
        world.text(sender, black_box(&text));
        assert_eq!(world.position(), position, "nothing is published twice");
    })
}

fn encode(size: usize, _rounds: usize) -> Round {
    let publication = publication(size);
    let mut frame = Vec::new();
    Box::new(move || {
        frame.clear();
        black_box(&publication).write(true, &mut frame);
        black_box(&frame);
    })
}

fn journal_record(size: usize, _rounds: usize) -> Round {
    let (publication, name) = (publication(size), channel());
    let (receipt, since) = (publication.receipt(true), NOW.unix_ms);
    let remembered = Remembered { request: request(1), receipt, since };
    let mut records = Vec::new();
    Box::new(move || {
        records.clear();
        record::write_publication(&mut records, &name, &publication, Some(&remembered), 100);
        black_box(&records);
    })
}

/// A publication for members with and without identity, with and without presence.
fn four_logs(size: usize, _rounds: usize) -> Round {
    let mut world = World::new(100);
    world.member();
    let publication = publication(size);
    Box::new(move || {
        let publication = Arc::clone(&publication);
        world.tell(EngineEvent::Published { channel: channel(), publication });
    })
}

/// A reader has got so many frames.
fn advance(size: usize, _rounds: usize) -> Round {
    let (publication, mut log, mut text) = (publication(128), Log::default(), Vec::new());
    publication.write(true, &mut text);
    (0..size).for_each(|_| log.push_text(&text));
    let bytes = log.len();
    Box::new(move || {
        black_box(log.advance(0, black_box(bytes)));
    })
}

/// A named message from its frame to the logs, and its ack.
fn message(size: usize, rounds: usize) -> Round {
    let mut world = World::new(100);
    let sender = world.member();
    world.members(size - 1);
    let named = |n: usize| message_text(128, &format!(r#","id":"request-{n}""#));
    (0..1_000).for_each(|n| world.text(sender, &named(n)));
    let mut texts = (1_000..1_000 + rounds).map(named).collect::<Vec<_>>().into_iter();
    Box::new(move || world.text(sender, &texts.next().expect("one for each round")))
}

fn join_without_presence(size: usize, rounds: usize) -> Round {
    come(size, rounds, false)
}

fn join_with_presence(size: usize, rounds: usize) -> Round {
    come(size, rounds, true)
}

fn come(size: usize, rounds: usize, presence: bool) -> Round {
    let mut world = World::new(100);
    world.members(size);
    let mut comers = (0..rounds).map(|_| world.open()).collect::<Vec<_>>().into_iter();
    let text = join(CHANNEL, presence);
    Box::new(move || world.text(comers.next().expect("one for each round"), &text))
}

fn leave(size: usize, rounds: usize) -> Round {
    let mut world = World::new(100);
    let members: Vec<_> = (0..size + rounds).map(|_| world.member()).collect();
    let mut leavers = members.into_iter();
    let text =
        format!(r#"{{"action":"leave","options":{{"channel":"{CHANNEL}"}},"payload":null}}"#);
    Box::new(move || world.text(leavers.next().expect("one for each round"), &text))
}

/// A page of the newest 100 messages.
fn history_of_100(size: usize, _rounds: usize) -> Round {
    let mut world = World::new(size as u32);
    let reader = world.member();
    let message = message_text(128, "");
    (0..size).for_each(|_| world.text(reader, &message));
    let text = format!(
        r#"{{"action":"history","options":{{"channel":"{CHANNEL}"}},"payload":{{"limit":100}}}}"#
    );
    Box::new(move || world.text(reader, &text))
}

/// A message with a payload of `size` bytes; `more` continues its options.
fn message_text(size: usize, more: &str) -> String {
    let payload = payload(size);
    format!(
        r#"{{"action":"message","options":{{"channel":"{CHANNEL}"{more}}},"payload":{payload}}}"#
    )
}

/// Plain text, with what JSON escapes in it here and there, as `size` bytes of JSON.
fn payload(size: usize) -> String {
    let words =
        r#"It is \"not\" the end of the world, said Wanda, and closed the door behind her. "#;
    let around = r#"{"text":""}"#;
    let mut text: String = words.chars().cycle().take(size - around.len()).collect();
    if text.ends_with('\\') {
        text.replace_range(text.len() - 1.., "!");
    }
    format!(r#"{{"text":"{text}"}}"#)
}

fn request(n: usize) -> RequestId {
    RequestId::parse(&format!("request-{n}")).expect("the id is short")
}

fn draft(size: usize) -> Draft {
    let payload = payload(size);
    let head = format!(
        r#"{{"action":"message","options":{{"authenticated":false,"socketId":null,"channel":"{CHANNEL}"}},"client":{{"socketId":"BwcHBwcHBwcHBwcHBwcHBw","extras":{{"name":"Wanda Maximoff"}},"permissions":{{"dbo_id":1,"row_id":7}}}},"payload":{payload}"#
    );
    Draft::new(PublicationId::from_random([7; 12]), NOW.unix_ms, head.into_bytes())
}

fn publishing(request: Option<RequestId>, history: u32) -> Publishing {
    Publishing {
        draft: draft(128),
        request,
        authenticated: true,
        authenticated_only: false,
        history,
        messages_per_minute: 0,
    }
}

fn publication(size: usize) -> Arc<Publication> {
    Arc::new(Publication::new(draft(size), NOW.unix_ms, Some(70), 77))
}
