//! The options that say how far clients may go.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use hub::{Limits, Rate};

use crate::node::NodeOptions;

/// How far clients may go; PROTOCOL.md says of each limit what follows.
#[derive(Args, Clone, Debug)]
pub struct LimitOptions {
    /// Largest message of a client, in bytes or with KiB or MiB; a larger one closes its connection
    #[arg(long, env = "XANO_MAX_FRAME", default_value = "1MiB", value_name = "SIZE", value_parser = |text: &str| parse_size(text, FRAME_SIZES))]
    pub max_frame: Size,

    /// What may wait for a slow reader before its connection is closed, in bytes or with KiB or MiB
    #[arg(long, env = "XANO_MAX_LAG", default_value = "1MiB", value_name = "SIZE", value_parser = |text: &str| parse_size(text, LAG_SIZES))]
    pub max_lag: Size,

    /// Channels that one connection may be in
    #[arg(long, env = "XANO_MAX_CHANNELS", default_value_t = 1_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_channels: u32,

    /// Realtime connections there may be at once; if not given 100000, or as many as the system lets
    /// the server have files open
    #[arg(long, env = "XANO_MAX_CONNECTIONS", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_connections: Option<u32>,

    /// Realtime connections that one address may have, and of IPv6 the first 64 bits of one; 0 for any
    /// number. Behind a reverse proxy this needs --trust-proxy
    #[arg(
        long,
        env = "XANO_MAX_CONNECTIONS_PER_ADDRESS",
        default_value_t = 0,
        value_name = "COUNT"
    )]
    pub max_connections_per_address: u32,

    /// HTTP connections there may be at once, those included that become realtime connections until
    /// they are; more wait to be accepted
    #[arg(long, env = "XANO_MAX_HANDSHAKES", default_value_t = 2_048, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_handshakes: u32,

    /// Time for a request's head to come, or for the TLS handshake, as in 10s
    #[arg(long, env = "XANO_HANDSHAKE_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = |text: &str| parse_time(text, HANDSHAKE_TIMES))]
    pub handshake_timeout: Duration,

    /// Messages a second that one connection may send, ten seconds' worth of them at once; 0 for any
    /// number. What a channel takes in a minute is a setting of the channel
    #[arg(long, env = "XANO_MESSAGES_PER_SECOND", default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub messages_per_second: u32,

    /// Joins a second that one connection may ask for, as many at once as it may be in channels; 0 for
    /// any number
    #[arg(long, env = "XANO_JOINS_PER_SECOND", default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub joins_per_second: u32,

    /// Clients a second that may come to one channel, ten seconds' worth of them at once; 0 for any
    /// number
    #[arg(long, env = "XANO_CHANNEL_JOINS_PER_SECOND", default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub channel_joins_per_second: u32,

    /// Time for a new connection to join its first channel, as in 30s or 5m; 0 for any time
    #[arg(long, env = "XANO_JOIN_TIMEOUT", default_value = "0", value_name = "TIME", value_parser = |text: &str| parse_time(text, JOIN_TIMES))]
    pub join_timeout: Duration,

    /// Silence after which a connection counts as dead, as in 60s or 5m; the server pings twice before
    #[arg(long, env = "XANO_IDLE_TIMEOUT", default_value = "60s", value_name = "TIME", value_parser = |text: &str| parse_time(text, IDLE_TIMES))]
    pub idle_timeout: Duration,

    /// Memory for the histories and remembered ids of all channels, in bytes or with KiB or MiB; beyond
    /// it the oldest go
    #[arg(long, env = "XANO_MAX_HISTORY", default_value = "1024MiB", value_name = "SIZE", value_parser = |text: &str| parse_size(text, HISTORY_SIZES))]
    pub max_history: Size,

    /// Memory for the requests of all connections that wait for triggers, in bytes or with KiB or MiB;
    /// one more is refused as overloaded
    #[arg(long, env = "XANO_MAX_WAITING", default_value = "256MiB", value_name = "SIZE", value_parser = |text: &str| parse_size(text, WAITING_SIZES))]
    pub max_waiting: Size,

    /// Show /metrics to everybody; without this, only to who brings the admin token
    #[arg(long, env = "XANO_METRICS_PUBLIC", value_parser = BoolishValueParser::new())]
    pub metrics_public: bool,
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size(usize);

/// The text is no size, or one that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SizeError {
    /// It is no size at all.
    #[error(
        "a size is a whole number of bytes, or one with KiB or MiB, as in 65536, 64KiB or 1MiB"
    )]
    Form,
    /// It is out of range.
    #[error("this size must be {} to {} bytes", .0.start(), .0.end())]
    Range(RangeInclusive<usize>),
}

