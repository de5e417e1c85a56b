//! What the operator decides when the server starts: command line and environment, typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hub::{ChannelSettings, HistorySize};

/// The realtime server.
#[derive(Debug, Parser)]
#[command(name = "xano-realtime", version, about, arg_required_else_help = true)]
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
}

/// How to serve. Every option can also be given in the environment.
#[derive(Args, Debug)]
pub struct ServeConfig {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "XANO_LISTEN", default_value = "localhost:8787", value_name = "HOST:PORT")]
    pub listen: String,

    /// Directory for what must outlive a restart; created if it is missing
    #[arg(long, env = "XANO_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Switch realtime on, with the channels of the chat demo
    #[arg(long, env = "XANO_DEMO")]
    pub demo: bool,

    /// Certificate chain (PEM) to serve https and wss with
    #[arg(long, env = "XANO_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key (PEM) of the certificate
    #[arg(long, env = "XANO_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Threads that serve connections; as many as there are processors if not given
    #[arg(long, env = "XANO_THREADS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Least important messages to log
    #[arg(long, env = "XANO_LOG", value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log: LogLevel,
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

/// The channels of the chat demo.
pub fn demo_channels() -> Vec<ChannelSettings> {
    let history = HistorySize::try_from(100).unwrap_or_default();
    let room = |id, pattern: &str| ChannelSettings {
        id,
        pattern: pattern.to_owned(),
        enabled: true,
        presence: true,
        history,
        ..ChannelSettings::default()
    };
    let open = |id, pattern| ChannelSettings {
        anonymous_clients: true,
        client_public_messaging: true,
        ..room(id, pattern)
    };
    let members_only = ChannelSettings {
        client_public_messaging: true,
        client_public_messaging_authenticated_only: true,
        client_private_messaging: true,
        client_private_messaging_authenticated_only: true,
        ..room(3, "marvel-hq")
    };
    vec![open(1, "marvel-chat-room"), open(2, "dc-chat-room"), members_only]
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
