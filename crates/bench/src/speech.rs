//! What clients say: this project's protocol, or a bare payload.

use anyhow::{Result, bail};

use crate::subject::Running;
use crate::wire::{Number, payload};

/// What a join asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wants {
    pub(crate) history: bool,
    /// To hear of who comes and goes.
    pub(crate) presence: bool,
}

/// The join of a channel, where the server knows of joins.
pub(crate) fn join(server: &Running, channel: usize, wants: Wants) -> Option<String> {
    server.role.is_xano().then(|| join_as(&name(channel), wants))
}

pub(crate) fn join_as(channel: &str, Wants { history, presence }: Wants) -> String {
    format!(
        r#"{{"action":"join","options":{{"channel":"{channel}"}},"payload":{{"history":{history},"presence":{presence}}}}}"#
    )
}

/// The join of a client that has read so far.
pub(crate) fn resume(channel: usize, epoch: &str, seq: u64) -> String {
    format!(
        r#"{{"action":"join","options":{{"channel":"{}"}},"payload":{{"history":false,"presence":false,"resume":{{"epoch":"{epoch}","seq":{seq}}}}}}}"#,
        name(channel)
    )
}

pub(crate) fn leave(channel: usize) -> String {
    format!(r#"{{"action":"leave","options":{{"channel":"{}"}},"payload":null}}"#, name(channel))
}

/// A message of so many bytes, for everybody in a channel. Peers send what has the size of this server's
/// frame, with the channel, the sender, the id, the time and the number in it: whoever sends the payload
/// alone leaves it to the application to say all that, and the kernel's price depends on the size.
pub(crate) fn message(server: &Running, channel: usize, number: Number, bytes: usize) -> String {
    match server.role.is_xano() {
        true => envelope(&name(channel), "", &payload(number, bytes)),
        false => payload(number, bytes + ENVELOPE),
    }
}

/// The same, to be acknowledged by servers that do so.
pub(crate) fn acked(server: &Running, channel: usize, number: Number, bytes: usize) -> String {
    let id = format!(r#","id":"bench-{channel}-{}""#, number.count);
    match server.role.is_xano() {
        true => envelope(&name(channel), &id, &payload(number, bytes)),
        false => payload(number, bytes + ENVELOPE),
    }
}

/// Sees that [`ENVELOPE`] is right.
pub(crate) fn check_size(frame: usize, bytes: usize) -> Result<()> {
    if frame.abs_diff(bytes + ENVELOPE) > 8 {
        bail!(
            "a frame has {frame} bytes around a payload of {bytes}, and peers' are made for {ENVELOPE}: \
             ENVELOPE in crates/bench is to follow"
        );
    }
    Ok(())
}

pub(crate) fn envelope(channel: &str, id: &str, payload: &str) -> String {
    format!(r#"{{"action":"message","options":{{"channel":"{channel}"{id}}},"payload":{payload}}}"#)
}

/// A channel below the pattern that every server of this project gets.
fn name(channel: usize) -> String {
    format!("bench/{channel}")
}

/// What this server's frames have besides the payload, give or take the digits of a number.
const ENVELOPE: usize = 253;
