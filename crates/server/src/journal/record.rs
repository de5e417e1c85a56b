//! What a channel went through, as bytes: each record has its length, its checksum and its body.

use std::sync::Arc;

use hub::{LedgerState, Numbers, PastEpoch, Publication, PublicationId, Receipt, Remembered};
use protocol::{ChannelName, RequestId};

/// One change of one channel.
#[derive(Debug)]
pub(crate) enum Record {
    /// All of a channel: takes the place of whatever was known of it.
    Channel { name: ChannelName, state: LedgerState },
    /// The next publication of a channel.
    Publication {
        name: ChannelName,
        publication: Arc<Publication>,
        /// What its sender was told, if it was named.
        remembered: Option<Remembered>,
        /// How many publications the channel keeps.
        history: u32,
    },
    /// Nothing of the channel is kept any more.
    Forgotten { name: ChannelName },
}

pub(crate) fn write_channel(out: &mut Vec<u8>, name: &ChannelName, state: &LedgerState) {
    write(out, CHANNEL, name, |body| {
        body.text(&state.epoch);
        body.u32(state.past_epochs.len() as u32);
        for past in &state.past_epochs {
            body.text(&past.epoch);
            body.numbers(past.end);
        }
        body.numbers(state.numbers);
        body.u64(state.ts);
        body.u32(state.history.len() as u32);
        for publication in &state.history {
            body.publication(publication);
        }
        body.u32(state.remembered.len() as u32);
        for remembered in &state.remembered {
            body.remembered(remembered);
        }
    });
}

pub(crate) fn write_publication(
    out: &mut Vec<u8>,
    name: &ChannelName,
    publication: &Publication,
    remembered: Option<&Remembered>,
    history: u32,
) {
    write(out, PUBLICATION, name, |body| {
        body.u32(history);
        body.publication(publication);
        body.u32(remembered.is_some().into());
        if let Some(remembered) = remembered {
            body.remembered(remembered);
        }
    });
}

pub(crate) fn write_forgotten(out: &mut Vec<u8>, name: &ChannelName) {
    write(out, FORGOTTEN, name, |_| {});
}

/// Reads the body behind a [`Head`]; `None` if it is none of ours.
pub(super) fn read(body: &[u8]) -> Option<Record> {
    let mut body = Reader(body);
    let kind = body.u32()?;
    let name = ChannelName::parse(body.text()?).ok()?;
    let record = match kind {
        CHANNEL => Record::Channel { name, state: body.state()? },
        PUBLICATION => {
            let history = body.u32()?;
            let publication = body.publication()?;
            let remembered = body.option(Reader::remembered)?;
            Record::Publication { name, publication, remembered, history }
        }
        FORGOTTEN => Record::Forgotten { name },
        _ => return None,
    };
    body.0.is_empty().then_some(record)
}

/// What is in front of a record's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) length: u32,
    checksum: u32,
}

impl Head {
    pub(super) const SIZE: usize = 8;

    pub(super) fn read(bytes: [u8; Self::SIZE]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            length: u32::from_le_bytes([a, b, c, d]),
            checksum: u32::from_le_bytes([e, f, g, h]),
        }
    }

    /// Whether `body` is what was written behind this head.
    pub(super) fn fits(self, body: &[u8]) -> bool {
        self.checksum == checksum(self.length, body)
    }

    fn write(self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.length.to_le_bytes());
        out[4..].copy_from_slice(&self.checksum.to_le_bytes());
    }
}

/// The length is part of what is checked: zeros, which is what a torn file may hold, are no record.
fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

fn write(out: &mut Vec<u8>, kind: u32, name: &ChannelName, fill: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[0; Head::SIZE]);
    let mut body = Writer(out);
    body.u32(kind);
    body.text(name);
    fill(&mut body);
    let (head, body) = out[start..].split_at_mut(Head::SIZE);
    let length = body.len() as u32;
    Head { length, checksum: checksum(length, body) }.write(head);
}

/// The body of a record that is being written. Numbers are little-endian.
struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: Option<u64>) {
        self.u32(number.is_some().into());
        if let Some(number) = number {
            self.u64(number);
        }
    }

    fn numbers(&mut self, numbers: Numbers) {
        self.u64(numbers.for_everyone);
        self.u64(numbers.for_authenticated);
    }

    fn publication(&mut self, publication: &Publication) {
        self.text(publication.id().as_str());
        self.u64(publication.ts());
        self.bytes(publication.head());
        self.number(publication.seq(false));
        self.number(publication.seq(true));
    }

    fn remembered(&mut self, remembered: &Remembered) {
        let Remembered { request, receipt, since } = remembered;
        self.text(request.as_str());
        self.text(receipt.id.as_str());
        self.number(receipt.seq);
        self.u64(receipt.ts);
        self.u64(*since);
    }
}

/// The rest of a record's body. Reads `None` where what is asked for is not there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// `Some(None)` is what was written for `None`.
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.u32()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.u32()?).map(|_| read(self)).collect()
    }

    fn numbers(&mut self) -> Option<Numbers> {
        Some(Numbers { for_everyone: self.u64()?, for_authenticated: self.u64()? })
    }

    fn past_epoch(&mut self) -> Option<PastEpoch> {
        Some(PastEpoch { epoch: self.text()?.into(), end: self.numbers()? })
    }

    fn publication(&mut self) -> Option<Arc<Publication>> {
        let id = PublicationId::parse(self.bytes()?)?;
        let ts = self.u64()?;
        let head = self.bytes()?.into();
        let for_everyone = self.option(Self::u64)?;
        let for_authenticated = self.option(Self::u64)??;
        Some(Arc::new(Publication::restore(id, ts, head, for_everyone, for_authenticated)))
    }

    fn remembered(&mut self) -> Option<Remembered> {
        let request = RequestId::restore(self.text()?)?;
        let id = PublicationId::parse(self.bytes()?)?;
        let receipt = Receipt { id, seq: self.option(Self::u64)?, ts: self.u64()? };
        Some(Remembered { request, receipt, since: self.u64()? })
    }

    fn state(&mut self) -> Option<LedgerState> {
        Some(LedgerState {
            epoch: self.text()?.into(),
            past_epochs: self.list(Self::past_epoch)?,
            numbers: self.numbers()?,
            ts: self.u64()?,
            history: self.list(Self::publication)?,
            remembered: self.list(Self::remembered)?,
        })
    }
}

const CHANNEL: u32 = 1;
const PUBLICATION: u32 = 2;
const FORGOTTEN: u32 = 3;
