//! What the operator decides when the server starts: command line and environment, typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use hub::{ChannelSettings, HistorySize};
use protocol::RowId;

use crate::auth::{ClaimNames, Extras, Scope, parse_row_id};

/// A self-hosted realtime backend: channels, messages, presence and history over WebSocket
#[derive(Debug, Parser)]
#[command(name = "xano-realtime", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve realtime, the SDK and the demo page until told to stop
    Serve(ServeConfig),
    /// Print a token that names a person to the server of the same data directory
    Token(TokenConfig),
    /// Print a new access token for the Metadata API of the server of the same data directory, which
    /// may be running
    AdminToken(AdminTokenConfig),
}

/// How to serve. Every option can also be given in the environment; the command line comes first.
#[derive(Args, Debug)]
pub struct ServeConfig {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "XANO_LISTEN", default_value = "localhost:8787", value_name = "HOST:PORT")]
    pub listen: String,

    /// Directory for what must outlive a restart; created if it is missing
    #[arg(long, env = "XANO_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Switch realtime on, with the channels of the chat demo
    #[arg(long, env = "XANO_DEMO", value_parser = BoolishValueParser::new())]
    pub demo: bool,

    /// Certificate chain (PEM) to serve https and wss with
    #[arg(long, env = "XANO_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key (PEM) of the certificate
    #[arg(long, env = "XANO_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Public key (PEM) of another issuer of tokens: RSA for RS256, EC P-256 for ES256, or Ed25519 for
    /// EdDSA. May be given several times, in the environment separated by commas. Every token it signed
    /// is accepted, whatever audience it names
    #[arg(long, env = "XANO_TOKEN_KEY", value_name = "FILE", value_delimiter = ',')]
    pub token_key: Vec<PathBuf>,

    /// What the other issuers call the claims, where not dbo_id, row_id and extras, as in
    /// row_id=sub,extras=meta; dbo_id:=1 puts all their people into table 1
    #[arg(long, env = "XANO_TOKEN_CLAIMS", value_name = "NAME=CLAIM,…", requires = "token_key")]
    pub token_claims: Option<ClaimNames>,

    /// Where what channels keep is safe before it is acknowledged: on the disk, or in memory, which is
    /// faster and ends with the server
    #[arg(long, env = "XANO_DURABILITY", value_enum, default_value_t = Durability::Disk, value_name = "WHERE")]
    pub durability: Durability,

    /// Threads that serve connections; as many as there are processors if not given
    #[arg(long, env = "XANO_THREADS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Least important messages to log
    #[arg(long, env = "XANO_LOG", value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log: LogLevel,
}

/// Whom a new token names, and for how long.
#[derive(Args, Debug)]
pub struct TokenConfig {
    /// Table of the person's record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub table_id: u64,

    /// Id of the record: a number, or any text
    #[arg(long, value_name = "ID", value_parser = parse_row_id)]
    pub row_id: RowId,

    /// What others shall see of the person: a JSON object of at most 4 KiB
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub extras: Extras,

    /// How long it opens new connections: a number with s, m, h or d, as in 30s, 15m, 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_lifetime)]
    pub expires: Duration,

    /// Data directory of the server that shall accept the token
    #[arg(long, env = "XANO_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// What a new access token allows, and for how long.
#[derive(Args, Debug)]
pub struct AdminTokenConfig {
    /// What it is for; the list of tokens shows it
    #[arg(long, value_name = "TEXT")]
    pub name: String,

    /// What it allows; may be given several times, or separated by commas
    #[arg(long, value_enum, value_name = "SCOPE", value_delimiter = ',', required = true)]
    pub scope: Vec<Scope>,

    /// How long it is good: a number with s, m, h or d, as in 90d; until it is revoked if not given
    #[arg(long, value_name = "TIME", value_parser = parse_lifetime)]
    pub expires: Option<Duration>,

    /// Data directory of the server that shall accept the token
    #[arg(long, env = "XANO_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// The text is no lifetime.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a lifetime is a whole number from 1 on with s, m, h or d, as in 30s, 15m, 24h or 7d")]
pub struct LifetimeError;

/// What an acknowledged publication outlives.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Durability {
    /// A crash of the process or the machine.
    Disk,
    /// The connection it came on.
    Memory,
}

/// How much to log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogLevel {
    /// What is broken.
    Error,
    /// … and what may become so.
    Warn,
    /// … and what an operator wants to know.
    Info,
    /// … and every connection.
    Debug,
}

fn parse_lifetime(text: &str) -> Result<Duration, LifetimeError> {
    let (number, seconds) = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or(LifetimeError)?;
    match number.parse::<u32>() {
        Err(_) | Ok(0) => Err(LifetimeError),
        Ok(number) => Ok(Duration::from_secs(u64::from(number) * seconds)),
    }
}

/// The channels of the chat demo.
pub fn demo_channels() -> Vec<ChannelSettings> {
    let history = HistorySize::try_from(100).unwrap_or_default();
    let channel = |pattern: &str| ChannelSettings {
        pattern: pattern.to_owned(),
        enabled: true,
        presence: true,
        history,
        ..ChannelSettings::default()
    };
    let open = |pattern| ChannelSettings {
        anonymous_clients: true,
        client_public_messaging: true,
        ..channel(pattern)
    };
    let members_only = ChannelSettings {
        client_public_messaging: true,
        client_public_messaging_authenticated_only: true,
        client_private_messaging: true,
        client_private_messaging_authenticated_only: true,
        ..channel("marvel-hq")
    };
    vec![open("marvel-chat-room"), open("dc-chat-room"), members_only]
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_a_unit() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(parse_lifetime(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "h", "24", "0s", "-1h", "1.5h", "1w", "24hh", "24 h", "99999999999d", "ä"]
        {
            assert_eq!(parse_lifetime(wrong), Err(LifetimeError), "{wrong}");
        }
    }
}