/// The text is no time, or one that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TimeError {
    /// It is no time at all.
    #[error("a time is a whole number with s, m or h, as in 30s, 5m or 1h")]
    Form,
    /// It is out of range.
    #[error("this time must be {} to {} seconds", .0.start(), .0.end())]
    Range(RangeInclusive<u32>),
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            max_frame: Size(1 << 20),
            max_lag: Size(1 << 20),
            max_channels: 1_000,
            max_connections: None,
            max_connections_per_address: 0,
            max_handshakes: 2_048,
            handshake_timeout: Duration::from_secs(10),
            messages_per_second: 0,
            joins_per_second: 0,
            channel_joins_per_second: 0,
            join_timeout: Duration::ZERO,
            idle_timeout: Duration::from_secs(60),
            max_history: Size(1 << 30),
            max_waiting: Size(256 << 20),
            metrics_public: false,
        }
    }
}

impl LimitOptions {
    /// A node's options with these limits; `files` says how many files the process may have open.
    pub fn node_options(&self, files: Option<usize>) -> NodeOptions {
        let room = files.map(|files| files.saturating_sub(RESERVED_FILES).max(1));
        let asked = self.max_connections.map(|count| count as usize);
        if let (Some(asked), Some(room)) = (asked, room)
            && asked > room
        {
            tracing::warn!(
                "--max-connections is {asked}, but the system lets this process have only about \
                 {room} connections open: raise its limit of open files (ulimit -n)"
            );
        }
        let per_address = self.max_connections_per_address as usize;
        NodeOptions {
            max_frame: self.max_frame.0,
            max_lag: self.max_lag.0,
            max_connections: asked
                .unwrap_or_else(|| room.unwrap_or(MOST_CONNECTIONS).min(MOST_CONNECTIONS)),
            max_connections_per_address: (per_address > 0).then_some(per_address),
            max_kept_bytes: self.max_history.0,
            limits: self.limits(),
            ..NodeOptions::default()
        }
    }

    fn limits(&self) -> Limits {
        let idle = self.idle_timeout.as_secs() as u32;
        let messages = self.messages_per_second;
        let visitors = self.channel_joins_per_second;
        Limits {
            channels_per_session: self.max_channels as usize,
            // Who was offline sends at once what it has kept.
            messages: Rate::per_second(messages, messages.saturating_mul(10)),
            // Who comes back joins all its channels at once.
            joins: Rate::per_second(self.joins_per_second, self.max_channels),
            // After a restart everybody comes at once.
            channel_joins: Rate::per_second(visitors, visitors.saturating_mul(10)),
            waiting_in_all: self.max_waiting.0,
            join_timeout: self.join_timeout.as_secs() as u32,
            ping_after: idle * 5 / 12,
            dead_after: idle,
            ..Limits::default()
        }
    }
}

fn parse_size(text: &str, range: RangeInclusive<usize>) -> Result<Size, SizeError> {
    let (number, unit) = [("KiB", 1 << 10), ("MiB", 1 << 20), ("", 1)]
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))
        .ok_or(SizeError::Form)?;
    let number: usize = number.parse().map_err(|_| SizeError::Form)?;
    let size = number.checked_mul(unit).filter(|size| range.contains(size));
    size.map(Size).ok_or(SizeError::Range(range))
}

