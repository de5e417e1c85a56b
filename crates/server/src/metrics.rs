//! What is counted, and how Prometheus reads it.
//!
//! A shard's counters have one writer, the shard, and lie in cache lines of their own: to count costs
//! an addition. What several threads count are rare events.

mod page;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use hub::Limit;
use protocol::{CloseCode, ErrorCode};

use crate::engine::Census;

pub(crate) use page::Page;

/// All counters of a node.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) shards: Vec<Arc<ShardCounts>>,
    /// Limits that others than shards have seen reached, by [`Limit::index`].
    limits: [AtomicU64; Limit::ALL.len()],
    handshakes: [AtomicU64; Handshake::ALL.len()],
    /// Answers to HTTP requests, by status.
    answers: Box<[AtomicU64]>,
    started: SystemTime,
}

/// What one shard counts.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ShardCounts {
    /// Connections that were handed to the shard.
    pub(crate) opened: Count,
    pub(crate) received_frames: Count,
    pub(crate) received_bytes: Count,
    /// Messages of clients that were allowed and given to the engine.
    pub(crate) messages: Count,
    /// Joins that were allowed and given to the engine.
    pub(crate) joins: Count,
    /// Frames for members of channels, once for each member.
    pub(crate) deliveries: Count,
    pub(crate) sent_bytes: Count,
    /// By the code's place in [`ErrorCode::ALL`].
    pub(crate) errors: [Count; ErrorCode::ALL.len()],
    /// By the code's place in [`CloseCode::ALL`].
    pub(crate) closes: [Count; CloseCode::ALL.len()],
    /// By [`Limit::index`].
    pub(crate) limits: [Count; Limit::ALL.len()],
    /// Memberships, as of the last tick.
    pub(crate) members: Count,
    /// Connections that are not read from until a backlog is gone.
    pub(crate) held: Count,
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

/// How an attempt to open a realtime connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Handshake {
    /// It was handed to a shard.
    Accepted,
    /// It was no WebSocket handshake.
    NotWebSocket,
    /// The node is about to stop.
    Draining,
    /// The page's origin is not allowed.
    WrongOrigin,
    /// There is no place for it.
    Full,
    /// The connection broke, or could not be handed over.
    Broken,
}

impl Count {
    /// Counts on. Only the counter's own thread may.
    pub(crate) fn add(&self, count: u64) {
        self.set(self.get().wrapping_add(count));
    }

    /// Lets the number be another. Only the counter's own thread may.
    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Handshake {
    const ALL: [Self; 6] = [
        Self::Accepted,
        Self::NotWebSocket,
        Self::Draining,
        Self::WrongOrigin,
        Self::Full,
        Self::Broken,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NotWebSocket => "not_websocket",
            Self::Draining => "draining",
            Self::WrongOrigin => "wrong_origin",
            Self::Full => "full",
            Self::Broken => "broken",
        }
    }
}

