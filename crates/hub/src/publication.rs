//! A payload on its way through a channel: drafted by the hub, numbered by the engine.

use data_encoding::BASE64URL_NOPAD;
use protocol::{ChannelName, EventPayload, RawPayload};

use crate::encode;

/// A publication's id: unique, and nothing can be read from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicationId([u8; 16]);

/// A message that was allowed, before the engine has given it its place in the channel.
#[derive(Debug)]
pub struct Draft {
    pub(crate) id: PublicationId,
    /// When it came, in milliseconds since 1970.
    pub ts: u64,
    /// The frame up to and with its payload, without the closing brace.
    pub(crate) head: Vec<u8>,
}

/// A publication with its place in the channel.
///
/// The channel counts twice: what everyone may see, and what authenticated members may see. A
/// member gets the number of its own count as `seq`, so a gap in it always means a loss.
#[derive(Debug)]
pub struct Publication {
    id: PublicationId,
    ts: u64,
    /// The frame up to `"seq":`.
    head: Box<[u8]>,
    seq_for_everyone: Option<u64>,
    seq_for_authenticated: u64,
}

/// What the sender of a message hears of it when it has its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The publication's id.
    pub id: PublicationId,
    /// Its number as the sender counts; private messages have none.
    pub seq: Option<u64>,
    /// Its time, in milliseconds since 1970.
    pub ts: u64,
}

impl PublicationId {
    /// The id as the wire has it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64url is ASCII")
    }

    /// Reads an id as the wire has it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: [u8; 16] = text.try_into().ok()?;
        text.is_ascii().then_some(Self(text))
    }

    /// An id from random bytes.
    pub fn from_random(bytes: [u8; 12]) -> Self {
        let mut text = [0; 16];
        BASE64URL_NOPAD.encode_mut(&bytes, &mut text);
        Self(text)
    }
}

impl Draft {
    /// A draft of the frame that begins with `head`, which holds all but the publication's own
    /// fields and the closing brace. `ts` is when it came, in milliseconds since 1970.
    pub const fn new(id: PublicationId, ts: u64, head: Vec<u8>) -> Self {
        Self { id, ts, head }
    }

    /// An event for a channel's members.
    pub fn event(
        channel: &ChannelName,
        payload: &EventPayload<&RawPayload>,
        id: PublicationId,
        ts: u64,
    ) -> Self {
        Self::new(id, ts, encode::event_head(channel, payload))
    }

    /// The place this draft takes in memory and in a history, in bytes.
    pub fn size(&self) -> usize {
        self.head.len() + FIELDS_SIZE
    }

    /// What the sender of a message that belongs to no sequence is told.
    pub const fn private_receipt(&self) -> Receipt {
        Receipt { id: self.id, seq: None, ts: self.ts }
    }

    /// The whole frame of a message that belongs to no sequence.
    pub fn into_private_frame(self) -> Vec<u8> {
        let Self { id, ts, mut head, .. } = self;
        write_fields(&mut head, id, ts);
        head.push(b'}');
        head
    }
}

impl Publication {
    /// Gives `draft` its place: the numbers it has in the channel's two counts.
    pub fn new(
        draft: Draft,
        ts: u64,
        seq_for_everyone: Option<u64>,
        seq_for_authenticated: u64,
    ) -> Self {
        let Draft { id, mut head, .. } = draft;
        write_fields(&mut head, id, ts);
        head.extend_from_slice(b",\"seq\":");
        Self { id, ts, head: head.into_boxed_slice(), seq_for_everyone, seq_for_authenticated }
    }

    /// The publication whose parts these are: its [`id`](Self::id), [`ts`](Self::ts),
    /// [`head`](Self::head) and numbers.
    pub const fn restore(
        id: PublicationId,
        ts: u64,
        head: Box<[u8]>,
        seq_for_everyone: Option<u64>,
        seq_for_authenticated: u64,
    ) -> Self {
        Self { id, ts, head, seq_for_everyone, seq_for_authenticated }
    }

    /// Its id.
    pub const fn id(&self) -> PublicationId {
        self.id
    }

    /// Its time, in milliseconds since 1970.
    pub const fn ts(&self) -> u64 {
        self.ts
    }

    /// Its frame up to the number.
    pub const fn head(&self) -> &[u8] {
        &self.head
    }

    /// Appends the frame as a member with or without identity gets it; whether it gets it at all.
    pub fn write(&self, authenticated: bool, out: &mut Vec<u8>) -> bool {
        let Some(seq) = self.seq(authenticated) else { return false };
        out.extend_from_slice(&self.head);
        write_number(out, seq);
        out.push(b'}');
        true
    }

    /// Its number as a reader with or without identity counts; `None` for one who may not see it.
    pub const fn seq(&self, authenticated: bool) -> Option<u64> {
        if authenticated { Some(self.seq_for_authenticated) } else { self.seq_for_everyone }
    }

    /// The place it has got, as its sender is told.
    pub const fn receipt(&self, authenticated: bool) -> Receipt {
        Receipt { id: self.id, seq: self.seq(authenticated), ts: self.ts }
    }

    /// Whether a reader with or without identity may see it.
    pub const fn is_visible(&self, authenticated: bool) -> bool {
        authenticated || self.seq_for_everyone.is_some()
    }

    /// The place it takes in memory, in bytes.
    pub const fn size(&self) -> usize {
        self.head.len() + size_of::<Self>()
    }
}

fn write_fields(out: &mut Vec<u8>, id: PublicationId, ts: u64) {
    out.reserve(FIELDS_SIZE);
    out.extend_from_slice(b",\"id\":\"");
    out.extend_from_slice(&id.0);
    out.extend_from_slice(b"\",\"ts\":");
    write_number(out, ts);
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    serde_json::to_writer(out, &number).expect("writing into memory cannot fail");
}

/// Room for `,"id":"…","ts":…,"seq":…}`.
pub(crate) const FIELDS_SIZE: usize = 80;
