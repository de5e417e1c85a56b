//! What the operator decides when the server starts: command line, environment and file, typed.

mod file;
mod load;

mod limits;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, NonEmptyStringValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use hub::{ChannelSettings, HistorySize};
use protocol::RowId;

use crate::auth::{ClaimNames, Extras, ForeignIssuers, KeySetSource, Scope, parse_row_id};
use crate::http::TokenExpiry;
use crate::origin::AllowedOrigin;
use crate::peer::TrustedProxy;

pub use file::{Fault, FileError, Mistake};
pub use limits::{LimitOptions, Size, SizeError, TimeError};
pub use load::{LoadError, Loaded};

/// A self-hosted realtime backend: channels, messages, presence and history over WebSocket
#[derive(Debug, Parser)]
#[command(name = "xano-realtime", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// File (TOML) with any of the options of `serve` under their long names, with _ for -, as in
    /// data_dir = "/srv/xano". Command line and environment come before it
    #[arg(long, env = "XANO_CONFIG", value_name = "FILE", global = true, display_order = 900)]
    pub config: Option<PathBuf>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve realtime, the SDK and the demo page until told to stop
    #[command(after_help = SIGNALS)]
    Serve(Box<ServeConfig>),
    /// Check the options and the files they name as `serve` would, and end
    Check(Box<ServeConfig>),
    /// Print a token that names a person to the server of the same data directory
    Token(TokenConfig),
    /// Print a new access token for the Metadata API of the server of the same data directory, which
    /// may be running
    AdminToken(AdminTokenConfig),
    /// Push a Realtime Event to a channel of a running server
    Event(EventConfig),
}

