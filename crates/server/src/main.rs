//! `xano-realtime`: reads its configuration, serves, and stops when told to; or prints a token.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use clap::Parser;
use protocol::Permissions;
use server::auth::{AccessSecret, Verifier};
use server::config::{
    AdminTokenConfig, Cli, Command, LogLevel, ServeConfig, TokenConfig, demo_channels,
};
use server::store::{DataDir, NewAccessToken, Realtime, Store, StoreError};
use server::{Admin, Front, Listener, Node, NodeOptions, serve};
use tokio::signal;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let level = match &command {
        Command::Serve(config) => config.log,
        Command::Token(_) | Command::AdminToken(_) => LogLevel::Warn,
    };
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::from(level))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    let result = match command {
        Command::Serve(config) => run(&config),
        Command::Token(config) => print_token(config),
        Command::AdminToken(config) => print_admin_token(config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            for cause in error.chain().skip(1) {
                text = format!("{text}: {cause}");
            }
            // With no terminal left to tell, the exit code still does.
            writeln!(io::stderr(), "error: {text}").ok();
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(config: &ServeConfig) -> anyhow::Result<()> {
    let listener = Listener::bind(config)?;
    let data = DataDir::open(&config.data_dir)?;
    let _ours = data.lock()?;
    let store = Arc::new(data.store()?);
    if config.demo {
        open_demo(&store)?;
    }
    let names = config.token_claims.clone().unwrap_or_default();
    let verifier = Verifier::new(&data.signing_key()?, &config.token_key, &names)?;
    let settings = store.realtime()?.to_settings();
    let defaults = NodeOptions::default();
    let options = NodeOptions {
        shards: config.threads.map_or(defaults.shards, usize::from),
        journal: data.journal(config.durability)?,
        ..defaults
    };
    let node =
        Arc::new(Node::start(Arc::new(settings), &options).context("cannot start the node")?);
    let admin = Some(Admin::new(Arc::clone(&node), store, &data.admin_token()?));
    announce(config, &listener, (&node, &data)).context("cannot write to the standard output")?;
    let front = Front { node, verifier: Arc::new(verifier), admin };
    serve(listener, front, told_to_stop()).await;
    tracing::info!("stopped");
    Ok(())
}

fn print_token(config: TokenConfig) -> anyhow::Result<()> {
    let key = DataDir::existing(&config.data_dir).existing_signing_key()?;
    let permissions = Permissions { dbo_id: config.table_id, row_id: config.row_id };
    let expires = SystemTime::now().checked_add(config.expires).context("the clock is wrong")?;
    let token = key.issue(&permissions, &config.extras, expires)?;
    writeln!(io::stdout(), "{token}").context("cannot write to the standard output")
}

fn print_admin_token(config: AdminTokenConfig) -> anyhow::Result<()> {
    let store = DataDir::existing(&config.data_dir).existing_store()?;
    let scopes = config.scope.into_iter().collect();
    let new = NewAccessToken { name: config.name, scopes, lifetime: config.expires };
    let secret = AccessSecret::generate().context("the operating system gives no random bytes")?;
    store.add_access_token(new, &secret.digest(), SystemTime::now())?;
    writeln!(io::stdout(), "{}", secret.reveal()).context("cannot write to the standard output")
}

/// Switches realtime on, and declares the demo's channels that are not there yet.
fn open_demo(store: &Store) -> Result<(), StoreError> {
    let Realtime { hash, mut channels, .. } = store.realtime()?;
    for channel in demo_channels() {
        if !channels.iter().any(|declared| declared.pattern == channel.pattern) {
            channels.push(channel);
        }
    }
    store.replace(&Realtime { enabled: true, hash, channels }).map(drop)
}

/// Tells the person at the terminal where to look.
fn announce(
    config: &ServeConfig,
    listener: &Listener,
    (node, data): (&Node, &DataDir),
) -> io::Result<()> {
    let scheme = if config.tls_cert.is_some() { "https" } else { "http" };
    let host = match config.listen.rsplit_once(':').map_or("localhost", |(host, _)| host) {
        // All addresses of this machine, which no browser can open by this name.
        "0.0.0.0" | "[::]" => "localhost",
        host => host,
    };
    let address = format!("{scheme}://{host}:{}", listener.port().unwrap_or_default());
    let mut out = io::stdout().lock();
    writeln!(out, "xano-realtime {} is listening on {address}", env!("CARGO_PKG_VERSION"))?;
    match &node.settings().connection_hash {
        Some(hash) => {
            writeln!(out, "  chat             {address}/  (open it in two tabs)")?;
            writeln!(out, "  SDK              {address}/sdk/xano.min.js")?;
            writeln!(out, "  connection hash  {hash}")?;
        }
        None => {
            writeln!(
                out,
                "  realtime is switched off: start with --demo to try it, or switch it on"
            )?;
            writeln!(
                out,
                "  settings         PUT {address}/api:meta/workspace/1/realtime {{\"enabled\":true}}"
            )?;
        }
    }
    writeln!(out, "  admin token      in {}", data.admin_token_path().display())?;
    writeln!(out, "Ctrl-C stops it.")?;
    out.flush()
}

async fn told_to_stop() {
    let interrupted = async {
        if let Err(error) = signal::ctrl_c().await {
            tracing::error!(%error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => drop(terminated.recv().await),
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
    tracing::info!("stopping: every connection is told, with close code 1012");
}
