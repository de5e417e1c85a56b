//! `xano-realtime`: reads its configuration, serves, and stops when told to; or prints a token.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use protocol::Permissions;
use server::auth::{AccessSecret, KeyRing, SigningKey, Verifier};
use server::config::{
    AdminTokenConfig, Cli, Command, EventConfig, LoadError, Loaded, LogFormat, LogLevel,
    ServeConfig, TokenConfig, demo_channels,
};
use server::outbound::{self, Outbound, Reach};
use server::store::{DataDir, NewAccessToken, Realtime, Store, StoreError};
use server::tls::Tls;
use server::{
    AccountOptions, Accounts, Admin, AllowedOrigins, Caller, Front, Listener, Node, Shutdown,
    SignUpPolicy, check_ring, event, log_panics, raise_open_files, serve,
};
use tokio::runtime::Handle;

fn main() -> ExitCode {
    let Loaded { cli, readable_by_all } = match Cli::load(env::args_os()) {
        Ok(loaded) => loaded,
        Err(LoadError::Usage(error)) => error.exit(),
        Err(error) => {
            tell(&error.into());
            // As clap has it: what was asked for is wrong, and asking again will not help.
            return ExitCode::from(2);
        }
    };
    let format = start_log(&cli.command);
    if let Some(file) = readable_by_all {
        let file = file.display();
        tracing::warn!(%file, "everybody on this machine may read a secret in the configuration file; chmod o-r keeps them out");
    }
    let result = match cli.command {
        Command::Serve(config) => run(&config),
        Command::Check(config) => check(&config),
        Command::Token(config) => print_token(config),
        Command::AdminToken(config) => print_admin_token(config),
        Command::Event(config) => push_event(&config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match format {
                LogFormat::Text => tell(&error),
                LogFormat::Json => tracing::error!("{}", in_full(&error)),
            }
            ExitCode::FAILURE
        }
    }
}

fn tell(error: &anyhow::Error) {
    // With no terminal left to tell, the exit code still does.
    writeln!(io::stderr(), "error: {}", in_full(error)).ok();
}

fn in_full(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn start_log(command: &Command) -> LogFormat {
    let (level, format) = match command {
        Command::Serve(config) => (config.log, config.log_format),
        Command::Check(_) | Command::Token(_) | Command::AdminToken(_) | Command::Event(_) => {
            (LogLevel::Warn, LogFormat::Text)
        }
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::from(level))
        .with_ansi(io::stderr().is_terminal())
        // With nobody left to read the log, saying so would be a panic.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    log_panics();
    format
}

#[tokio::main(flavor = "current_thread")]
async fn run(config: &ServeConfig) -> anyhow::Result<()> {
    let listener = Listener::bind(config)?;
    let tls = listener.tls().cloned();
    let shutdown = Shutdown::on_signals(config.drain_window, move || reload(tls.as_ref()))
        .context("cannot listen for signals")?;
    let data = DataDir::open(&config.data_dir)?;
    let _ours = data.lock()?;
    let store = Arc::new(data.store()?);
    if config.demo {
        open_demo(&store)?;
    }
    let keys = Arc::new(KeyRing::new(data.own_keys(&store)?));
    let verifier = Arc::new(Verifier::new(Arc::clone(&keys), config.foreign_issuers())?);
    let _keeping = match config.token_jwks.is_empty() {
        true => None,
        false => Some(verifier.keep_keys(&Outbound::new(Reach::Anywhere)?).await),
    };
    let settings = store.settings()?;
    let caller = Arc::new(caller(config)?);
    let mut options = config.limits.node_options(raise_open_files());
    options.shards = config.threads.map_or(options.shards, usize::from);
    options.io_uring = config.io_uring;
    options.journal = data.journal(config.durability)?;
    let threads = options.shards;
    let node = Node::start_with(Arc::new(settings), &options, Some(caller));
    let node = Arc::new(node.context("cannot start the node")?);
    let token = data.admin_token()?;
    let admin = Some(Admin::new(Arc::clone(&node), Arc::clone(&store), Arc::clone(&keys), &token));
    let options = AccountOptions {
        attempts: config.auth_attempts,
        sign_up: if config.no_signup { SignUpPolicy::Closed } else { SignUpPolicy::Open },
        token_lifetime: config.auth_token_lifetime,
    };
    let accounts = Some(Accounts::new(store, keys, Arc::clone(&verifier), options)?);
    if config.log_format == LogFormat::Text {
        announce(config, &listener, (&node, &data))
            .context("cannot write to the standard output")?;
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = config.listen,
        port = listener.port(),
        tls = listener.tls().is_some(),
        threads,
        data_dir = %config.data_dir.display(),
        connection_hash = node.settings().connection_hash,
        "serving"
    );
    let origins = Arc::new(AllowedOrigins::new(config.allow_origin.clone()));
    let expiry = config.token_expiry();
    let front = Front { node, verifier, origins, expiry, admin, accounts };
    serve(listener, front, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}

/// Does what comes before serving and leaves no trace.
fn check(config: &ServeConfig) -> anyhow::Result<()> {
    Listener::check(config)?;
    // Whose own key it is makes no difference to those of others.
    let own = KeyRing::from(SigningKey::from_random([0; 32]));
    Verifier::new(Arc::new(own), config.foreign_issuers())?;
    if config.io_uring {
        check_ring()?;
    }
    writeln!(io::stdout(), "ok: `serve` can start with these options")
        .context("cannot write to the standard output")
}

fn reload(tls: Option<&Tls>) {
    let Some(tls) = tls else {
        return tracing::info!("SIGHUP: there is no certificate to read again");
    };
    let file = tls.certificate_path().display();
    match tls.reload() {
        Ok(()) => tracing::info!(%file, "the certificate was read again, for new connections"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the new certificate is of no use, so the old one stays");
        }
    }
}

/// Who asks triggers, in this runtime.
fn caller(config: &ServeConfig) -> anyhow::Result<Caller> {
    let reach = if config.allow_private_triggers { Reach::Anywhere } else { Reach::Public };
    let limits = outbound::Limits {
        timeout: config.trigger_timeout,
        max_body: config.trigger_max_body as usize,
    };
    let outbound = Outbound::new(reach).context("cannot prepare TLS for triggers")?;
    Ok(Caller::new(outbound, limits, Handle::current()))
}

fn print_token(config: TokenConfig) -> anyhow::Result<()> {
    let data = DataDir::existing(&config.data_dir);
    let key = data.existing_own_keys(&data.existing_store()?)?.signs;
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

#[tokio::main(flavor = "current_thread")]
async fn push_event(config: &EventConfig) -> anyhow::Result<()> {
    let count = event::push(config).await?;
    let connections = if count == 1 { "connection" } else { "connections" };
    writeln!(io::stdout(), "delivered to {count} {connections} of this node")
        .context("cannot write to the standard output")
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
            writeln!(out, "  Webflow example  {address}/webflow/")?;
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
                "  settings         {address}/api:meta/workspace/1/realtime (docs/metadata-api.md)"
            )?;
        }
    }
    writeln!(out, "  admin token      in {}", data.admin_token_path().display())?;
    writeln!(out, "Ctrl-C stops it.")?;
    out.flush()
}
