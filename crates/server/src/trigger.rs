//! Asks triggers: signs what they are told, sends it, and gives the shard what they answer.
//!
//! A request is signed by the Standard Webhooks scheme, so that whom it asks can check with any
//! library for it that this server asks, and that nobody has asked the same before.

mod signature;

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hub::{CallError, CallId, Trigger};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::signature::Signed;
pub(crate) use self::signature::{SECRET_LENGTH, show};
use crate::inbox::{Event, Inbox};
use crate::outbound::{Limits, Outbound, OutboundError, Reach, parse_url};

/// Asks the triggers of all shards. Each trigger has a share of its own, so that one that hangs takes
/// nothing from the others.
#[derive(Debug)]
pub struct Caller {
    outbound: Outbound,
    limits: Limits,
    runtime: Handle,
    desk: Mutex<Desk>,
}

/// One question.
#[derive(Debug)]
pub(crate) struct TriggerCall {
    pub(crate) call: CallId,
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) input: Vec<u8>,
}

/// What is being asked, and what waits to be.
#[derive(Debug, Default)]
struct Desk {
    bytes: usize,
    loads: HashMap<u64, Load>,
}

/// The same for one trigger.
#[derive(Debug)]
struct Load {
    slots: Arc<Semaphore>,
    calls: usize,
    bytes: usize,
    /// Whether its last answer was none, which is said loudly only once.
    failing: bool,
}

/// A call's share of the desk. When it is given back the shard gets the answer, so that a session
/// never waits for one that does not come.
struct Ticket {
    caller: Arc<Caller>,
    inbox: Arc<Inbox>,
    call: CallId,
    trigger: Arc<Trigger>,
    bytes: usize,
    answer: Result<Vec<u8>, CallError>,
}

