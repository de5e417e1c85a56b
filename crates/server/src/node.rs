//! One running server: its shards and what they share.

use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hub::{Hub, Limit, Limits, SessionId, Settings, Tally};
use mio::Poll;

use crate::door::Door;
use crate::engine::{Engine, MemoryEngine, PushAnswer, PushedEvent, ShardId};
use crate::fanout::{Ring, RingError};
use crate::ids::Ids;
use crate::inbox::{Event, Inbox};
use crate::metrics::{Metrics, Page};
use crate::outbound::Reach;
use crate::peer::PeerAddress;
use crate::places::{Place, Places};
use crate::shard::{Shard, ShardParts};
use crate::transport::Accepted;
use crate::trigger::Caller;

/// How a node serves.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Threads that connections are spread over.
    pub shards: usize,
    /// The largest message a client may send, in bytes; a larger one closes with 1009.
    pub max_frame: usize,
    /// The bytes that may wait for a slow reader; beyond, it is closed with 1013.
    pub max_lag: usize,
    /// Connections there may be at once; one more is answered with HTTP 503.
    pub max_connections: usize,
    /// Connections one address may have, if that is limited; one more is answered with HTTP 429.
    pub max_connections_per_address: Option<usize>,
    /// What all histories and remembered ids may take, in bytes; beyond, the oldest go.
    pub max_kept_bytes: usize,
    /// What the hub allows.
    pub limits: Limits,
    /// The directory for what channels keep, or none where that ends with the process.
    pub journal: Option<PathBuf>,
    /// Whether readers are written to through io_uring; where there is none the node does not start.
    pub io_uring: bool,
}

