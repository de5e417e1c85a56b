//! What channels keep, on the disk: a file that is only appended to, read again at the start.
//!
//! Whatever changes a channel that keeps a history appends a record, in the channel's order. A
//! thread of its own writes what has come together and, if somebody waits for it, syncs it: many
//! publications share one trip to the disk. When the files have grown to a multiple of what they
//! say, everything is written anew into another file and the old ones are deleted.

mod queue;
mod record;
mod segment;

use std::collections::HashMap;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hub::Ledger;
use protocol::{ChannelName, ErrorCode};

pub(crate) use self::queue::Waiter;
use self::queue::{Queue, REST, Rest, Shared};
use self::record::Record;
pub(crate) use self::record::{write_channel, write_forgotten, write_publication};
use self::segment::{Segment, Segments};

/// The way to the disk.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Who knows what the channels are now.
pub(crate) trait Source: Send + Sync {
    /// The channels that are to be kept.
    fn channels(&self) -> Vec<ChannelName>;

    /// Appends all of a channel to the journal.
    fn append_channel(&self, name: &ChannelName);
}

/// The journal of the last process, read.
pub(crate) struct Recovered<S> {
    /// The channels as they were, without members, each at the beginning of an epoch.
    pub(crate) channels: HashMap<ChannelName, Ledger<S>>,
    segments: Segments,
    files: Vec<u64>,
    damaged: Vec<u64>,
}

/// The thread's side.
struct Writer {
    shared: Arc<Shared>,
    segments: Segments,
    segment: Segment,
    source: Weak<dyn Source>,
    /// Files whose content is also in newer ones, once all of it is.
    old: Vec<u64>,
    /// Those of them that are kept for somebody to look into.
    damaged: Vec<u64>,
    /// Whether the newest file could not be written whole: nobody relies on anything in it.
    is_void: bool,
    /// The size of the newest file when it had just been written anew.
    fresh_bytes: u64,
    waiters: Vec<Waiter>,
    written: Vec<u8>,
    unsynced_since: Option<Instant>,
}

impl<S> Recovered<S> {
    /// Reads the journal in the directory `path`, which is created if it is not there.
    pub(crate) fn read(path: &Path, new_epoch: impl Fn() -> Arc<str>) -> io::Result<Self> {
        let segments = Segments::open(path)?;
        let files = segments.numbers()?;
        let mut channels = HashMap::new();
        let mut damaged = Vec::new();
        let bytes = segments.size(&files)?;
        if bytes > LARGE {
            tracing::info!(bytes, "reading the journal; a gigabyte takes some seconds");
        }
        for &file in &files {
            let lost = segments.read(file, |record| replay(&mut channels, record))?;
            if lost == 0 {
                continue;
            }
            if files.last() == Some(&file) {
                // Another start, after one in vain, finds it in front of others.
                segments.cut(file, lost)?;
                tracing::warn!(
                    bytes = lost,
                    "the journal's end was torn off by a crash and was cut; nothing in it had been acknowledged"
                );
            } else {
                tracing::error!(
                    file,
                    bytes = lost,
                    "a file of the journal is damaged; what follows in it is lost, and it is kept as .damaged"
                );
                damaged.push(file);
            }
        }
        // Readers may have gone beyond what there is.
        let interrupted = !damaged.is_empty() || segments.was_interrupted()?;
        for ledger in channels.values_mut() {
            ledger.begin_epoch(new_epoch());
            if interrupted {
                ledger.forget_past_epochs();
            }
        }
        Ok(Self { channels, segments, files, damaged })
    }
}

/// Notes in the directory `path`, if there is a journal, that the server runs without it.
pub(crate) fn note_interruption(path: &Path) -> io::Result<()> {
    match path.try_exists()? {
        true => Segments::open(path)?.note_interruption(),
        false => Ok(()),
    }
}

fn replay<S>(channels: &mut HashMap<ChannelName, Ledger<S>>, record: Record) {
    match record {
        Record::Channel { name, state } => {
            channels.insert(name, Ledger::restore(state));
        }
        Record::Publication { name, publication, remembered, history } => {
            let follows = channels
                .get_mut(&name)
                .is_some_and(|ledger| ledger.replay(publication, remembered, history));
            if !follows {
                // Something is missing in front of it: rather no history than one with a hole.
                channels.remove(&name);
            }
        }
        Record::Forgotten { name } => {
            channels.remove(&name);
        }
    }
}