/// Why a trigger has not answered as it should.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("its address is none to call")]
    Address,
    #[error("the operating system gives no random bytes")]
    Randomness(#[from] io::Error),
    #[error("it cannot be called")]
    Outbound(#[from] OutboundError),
    #[error("its turn did not come in time: too many calls of it take too long")]
    NoTurn,
    #[error("it answers with status {status}")]
    Status { status: StatusCode, said: Option<String> },
    #[error("its answer is no JSON")]
    NotJson(#[from] serde_json::Error),
}

impl Caller {
    /// Asks over `outbound`, in `runtime`. The time limit also holds for a call that waits for its
    /// turn.
    pub fn new(outbound: Outbound, limits: Limits, runtime: Handle) -> Self {
        Self { outbound, limits, runtime, desk: Mutex::default() }
    }

    /// What triggers may call.
    pub const fn reach(&self) -> Reach {
        self.outbound.reach()
    }

    /// Asks a trigger; `inbox` gets the answer. Does not block.
    pub(crate) fn call(
        self: &Arc<Self>,
        call: TriggerCall,
        inbox: &Arc<Inbox>,
    ) -> Result<(), CallError> {
        let TriggerCall { call, trigger, input } = call;
        let slots = self.desk().admit(&trigger, input.len()).ok_or(CallError::Overloaded)?;
        let mut ticket = Ticket {
            caller: Arc::clone(self),
            inbox: Arc::clone(inbox),
            call,
            bytes: input.len(),
            trigger,
            answer: Err(CallError::Failed(None)),
        };
        self.runtime.spawn(async move {
            let caller = Arc::clone(&ticket.caller);
            let answer = caller.ask(&slots, &ticket.trigger, input).await;
            caller.report(&ticket.trigger, answer.as_ref().err());
            ticket.note(answer.map_err(|failure| match failure {
                Failure::Status { said, .. } => CallError::Failed(said),
                _ => CallError::Failed(None),
            }));
        });
        Ok(())
    }

    async fn ask(
        &self,
        slots: &Semaphore,
        trigger: &Trigger,
        input: Vec<u8>,
    ) -> Result<Vec<u8>, Failure> {
        let end = Instant::now() + self.limits.timeout;
        let Ok(Ok(_slot)) = timeout_at(end, slots.acquire()).await else {
            return Err(Failure::NoTurn);
        };
        let url = parse_url(&trigger.url, self.reach()).map_err(OutboundError::from)?;
        let body = Bytes::from(input);
        let Signed { id, timestamp, signature } = Signed::now(&trigger.secret, &body)?;
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body)
            .map_err(|_| Failure::Address)?;
        let limits = Limits { timeout: end.duration_since(Instant::now()), ..self.limits };
        read(self.outbound.send(request, limits).await?)
    }

    /// Says once that a trigger fails, and once that it works again.
    fn report(&self, trigger: &Trigger, failure: Option<&Failure>) {
        let was_failing = self.desk().note(trigger.id, failure.is_some());
        let (id, name) = (trigger.id, &trigger.name);
        match failure.map(|failure| failure as &dyn Error) {
            Some(error) if was_failing => {
                tracing::debug!(trigger.id = id, trigger.name = name, error, "a trigger fails");
            }
            Some(error) => tracing::warn!(
                trigger.id = id,
                trigger.name = name,
                error,
                "a trigger fails: what it is asked about is not done"
            ),
            None if was_failing => {
                tracing::info!(trigger.id = id, trigger.name = name, "a trigger works again");
            }
            None => {}
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Makes room for one more call; `None` if there is none.
    fn admit(&mut self, trigger: &Trigger, bytes: usize) -> Option<Arc<Semaphore>> {
        let load = self.loads.entry(trigger.id).or_insert_with(|| Load {
            slots: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            calls: 0,
            bytes: 0,
            failing: false,
        });
        let fits = load.calls < MAX_CALLS
            && load.bytes + bytes <= MAX_TRIGGER_BYTES
            && self.bytes + bytes <= MAX_BYTES;
        if !fits {
            return None;
        }
        load.calls += 1;
        load.bytes += bytes;
        self.bytes += bytes;
        Some(Arc::clone(&load.slots))
    }

    fn release(&mut self, trigger: u64, bytes: usize) {
        self.bytes -= bytes;
        if let Some(load) = self.loads.get_mut(&trigger) {
            load.calls -= 1;
            load.bytes -= bytes;
            if load.calls == 0 && !load.failing {
                self.loads.remove(&trigger);
            }
        }
    }

    /// Remembers how a call has ended; whether the one before had failed.
    fn note(&mut self, trigger: u64, failing: bool) -> bool {
        let load = self.loads.get_mut(&trigger);
        load.is_some_and(|load| std::mem::replace(&mut load.failing, failing))
    }
}

impl Ticket {
    fn note(&mut self, answer: Result<Vec<u8>, CallError>) {
        self.answer = answer;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.caller.desk().release(self.trigger.id, self.bytes);
        let answer = std::mem::replace(&mut self.answer, Err(CallError::Failed(None)));
        self.inbox.push(Event::Called(self.call, answer));
    }
}

/// An answer's body; nothing at all is right too.
fn read(response: Response<Bytes>) -> Result<Vec<u8>, Failure> {
    let (status, body) = (response.status(), response.into_body());
    if !status.is_success() {
        let said = serde_json::from_slice::<Complaint>(&body).ok().map(|said| said.message);
        return Err(Failure::Status { status, said });
    }
    if !body.trim_ascii().is_empty() {
        serde_json::from_slice::<IgnoredAny>(&body)?;
    }
    Ok(body.into())
}

/// The body of an answer that tells an error.
#[derive(Deserialize)]
struct Complaint {
    message: String,
}

/// Calls of one trigger that are under way at the same time.
const CALLS_AT_ONCE: usize = 32;
/// The most calls of one trigger, those that wait for their turn included.
const MAX_CALLS: usize = 4_096;
/// The most bytes of what one trigger is to be told.
const MAX_TRIGGER_BYTES: usize = 16 << 20;
/// The most bytes of what all triggers are to be told.
const MAX_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests;