/// How to serve. Every option can also be given in the environment or in a file; the command line
/// comes first.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("foreign").args(["token_key", "token_jwks"]).multiple(true)))]
pub struct ServeConfig {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "XANO_LISTEN", default_value = "localhost:8787", value_name = "HOST:PORT", value_parser = parse_listen)]
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

    /// Origin of pages that may open WebSocket connections, as in `https://www.example.com`, or
    /// `https://*.example.com` for all below; `null` stands for pages opened from disk. May be given
    /// several times, in the environment separated by commas. All may if none is given, and programs
    /// that are no browsers always may
    #[arg(long, env = "XANO_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<AllowedOrigin>,

    /// Public key (PEM) of another issuer of tokens: RSA for RS256, EC P-256 for ES256, or Ed25519 for
    /// EdDSA. May be given several times, in the environment separated by commas. Every token it signed
    /// is accepted, unless --token-audience or --token-issuer say otherwise
    #[arg(long, env = "XANO_TOKEN_KEY", value_name = "FILE", value_delimiter = ',')]
    pub token_key: Vec<PathBuf>,

    /// Where another issuer lists its public keys (JWKS): an address or a file. They are fetched again
    /// before they are old, and when a token names one that is not there. May be given several times,
    /// in the environment separated by commas
    #[arg(long, env = "XANO_TOKEN_JWKS", value_name = "URL|FILE", value_delimiter = ',')]
    pub token_jwks: Vec<KeySetSource>,

    /// Of the other issuers' tokens, accept only those for this audience (aud). May be given several
    /// times, in the environment separated by commas: one of them will do
    #[arg(
        long,
        env = "XANO_TOKEN_AUDIENCE",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new(),
        requires = "foreign"
    )]
    pub token_audience: Vec<String>,

    /// Of the other issuers' tokens, accept only those from this one (iss). May be given several times,
    /// in the environment separated by commas: one of them will do
    #[arg(
        long,
        env = "XANO_TOKEN_ISSUER",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new(),
        requires = "foreign"
    )]
    pub token_issuer: Vec<String>,

    /// What the other issuers call the claims, where not dbo_id, row_id and extras, as in
    /// row_id=sub,extras=meta; dbo_id:=1 puts all their people into table 1
    #[arg(long, env = "XANO_TOKEN_CLAIMS", value_name = "NAME=CLAIM,…", requires = "foreign")]
    pub token_claims: Option<ClaimNames>,

    /// Where what channels keep is safe before it is acknowledged: on the disk, or in memory, which is
    /// faster and ends with the server
    #[arg(long, env = "XANO_DURABILITY", value_enum, default_value_t = Durability::Disk, value_name = "WHERE")]
    pub durability: Durability,

    /// Close a connection, with code 4401, when the token that named its bearer expires; otherwise its
    /// bearer stays who they are until the connection ends
    #[arg(long, env = "XANO_CLOSE_EXPIRED", value_parser = BoolishValueParser::new())]
    pub close_expired: bool,

    /// Let nobody sign up; who has signed up before can log in
    #[arg(long, env = "XANO_NO_SIGNUP", value_parser = BoolishValueParser::new())]
    pub no_signup: bool,

    /// How often one address may try to log in or sign up in a minute; 0 is as often as it likes
    #[arg(long, env = "XANO_AUTH_ATTEMPTS", default_value_t = 10, value_name = "COUNT")]
    pub auth_attempts: u32,

    /// How long the tokens last that people get when they log in or sign up
    #[arg(long, env = "XANO_AUTH_TOKEN_LIFETIME", value_name = "TIME", default_value = "24h", value_parser = parse_lifetime)]
    pub auth_token_lifetime: Duration,

    /// Address or network of a reverse proxy in front of this server, whose X-Forwarded-For says whom a
    /// request is from. May be given several times, in the environment separated by commas. Without
    /// any, limits for each address count the other end of the connection
    #[arg(long, env = "XANO_TRUST_PROXY", value_name = "ADDRESS", value_delimiter = ',')]
    pub trust_proxy: Vec<TrustedProxy>,

    /// Let triggers call addresses of this machine and its network, not of the public internet only
    #[arg(long, env = "XANO_ALLOW_PRIVATE_TRIGGERS", value_parser = BoolishValueParser::new())]
    pub allow_private_triggers: bool,

    /// How long a trigger may take to answer, as in 10s; at most 1m. What it is asked about is not done
    /// when it takes longer
    #[arg(long, env = "XANO_TRIGGER_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = parse_trigger_timeout)]
    pub trigger_timeout: Duration,

    /// The most bytes a trigger may answer with; at most 1 MiB, which is the most a client may send
    #[arg(long, env = "XANO_TRIGGER_MAX_BODY", default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub trigger_max_body: u32,

    /// Threads that serve connections; as many as there are processors if not given
    #[arg(long, env = "XANO_THREADS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Write to many readers of a channel in one call, through io_uring, which takes less processor time.
    /// It needs Linux 5.18 or later that lets this program use it; the server does not start where it
    /// may not
    #[arg(long, env = "XANO_IO_URING", value_parser = BoolishValueParser::new())]
    pub io_uring: bool,

    /// How long to spread the ends of the connections over when told to stop, so that their clients do
    /// not come back all at once: 0, or a number with s, m or h, one hour at most
    #[arg(long, env = "XANO_DRAIN_WINDOW", default_value = "5s", value_name = "TIME", value_parser = parse_window)]
    pub drain_window: Duration,
    /// How far clients may go.
    #[command(flatten)]
    pub limits: LimitOptions,

    /// Least important messages to log
    #[arg(long, env = "XANO_LOG", value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log: LogLevel,

    /// How to write them: for people, or one JSON object a line for programs
    #[arg(long, env = "XANO_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
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

impl ServeConfig {
    /// Whose tokens are accepted besides the server's own.
    pub fn foreign_issuers(&self) -> ForeignIssuers {
        ForeignIssuers {
            keys: self.token_key.clone(),
            key_sets: self.token_jwks.clone(),
            names: self.token_claims.clone().unwrap_or_default(),
            audiences: self.token_audience.clone(),
            issuers: self.token_issuer.clone(),
        }
    }

    /// What becomes of a connection whose token expires.
    pub fn token_expiry(&self) -> TokenExpiry {
        if self.close_expired { TokenExpiry::Close } else { TokenExpiry::Ignore }
    }
}

/// An event, and the server to push it.
#[derive(Args, Debug)]
pub struct EventConfig {
    /// Channel whose members shall get it
    #[arg(long, value_name = "NAME")]
    pub channel: String,