impl Journal {
    /// Goes on with a journal that was read, whose channels `source` has by now. Blocks until all
    /// of it is written anew: from then on it is as short as it can be, and its epochs are new.
    pub(crate) fn start<S>(
        recovered: Recovered<S>,
        source: Weak<dyn Source>,
    ) -> io::Result<(Self, Beginning)> {
        let Recovered { segments, files: old, damaged, .. } = recovered;
        let segment = segments.create(old.last().map_or(1, |newest| newest + 1))?;
        let shared = Arc::new(Shared::default());
        let mut writer = Writer {
            shared: Arc::clone(&shared),
            segments,
            segment,
            source,
            old,
            damaged,
            is_void: false,
            fresh_bytes: 0,
            waiters: Vec::new(),
            written: Vec::new(),
            unsynced_since: None,
        };
        let (begin, may_begin) = mpsc::channel();
        let (tell, result) = mpsc::channel();
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            // Whoever starts the journal has to put it where the source finds it first.
            if may_begin.recv().is_err() {
                return;
            }
            let begun = writer.write_all().and_then(|()| writer.segments.forget_interruption());
            let failed = begun.is_err();
            tell.send(begun).ok();
            if !failed {
                writer.run();
            }
        })?;
        let journal = Self { shared, thread: Mutex::new(Some(thread)) };
        Ok((journal, Beginning { begin, result }))
    }

    /// Whether what is to be kept can be taken now, and if not, what its sender is told.
    pub(crate) fn has_room(&self) -> Result<(), ErrorCode> {
        self.shared.has_room()
    }

    /// Appends what `write` writes. To be called in the order of the channel it is about.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.shared.fill(|queue| write(&mut queue.records));
    }

    /// Calls `waiter` when all that was appended before is on the disk.
    pub(crate) fn when_safe(&self, waiter: Waiter) {
        self.shared.fill(|queue| queue.waiters.push(waiter));
    }

    /// Writes what is left, and ends.
    pub(crate) fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal ended in a panic");
        }
    }
}

/// A journal that has not begun to write.
pub(crate) struct Beginning {
    begin: Sender<()>,
    result: Receiver<io::Result<()>>,
}

impl Beginning {
    /// Writes everything anew; the journal's source must know the journal by now.
    pub(crate) fn begin(self) -> io::Result<()> {
        self.begin.send(()).ok();
        self.result.recv().unwrap_or_else(|_| Err(io::Error::other("the journal ended at once")))
    }
}

