//! "Told to stop" as a state, and the signals that tell it.

use std::io;
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix;
use tokio::sync::watch;

/// How far a server is on its way to its end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It ends its connections, one after the other.
    Draining,
    /// It ends all that are left at once.
    Ending,
}

/// Tells a server to stop. Dropping it does so too, at once.
#[derive(Debug)]
pub struct Stop(watch::Sender<Phase>);

/// When a server has to stop, and how slowly it may.
#[derive(Debug)]
pub struct Shutdown {
    phase: watch::Receiver<Phase>,
    window: Duration,
}

impl Shutdown {
    /// A server that is stopped by what is given back first, and then ends its connections over
    /// `window`.
    pub fn new(window: Duration) -> (Stop, Self) {
        let (sender, phase) = watch::channel(Phase::Serving);
        (Stop(sender), Self { phase, window })
    }

    /// The same, stopped by SIGTERM and Ctrl-C (SIGINT). Must be called inside a tokio runtime.
    pub fn on_signals(window: Duration) -> io::Result<Self> {
        let (stop, shutdown) = Self::new(window);
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!(
                window.seconds = window.as_secs(),
                "stopping: every connection is told, with close code 1012; a second signal ends the \
                 rest at once"
            );
            stop.tell();
            signals.next().await;
            tracing::info!("stopping at once");
            stop.tell();
        });
        Ok(shutdown)
    }

    /// How long the ends of the connections are spread over.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// Waits until `phase` is reached.
    pub async fn reached(&mut self, phase: Phase) {
        // Where nobody is left who could tell, it is time to stop.
        self.phase.wait_for(|now| *now >= phase).await.ok();
    }
}

impl Stop {
    /// Tells it to drain; told again, to end at once.
    pub fn tell(&self) {
        self.0.send_modify(|phase| {
            *phase = if *phase == Phase::Serving { Phase::Draining } else { Phase::Ending };
        });
    }
}

/// Runs `reload` whenever the operator sends SIGHUP. Must be called inside a tokio runtime.
#[cfg(unix)]
pub fn on_hangup(reload: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    let mut hangups = unix::signal(unix::SignalKind::hangup())?;
    let reload = std::sync::Arc::new(reload);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            // Files are read: others go on meanwhile.
            let reload = std::sync::Arc::clone(&reload);
            if tokio::task::spawn_blocking(move || reload()).await.is_err() {
                tracing::error!("reloading has failed");
            }
        }
    });
    Ok(())
}

/// There is no such signal here.
#[cfg(not(unix))]
pub fn on_hangup(_: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupts: unix::Signal,
    terminations: unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        let interrupts = unix::signal(unix::SignalKind::interrupt())?;
        Ok(Self { interrupts, terminations: unix::signal(unix::SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.terminations.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