fn parse_time(text: &str, range: RangeInclusive<u32>) -> Result<Duration, TimeError> {
    let (number, unit) = [("s", 1), ("m", 60), ("h", 3_600)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .or_else(|| (text == "0").then_some((text, 1)))
        .ok_or(TimeError::Form)?;
    let number: u32 = number.parse().map_err(|_| TimeError::Form)?;
    let seconds = number.checked_mul(unit).filter(|seconds| range.contains(seconds));
    seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or(TimeError::Range(range))
}

/// A message has a name, a payload, and a place in a channel's history, which holds 4 MiB.
const FRAME_SIZES: RangeInclusive<usize> = 1 << 10..=4 << 20;
/// Less than this is met by readers who do nothing wrong.
const LAG_SIZES: RangeInclusive<usize> = 64 << 10..=1 << 30;
/// One channel may keep 4 MiB.
const HISTORY_SIZES: RangeInclusive<usize> = 4 << 20..=1 << 40;
/// One connection may have 4 MiB waiting.
const WAITING_SIZES: RangeInclusive<usize> = 8 << 20..=1 << 40;
/// A second is enough for most clients, and nobody needs a minute.
const HANDSHAKE_TIMES: RangeInclusive<u32> = 1..=60;
/// A day is as good as for ever.
const JOIN_TIMES: RangeInclusive<u32> = 0..=86_400;
/// Less time is too short for pings, more is longer than proxies and phones keep a line.
const IDLE_TIMES: RangeInclusive<u32> = 6..=3_600;
/// How many connections there may be where neither the operator nor the system says.
const MOST_CONNECTIONS: usize = 100_000;
/// Files that are no connections: listeners, the settings, what waits for its handshake.
const RESERVED_FILES: usize = 256;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<LimitOptions, String> {
        let cli = Cli::try_parse_from([&["xano-realtime", "serve"], arguments].concat());
        match cli.map_err(|error| error.to_string())?.command {
            Command::Serve(config) => Ok(config.limits),
            _ => unreachable!("the arguments say serve"),
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        for (option, value, reason) in [
            ("--max-frame", "1GB", "a size is a whole number of bytes"),
            ("--max-frame", "1000", "must be 1024 to 4194304 bytes"),
            ("--max-frame", "99999999999999999999MiB", "a size is"),
            ("--max-frame", "18446744073709551615MiB", "must be 1024 to"),
            ("--max-lag", "1KiB", "must be 65536 to 1073741824 bytes"),
            ("--max-lag", "", "a size is a whole number"),
            ("--max-channels", "0", "0 is not in 1..=100000"),
            ("--max-connections", "0", "0 is not in 1..=10000000"),
            ("--max-connections-per-address", "x", "invalid digit"),
            ("--max-handshakes", "0", "0 is not in"),
            ("--messages-per-second", "1.5", "invalid digit"),
            ("--joins-per-second", "1000001", "1000001 is not in"),
            ("--join-timeout", "60", "a time is a whole number with s, m or h"),
            ("--join-timeout", "25h", "must be 0 to 86400 seconds"),
            ("--handshake-timeout", "2m", "must be 1 to 60 seconds"),
            ("--max-history", "1MiB", "must be 4194304 to"),
            ("--max-waiting", "4MiB", "must be 8388608 to"),
            ("--idle-timeout", "5s", "must be 6 to 3600 seconds"),
            ("--idle-timeout", "4294967295h", "must be 6 to"),
            ("--idle-timeout", "1ä", "a time is"),
        ] {
            let error = parse(&[option, value]).expect_err(value);
            assert!(error.contains(reason) && error.contains(option), "{error}");
        }
    }

    #[test]
    fn without_options_the_defaults_hold() {
        let options = parse(&[]).expect("nothing is needed");
        assert_eq!(format!("{options:?}"), format!("{:?}", LimitOptions::default()));
        let (set, default) = (options.node_options(None), NodeOptions::default());
        assert_eq!(format!("{set:?}"), format!("{default:?}"));
    }

    #[test]
    fn limits_are_what_the_options_say() {
        let options = parse(&[
            "--max-frame=64KiB",
            "--max-lag=2MiB",
            "--max-channels=5",
            "--max-connections=7",
            "--max-connections-per-address=3",
            "--messages-per-second=20",
            "--joins-per-second=2",
            "--join-timeout=5m",
            "--idle-timeout=2m",
            "--max-waiting=9MiB",
            "--channel-joins-per-second=50",
        ]);
        let node = options.expect("all of it can work").node_options(None);
        assert_eq!((node.max_frame, node.max_lag), (64 << 10, 2 << 20));
        assert_eq!((node.max_connections, node.max_connections_per_address), (7, Some(3)));
        let limits = node.limits;
        assert_eq!(limits.channels_per_session, 5);
        assert_eq!(limits.messages, Rate::per_second(20, 200));
        assert_eq!(limits.joins, Rate::per_second(2, 5));
        assert_eq!(limits.channel_joins, Rate::per_second(50, 500));
        assert_eq!(limits.waiting_in_all, 9 << 20);
        assert_eq!((limits.join_timeout, limits.ping_after, limits.dead_after), (300, 50, 120));
    }

    #[test]
    fn there_are_no_more_connections_than_files_unless_that_is_asked_for() {
        let connections =
            |options: &LimitOptions, files| options.node_options(files).max_connections;
        let mut options = LimitOptions::default();
        assert_eq!(connections(&options, Some(1_024)), 768);
        assert_eq!(connections(&options, Some(1_048_576)), 100_000);
        assert_eq!(connections(&options, Some(10)), 1);
        options.max_connections = Some(500_000);
        assert_eq!(connections(&options, Some(1_048_576)), 500_000);
        assert_eq!(connections(&options, Some(1_024)), 500_000);
    }
}