impl Writer {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut rest = Rest::until(Instant::now());
        loop {
            let deadline = self.unsynced_since.map(|since| since + MAX_UNSYNCED);
            let queue = shared.wait(rest, deadline);
            let (begun, served) = (Instant::now(), queue.waiters.len());
            if queue.is_empty() && queue.closed {
                drop(queue);
                return self.finish();
            }
            let result = self.write(queue).and_then(|()| self.sync_if_due());
            let result = result.and_then(|()| match self.segment.bytes > self.limit() {
                true => self.write_anew(),
                false => Ok(()),
            });
            if let Err(error) = result
                && !self.recover(&error)
            {
                return;
            }
            rest = Rest::after((begun, Instant::now()), served, shared.is_awaited());
        }
    }

    /// How large the newest file may become.
    fn limit(&self) -> u64 {
        (self.fresh_bytes * MAX_GROWTH).max(MIN_REWRITE)
    }

    /// Writes what is queued.
    fn write(&mut self, mut queue: MutexGuard<'_, Queue>) -> io::Result<()> {
        mem::swap(&mut self.written, &mut queue.records);
        self.waiters.append(&mut queue.waiters);
        drop(queue);
        if !self.written.is_empty() {
            self.unsynced_since.get_or_insert_with(Instant::now);
            self.segment.write(&self.written)?;
            if !self.waiters.is_empty() {
                self.segment.make_room()?;
            }
            self.written.clear();
            self.written.shrink_to(MAX_SPARE_BYTES);
        }
        Ok(())
    }

    fn sync_if_due(&mut self) -> io::Result<()> {
        let is_due = |since: Instant| since.elapsed() >= MAX_UNSYNCED;
        if !self.waiters.is_empty() || self.unsynced_since.is_some_and(is_due) {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.unsynced_since.is_some() {
            self.segment.sync()?;
            self.unsynced_since = None;
        }
        for waiter in self.waiters.drain(..) {
            waiter();
        }
        Ok(())
    }

    /// Goes on in another file, that begins with all there is.
    fn write_anew(&mut self) -> io::Result<()> {
        self.sync()?;
        self.begin_segment()?;
        self.write_all()
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if self.is_void {
            self.segment = self.segments.create(self.segment.number)?;
            self.is_void = false;
        } else {
            let next = self.segments.create(self.segment.number + 1)?;
            self.old.push(mem::replace(&mut self.segment, next).number);
        }
        self.unsynced_since = None;
        // What could not be written comes from memory.
        self.written.clear();
        Ok(())
    }

    /// Writes every channel into the newest file, among what is appended meanwhile; then no other
    /// file is needed.
    fn write_all(&mut self) -> io::Result<()> {
        let result = self.write_channels();
        if result.is_err() {
            // What the disk has taken of it would stay in the way of the next try.
            self.is_void = self.segment.empty().is_ok();
        }
        result
    }

    fn write_channels(&mut self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(source) = self.source.upgrade() else { return Ok(()) };
        for name in source.channels() {
            source.append_channel(&name);
            let queue = shared.queue();
            if queue.records.len() > MAX_SPARE_BYTES {
                self.write(queue)?;
            }
        }
        self.write(shared.queue())?;
        self.unsynced_since.get_or_insert_with(Instant::now);
        self.sync()?;
        self.fresh_bytes = self.segment.bytes;
        for number in mem::take(&mut self.old) {
            let result = match self.damaged.contains(&number) {
                true => self.segments.set_aside(number),
                false => self.segments.delete(number),
            };
            if let Err(error) = result {
                tracing::warn!(%error, number, "a file of the journal that is not needed any more could not be put away");
            }
        }
        Ok(())
    }

    /// The disk refused something. What memory has is written anew until the disk takes it; until
    /// then nothing new is taken that would have to be kept. Whether to go on.
    fn recover(&mut self, error: &io::Error) -> bool {
        self.shared.set_failed(true);
        tracing::error!(%error, "the journal cannot be written: messages for channels with a history are refused until it can");
        loop {
            let mut queue = self.shared.queue();
            // All of it comes from memory.
            queue.records.clear();
            self.waiters.append(&mut queue.waiters);
            let closed = queue.closed;
            drop(queue);
            match self.begin_segment().and_then(|()| self.write_all()) {
                Ok(()) => {
                    self.shared.set_failed(false);
                    tracing::info!("the journal is written again");
                    return true;
                }
                Err(error) if closed => {
                    tracing::error!(%error, "the journal could not be written at the end: the newest messages are lost");
                    return false;
                }
                Err(error) => tracing::debug!(%error, "the journal still cannot be written"),
            }
            self.shared.pause();
        }
    }

    fn finish(mut self) {
        if let Err(error) = self.sync()
            && self.recover(&error)
        {
            tracing::info!("all that was to be kept is on the disk");
        }
    }
}

/// What may take so long to read that somebody wonders, in bytes.
const LARGE: u64 = 256 << 20;
/// How long what nobody waits for may be unsynced once it is written. With [`REST`], which may come
/// before, it is a second: what a power failure may cost.
const MAX_UNSYNCED: Duration = Duration::from_secs(1).saturating_sub(REST);
/// A file is written anew when it is this many times as large as it was when it was fresh …
const MAX_GROWTH: u64 = 4;
/// … and has this many bytes.
const MIN_REWRITE: u64 = 64 << 20;
/// How much memory is kept for the next records.
const MAX_SPARE_BYTES: usize = 1 << 20;