/// A node that runs. Dropping it does not stop it; [`drain`](Self::drain) does.
#[derive(Debug)]
pub struct Node {
    settings: RwLock<Arc<Settings>>,
    engine: Arc<dyn Engine>,
    reach: Reach,
    inboxes: Vec<Arc<Inbox>>,
    places: Arc<Places>,
    ids: Ids,
    tally: Arc<Tally>,
    metrics: Metrics,
    threads: Mutex<Vec<JoinHandle<()>>>,
    next: AtomicUsize,
    draining: AtomicBool,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A shard got no poll or no thread from the operating system.
    #[error("cannot start a shard")]
    Shard(#[source] io::Error),
    /// Readers cannot be written to as they shall be.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The journal cannot be read or written.
    #[error("cannot use the journal in {}", path.display())]
    Journal {
        /// Its directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no randomness.
    #[error("the operating system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
}

impl Default for NodeOptions {
    fn default() -> Self {
        let shards = thread::available_parallelism().map_or(1, usize::from);
        Self {
            shards,
            max_frame: 1 << 20,
            max_lag: 1 << 20,
            max_connections: 100_000,
            max_connections_per_address: None,
            max_kept_bytes: MemoryEngine::MAX_KEPT_BYTES,
            limits: Limits::default(),
            journal: None,
            io_uring: false,
        }
    }
}

impl Node {
    /// Starts the shards. Triggers fail, for there is nobody to ask them.
    pub fn start(settings: Arc<Settings>, options: &NodeOptions) -> Result<Self, NodeError> {
        Self::start_with(settings, options, None)
    }

    /// Starts the shards; `caller` asks their triggers.
    pub fn start_with(
        settings: Arc<Settings>,
        options: &NodeOptions,
        caller: Option<Arc<Caller>>,
    ) -> Result<Self, NodeError> {
        let polls = (0..options.shards.max(1))
            .map(|_| {
                let poll = Poll::new()?;
                let inbox = Inbox::new(poll.registry(), Shard::WAKE)?;
                Ok((poll, Arc::new(inbox)))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(NodeError::Shard)?;
        let inboxes: Vec<_> = polls.iter().map(|(_, inbox)| Arc::clone(inbox)).collect();
        let most_kept = options.max_kept_bytes;
        let engine: Arc<dyn Engine> = match &options.journal {
            None => Arc::new(MemoryEngine::with_most(inboxes.clone(), most_kept)),
            Some(path) => MemoryEngine::open(inboxes.clone(), path, most_kept)
                .map_err(|source| NodeError::Journal { path: path.clone(), source })?,
        };
        let metrics = Metrics::new(inboxes.len());
        let tally = Arc::new(Tally::default());
        let rings = polls.iter().map(|_| options.io_uring.then(Ring::new).transpose());
        let rings = rings.collect::<Result<Vec<_>, _>>()?;
        let mut threads = Vec::new();
        for (id, ((poll, _), ring)) in polls.into_iter().zip(rings).enumerate() {
            let seed = getrandom::u64().map_err(NodeError::Randomness)?;
            let shard = Shard::new(ShardParts {
                id: ShardId(id),
                poll,
                inboxes: inboxes.clone(),
                engine: Arc::clone(&engine),
                caller: caller.clone(),
                hub: Hub::new(Arc::clone(&settings), options.limits, Arc::clone(&tally), seed),
                max_lag: options.max_lag,
                max_frame: options.max_frame,
                ring,
                counts: Arc::clone(&metrics.shards[id]),
            });
            let thread = thread::Builder::new().name(format!("shard-{id}")).spawn(move || {
                if let Err(error) = shard.run() {
                    // Its connections cannot be served any more: better a restart than half a node.
                    tracing::error!(%error, shard.id = id, "a shard cannot go on");
                    std::process::abort();
                }
            });
            threads.push(thread.map_err(NodeError::Shard)?);
        }
        Ok(Self {
            settings: RwLock::new(settings),
            engine,
            reach: caller.map_or(Reach::Public, |caller| caller.reach()),
            inboxes,
            places: Places::new(options.max_connections, options.max_connections_per_address),
            ids: Ids::default(),
            tally,
            metrics,
            threads: Mutex::new(threads),
            next: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// What holds now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What triggers may call.
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// Lets new settings hold, for connected clients too. Blocks until they do on every shard, so that
    /// whoever asked for the change can rely on it.
    pub fn change_settings(&self, settings: Settings) {
        let settings = Arc::new(settings);
        // Under the lock, so that all shards get several changes in the same order.
        let mut current = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let (applying, applied) = mpsc::channel();
        for inbox in &self.inboxes {
            inbox.push(Event::Settings(Arc::clone(&settings), applying.clone()));
        }
        drop(applying);
        *current = settings;
        // Whoever serves others reads the settings: nobody is to wait for a busy shard but this caller.
        drop(current);
        if applied.recv_timeout(SETTINGS_TIMEOUT) == Err(RecvTimeoutError::Timeout)
            && !self.draining.load(Ordering::Relaxed)
        {
            tracing::warn!("a shard is busy: new settings will hold there later than was answered");
        }
    }

    /// Pushes an event to those members of a channel that it is for; `answer` hears how many of
    /// their connections are to this node.
    pub fn push(&self, event: PushedEvent, answer: PushAnswer) {
        self.engine.push(event, answer);
    }

    /// Takes a place for a connection from `peer`, or says which limit there is none for.
    pub fn place(&self, peer: PeerAddress) -> Result<Place, Limit> {
        self.places.take(peer)
    }

    /// An id for a new session.
    pub(crate) fn new_id(&self) -> Result<SessionId, getrandom::Error> {
        self.ids.take()
    }

    /// What is counted.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// All metrics, as Prometheus reads them.
    pub fn metrics_page(&self) -> String {
        let mut page = Page::default();
        page.gauge("xano_connections", "Realtime connections that are open.")
            .value(self.places.taken());
        page.gauge("xano_connections_limit", "How many there may be.").value(self.places.most());
        let (mut events, mut bytes) = (0, 0);
        for inbox in &self.inboxes {
            let load = inbox.load();
            events += load.0;
            bytes += load.1;
        }
        page.gauge("xano_queue_events", "Events on their way between threads.").value(events);
        page.gauge("xano_queue_bytes", "Bytes of publications among them.").value(bytes);
        page.gauge("xano_waiting_bytes", "Bytes of requests that wait for triggers.")
            .value(self.tally.waiting_bytes());
        let census = self.engine.census();
        page.gauge("xano_channels", "Channels with members or a history.").value(census.channels);
        page.gauge("xano_idle_channels", "Channels with a history and no members.")
            .value(census.idle_channels);
        page.gauge("xano_kept_bytes", "Bytes of histories and remembered ids.")
            .value(census.kept_bytes);
        self.metrics.write(&mut page, &census);
        page.into_text()
    }

    /// Gives a connection to the shard whose turn it is.
    pub fn accept(&self, accepted: Box<Accepted>) {
        self.next_inbox().push(Event::Accepted(accepted));
    }

    /// Gives a door to the shard whose turn it is. Its clients come in until the node drains; then it is
    /// dropped.
    pub fn open(&self, door: Box<dyn Door>) {
        self.next_inbox().push(Event::Door(door));
    }

    fn next_inbox(&self) -> &Inbox {
        &self.inboxes[self.next.fetch_add(1, Ordering::Relaxed) % self.inboxes.len()]
    }

    /// Whether new connections are welcome.
    pub fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed)
    }

    /// Says that no new connections are welcome, and ends all there are with close code 1012: one
    /// after the other, in random order and evenly spread over `window`. Called again, the new window
    /// counts from then on.
    pub fn drain(&self, window: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        for inbox in &self.inboxes {
            inbox.push(Event::Drain(window));
        }
    }

    /// Waits until every shard has ended. After the window that takes as long as the slowest client
    /// that was asked to close, at most about five seconds; and what is kept goes to the disk.
    pub fn join(&self) {
        let threads = mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended in a panic");
            }
        }
        self.engine.close();
    }
}

/// How long the shards may take to let new settings hold before the administrator is answered.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use mio::Token;

    use super::*;

    /// A node whose only shard never gets to its inbox.
    fn node_with_a_busy_shard() -> (Poll, Node) {
        let poll = Poll::new().expect("there is a poll");
        let inbox = Inbox::new(poll.registry(), Token(0)).expect("there is a waker");
        let inboxes = vec![Arc::new(inbox)];
        let node = Node {
            settings: RwLock::default(),
            engine: Arc::new(MemoryEngine::new(inboxes.clone())),
            reach: Reach::Public,
            metrics: Metrics::new(inboxes.len()),
            places: Places::new(1, None),
            ids: Ids::default(),
            tally: Arc::default(),
            inboxes,
            threads: Mutex::default(),
            next: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        };
        (poll, node)
    }

    #[test]
    fn settings_can_be_read_while_a_shard_is_too_busy_to_take_them() {
        let (_poll, node) = &node_with_a_busy_shard();
        let new = Settings::new("new".to_owned(), Vec::new());
        thread::scope(|scope| {
            let changing = scope.spawn(|| node.change_settings(new));
            let mut waiting = Vec::new();
            while waiting.is_empty() {
                assert!(!changing.is_finished(), "the change waits for the shard");
                node.inboxes[0].take(&mut waiting);
                thread::yield_now();
            }
            let (read, hash) = mpsc::channel();
            scope.spawn(move || read.send(node.settings().connection_hash.clone()));
            let hash = hash.recv_timeout(SETTINGS_TIMEOUT / 2);
            // The shard takes them, and so the change is done, whatever the reader got.
            drop(waiting);
            assert_eq!(hash.expect("the reader need not wait").as_deref(), Some("new"));
        });
    }
}