impl Metrics {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Arc::default()).collect(),
            limits: Default::default(),
            handshakes: Default::default(),
            answers: (0..STATUSES).map(|_| AtomicU64::default()).collect(),
            started: SystemTime::now(),
        }
    }

    /// Counts a limit that no shard has seen reached.
    pub(crate) fn limit_reached(&self, limit: Limit) {
        self.limits[limit.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handshake(&self, outcome: Handshake) {
        self.handshakes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer to an HTTP request.
    pub(crate) fn answered(&self, status: u16) {
        if let Some(count) = self.answers.get(usize::from(status)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes all that is counted here, and what the engine counts.
    pub(crate) fn write(&self, page: &mut Page, census: &Census) {
        let sum = |count: fn(&ShardCounts) -> &Count| {
            self.shards.iter().map(|shard| count(shard).get()).sum::<u64>()
        };
        page.counter("xano_connections_opened_total", "Connections whose handshake is done.")
            .value(sum(|shard| &shard.opened));
        page.counter("xano_received_frames_total", "Text frames that clients have sent.")
            .value(sum(|shard| &shard.received_frames));
        page.counter("xano_received_bytes_total", "Bytes read from realtime connections.")
            .value(sum(|shard| &shard.received_bytes));
        page.counter("xano_messages_total", "Messages of clients that were allowed.")
            .value(sum(|shard| &shard.messages));
        page.counter("xano_joins_total", "Joins that were allowed.")
            .value(sum(|shard| &shard.joins));
        page.counter("xano_deliveries_total", "Frames for members of channels, once for each.")
            .value(sum(|shard| &shard.deliveries));
        page.counter("xano_sent_bytes_total", "Bytes written to realtime connections.")
            .value(sum(|shard| &shard.sent_bytes));
        page.gauge("xano_members", "Memberships of connections in channels.")
            .value(sum(|shard| &shard.members));
        page.gauge("xano_held_connections", "Senders that wait until readers were written to.")
            .value(sum(|shard| &shard.held));
        self.write_labelled(page, census);
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        page.gauge("process_start_time_seconds", "When the process started, since 1970.")
            .value(started.as_secs());
        page.gauge("xano_build_info", "Always 1; says which version runs.")
            .labelled(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    }

    fn write_labelled(&self, page: &mut Page, census: &Census) {
        let sum = |count: &dyn Fn(&ShardCounts) -> u64| {
            self.shards.iter().map(|shard| count(shard)).sum::<u64>()
        };
        let errors = page.counter("xano_errors_total", "Error frames sent, by their code.");
        for (at, code) in ErrorCode::ALL.into_iter().enumerate() {
            let made_by_the_sdk = matches!(
                code,
                ErrorCode::QueueFull | ErrorCode::MessageTooLarge | ErrorCode::ConnectionClosed
            );
            if !made_by_the_sdk {
                let name = serde_json::to_string(&code).unwrap_or_default();
                let count = sum(&|shard| shard.errors[at].get());
                errors.labelled(&[("code", name.trim_matches('"'))], count);
            }
        }
        let help = "Connections that the server has closed, by close code and reason.";
        let closes = page.counter("xano_closes_total", help);
        for (at, code) in CloseCode::ALL.into_iter().enumerate() {
            let (number, reason) = (code.number().to_string(), close_reason(code));
            let count = sum(&|shard| shard.closes[at].get());
            closes.labelled(&[("code", &number), ("reason", reason)], count);
        }
        let help = "How often a limit was reached; PROTOCOL.md says what follows.";
        let limits = page.counter("xano_limit_reached_total", help);
        for limit in Limit::ALL {
            let at = limit.index();
            let elsewhere = match limit {
                Limit::KeptBytes => census.evictions,
                Limit::IdleChannels => census.forgotten,
                _ => self.limits[at].load(Ordering::Relaxed),
            };
            let count = sum(&|shard| shard.limits[at].get()) + elsewhere;
            limits.labelled(&[("limit", limit.name())], count);
        }
        let help = "Attempts to open a realtime connection, by how they ended.";
        let handshakes = page.counter("xano_handshakes_total", help);
        for outcome in Handshake::ALL {
            let count = self.handshakes[outcome as usize].load(Ordering::Relaxed);
            handshakes.labelled(&[("outcome", outcome.name())], count);
        }
        let help = "Answers to HTTP requests, by status; handshakes among them.";
        let answers = page.counter("xano_http_responses_total", help);
        for (status, count) in self.answers.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                answers.labelled(&[("status", &status.to_string())], count);
            }
        }
    }
}

const fn close_reason(code: CloseCode) -> &'static str {
    match code {
        CloseCode::Normal => "normal",
        CloseCode::ProtocolError => "protocol_error",
        CloseCode::Unsupported => "binary_frame",
        CloseCode::InvalidText => "invalid_text",
        CloseCode::PolicyViolation => "malformed_frames",
        CloseCode::TooBig => "frame_too_big",
        CloseCode::Draining => "draining",
        CloseCode::Overloaded => "too_slow",
        CloseCode::UnknownHash => "unknown_hash",
        CloseCode::Idle => "idle",
        CloseCode::TokenExpired => "token_expired",
        CloseCode::JoinTimeout => "join_timeout",
    }
}

/// HTTP statuses are below this.
const STATUSES: usize = 600;
