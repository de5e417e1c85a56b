//! "Told to stop" as a state, and the signals that tell it.

use std::io;
#[cfg(unix)]
use std::io::IsTerminal;
use std::sync::Arc;
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

    /// The same, stopped by SIGTERM and Ctrl-C (SIGINT), and by the end of the terminal it was started
    /// in. At any other SIGHUP `reload` is run. Must be called inside a tokio runtime.
    pub fn on_signals(
        window: Duration,
        reload: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (stop, shutdown) = Self::new(window);
        let mut signals = Signals::new(reload)?;
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

type Reload = Arc<dyn Fn() + Send + Sync>;

#[cfg(unix)]
struct Signals {
    interrupts: unix::Signal,
    terminations: unix::Signal,
    hangups: unix::Signal,
    had_terminal: bool,
    reload: Reload,
}

#[cfg(unix)]
impl Signals {
    fn new(reload: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        Ok(Self {
            interrupts: unix::signal(unix::SignalKind::interrupt())?,
            terminations: unix::signal(unix::SignalKind::terminate())?,
            hangups: unix::signal(unix::SignalKind::hangup())?,
            had_terminal: io::stdin().is_terminal(),
            reload: Arc::new(reload),
        })
    }

    /// The next one that means the end.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupts.recv() => return,
                _ = self.terminations.recv() => return,
                _ = self.hangups.recv() => {
                    if self.had_terminal && !io::stdin().is_terminal() {
                        return tracing::info!("the terminal has gone");
                    }
                    self.reload().await;
                }
            }
        }
    }

    /// Files are read: others go on meanwhile.
    async fn reload(&self) {
        let reload = Arc::clone(&self.reload);
        if tokio::task::spawn_blocking(move || reload()).await.is_err() {
            tracing::error!("reloading has failed");
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupts: tokio::signal::windows::CtrlC,
    _reload: Reload,
}

#[cfg(windows)]
impl Signals {
    /// Nobody can ask for `reload` here.
    fn new(reload: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let interrupts = tokio::signal::windows::ctrl_c()?;
        Ok(Self { interrupts, _reload: Arc::new(reload) })
    }

    async fn next(&mut self) {
        self.interrupts.recv().await;
    }
}