    /// What they get: any JSON, or - for what comes on the standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub data: String,

    /// Only members that stand for a record of this table
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub auth_table: Option<u64>,

    /// Only members that stand for this record of the table
    #[arg(long, value_name = "ID", value_parser = parse_row_id, requires = "auth_table")]
    pub auth_id: Option<RowId>,

    /// The same key again, within two minutes, pushes nothing
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,

    /// Where the server is
    #[arg(long, env = "XANO_URL", default_value = "http://localhost:8787", value_name = "URL")]
    pub url: String,

    /// Data directory of the server, which has the admin token
    #[arg(long, env = "XANO_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// File with the admin token, or an access token that may publish, where the data directory is on
    /// another machine
    #[arg(long, env = "XANO_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
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

/// The text is no address to listen on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an address to listen on is HOST:PORT, as in localhost:8787, 0.0.0.0:443 or [::]:443")]
pub struct ListenError;

/// The text is no time to spread something over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a window is 0 or a whole number with s, m or h, as in 30s, and at most 1h")]
pub struct WindowError;

/// How to write what is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// A line of text each.
    Text,
    /// A JSON object each.
    Json,
}

/// The text is no time for a trigger.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a trigger may take 1s to 1m, as in 10s")]
pub struct TriggerTimeoutError;

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
    parse_time(text).filter(|time| !time.is_zero()).ok_or(LifetimeError)
}

fn parse_listen(text: &str) -> Result<String, ListenError> {
    let (host, port) = text.rsplit_once(':').ok_or(ListenError)?;
    let is_ambiguous = host.contains(':') && !host.starts_with('[');
    match port.parse::<u16>() {
        Ok(_) if !host.is_empty() && !is_ambiguous => Ok(text.to_owned()),
        _ => Err(ListenError),
    }
}

fn parse_window(text: &str) -> Result<Duration, WindowError> {
    let window = if text == "0" { Some(Duration::ZERO) } else { parse_time(text) };
    window.filter(|window| *window <= MAX_WINDOW).ok_or(WindowError)
}

fn parse_time(text: &str) -> Option<Duration> {
    let (number, seconds) = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let number = number.parse::<u32>().ok()?;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

fn parse_trigger_timeout(text: &str) -> Result<Duration, TriggerTimeoutError> {
    let time = parse_lifetime(text).map_err(|_| TriggerTimeoutError)?;
    (time <= MAX_TRIGGER_TIMEOUT).then_some(time).ok_or(TriggerTimeoutError)
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

const SIGNALS: &str = "SIGTERM and Ctrl-C stop it in order, a second one at once. SIGHUP reads the \
certificate again. docs/running.md has more.";
/// The longest time that a stop may be spread over.
const MAX_WINDOW: Duration = Duration::from_secs(3_600);
/// Who waits for a trigger must hear of it while it still knows what it did.
const MAX_TRIGGER_TIMEOUT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_has_a_host_and_a_port() {
        for text in ["localhost:8787", "127.0.0.1:0", "[::1]:443", "[::]:80"] {
            assert_eq!(parse_listen(text).as_deref(), Ok(text));
        }
        for wrong in ["", "8787", ":8787", "localhost", "localhost:", "::1:80", "a:65536", "a:http"]
        {
            assert_eq!(parse_listen(wrong), Err(ListenError), "{wrong}");
        }
    }

    #[test]
    fn a_window_may_be_nothing_and_has_an_end() {
        for (text, seconds) in [("0", 0), ("0s", 0), ("5s", 5), ("2m", 120), ("1h", 3_600)] {
            assert_eq!(parse_window(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "5", "-1s", "61m", "2h", "1d", "5 s", "00"] {
            assert_eq!(parse_window(wrong), Err(WindowError), "{wrong}");
        }
    }

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

    #[test]
    fn a_trigger_has_a_minute_at_most() {
        assert_eq!(parse_trigger_timeout("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["61s", "2m", "1h", "0s", "10"] {
            assert_eq!(parse_trigger_timeout(wrong), Err(TriggerTimeoutError), "{wrong}");
        }
    }
}
