//! What the application asks for: sent once there is a connection, again until it is answered, and
//! told when it is not to be had.

use std::rc::Rc;

use protocol::Action;

use super::{Client, State};
use crate::queue::Waiting;
use crate::{ChannelId, Delivery, Event, Outgoing, Output, Refusal, Request};

/// A refusal that is still to be told.
#[derive(Debug)]
pub(super) struct Refused<P, L> {
    channel: ChannelId,
    receipt: Option<L>,
    event: Event<P>,
}

/// Who waits for something to happen to a channel object.
#[derive(Debug)]
pub(super) struct Waiter<L> {
    channel: ChannelId,
    name: Rc<str>,
    moment: Moment,
    receipt: L,
}

/// What may be waited for. The end of what makes it impossible is told as well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// The server has said yes to the join.
    Joined,
    /// The channel object is destroyed, or the connection ends for good.
    Ended,
}

impl<P: Clone, L: Clone> Client<P, L> {
    /// How long the server remembers a message's name at least, in milliseconds, less some for the
    /// way there. Sent again later it could be published twice.
    pub const REMEMBERED: u64 = 110_000;

    /// Whether messages should carry a name: the server is one that acknowledges, or may be.
    pub fn names_messages(&self) -> bool {
        self.acks != Some(false)
    }

    /// Sends a request of the application, or keeps it until there is a connection. What can be
    /// neither sent nor kept is refused, and the channel object's listeners for errors hear it.
    pub fn send(&mut self, id: ChannelId, request: Request<L>, now: u64) {
        let waiting = Waiting::new(id, request);
        if waiting.request.text.len() > Self::MAX_FRAME {
            return self.refuse(waiting, Refusal::TooLarge);
        }
        if let State::Closed { code } = self.state {
            return self.refuse(waiting, Refusal::Closed(code));
        }
        let queues = self.channels.iter().any(|channel| channel.queues(id));
        if !queues && !self.is_open() {
            self.outputs.push_back(Output::Warn(NOT_QUEUED));
            return self.reject(waiting, Refusal::NotConnected);
        }
        if let Err(waiting) = self.queue.push(waiting) {
            return self.refuse(waiting, Refusal::QueueFull);
        }
        self.flush(now);
    }

    /// Sends what waits, in order, as far as there is a connection that takes it.
    pub(super) fn flush(&mut self, now: u64) {
        if !self.is_open() || self.retry.is_some() {
            return;
        }
        while let Some((text, done)) = self.queue.next(self.names_messages(), now) {
            self.outputs.push_back(Output::Send(Outgoing::Encoded(text)));
            if let Some(waiting) = done {
                self.settle(waiting.request.receipt, Event::Done);
            }
        }
    }

    /// What was sent so long ago that it must not be sent again, and has no answer still, is told.
    pub(super) fn expire(&mut self, now: u64) {
        let is_late =
            |waiting: &Waiting<L>| waiting.sent.is_some_and(|since| now - since > Self::REMEMBERED);
        while let Some(waiting) = self.queue.take_first(&is_late) {
            self.refuse(waiting, Refusal::Unknown);
        }
    }

    /// The connection is gone: what is under way goes over the next one, where that is wanted.
    pub(super) fn requeue(&mut self) {
        self.retry = None;
        self.queue.handle_disconnect();
        loop {
            let channels = &self.channels;
            let unwanted = self.queue.take_first(&|waiting| {
                let queues = channels.iter().any(|channel| channel.queues(waiting.channel));
                waiting.sent.is_some() && !queues
            });
            let Some(waiting) = unwanted else { break };
            self.refuse(waiting, Refusal::Unknown);
        }
    }

    /// Tells `receipt` once when the moment comes, or has come already.
    pub fn wait(&mut self, id: ChannelId, moment: Moment, receipt: L) {
        let Some(channel) = self.channels.iter().find(|channel| channel.has(id)) else { return };
        if moment == Moment::Joined && channel.joined {
            return self.settle(Some(receipt), Event::Done);
        }
        let name = channel.name.clone();
        if let State::Closed { code } = self.state {
            let event = self.refused_event(id, Action::Join, Refusal::Closed(code));
            return self.settle(Some(receipt), event);
        }
        self.waiters.push(Waiter { channel: id, name, moment, receipt });
    }

    /// Tells those who fit that their moment has come, or never will.
    pub(super) fn settle_waiters(&mut self, fits: &dyn Fn(&Waiter<L>) -> bool, event: &Event<P>) {
        for waiter in std::mem::take(&mut self.waiters) {
            if fits(&waiter) {
                self.settle(Some(waiter.receipt), event.clone());
            } else {
                self.waiters.push(waiter);
            }
        }
    }

    /// The server has answered the join of all channel objects of a name.
    pub(super) fn settle_joining(&mut self, name: Option<&str>, event: &Event<P>) {
        let is_meant = |waiter: &Waiter<L>| name.is_some_and(|name| waiter.is_for_join(name));
        self.settle_waiters(&is_meant, event);
    }

    /// Ends the attempts to connect, and what waits for one.
    pub(super) fn give_up(&mut self, code: u16) {
        self.state = State::Closed { code };
        let event = self.refused_event(RECEIPT, Action::Join, Refusal::Closed(code));
        self.settle_waiters(&|_| true, &event);
        while let Some(waiting) = self.queue.take_first(&|_| true) {
            let may_be_sent = waiting.sent.is_some() && self.acks == Some(true);
            let refusal = if may_be_sent { Refusal::Unknown } else { Refusal::Closed(code) };
            self.refuse(waiting, refusal);
        }
    }

    /// A channel object goes, and what it asked for with it.
    pub(super) fn drop_requests(&mut self, id: ChannelId) {
        let mut unsent = false;
        while let Some(waiting) = self.queue.take_first(&|waiting| waiting.channel == id) {
            unsent |= waiting.sent.is_none();
            self.reject(waiting, Refusal::Destroyed);
        }
        let event = self.refused_event(id, Action::Join, Refusal::Destroyed);
        self.settle_waiters(&|waiter| waiter.channel == id, &event);
        if unsent {
            self.outputs.push_back(Output::Warn(UNSENT));
        }
    }

    /// The server answers the message of this name; whether it is one of ours.
    pub(super) fn answer(&mut self, id: &str, body: &P, now: u64) -> bool {
        let Some(waiting) = self.queue.take_first(&|waiting| waiting.is(id)) else { return false };
        self.settle(waiting.request.receipt, Event::Frame(body.clone()));
        self.flush(now);
        true
    }

    /// The server answers the oldest request for a part of a channel's history, or refuses it.
    pub(super) fn answer_page(&mut self, name: Option<&str>, body: &P) {
        let channel = self.channels.iter().find(|channel| Some(&*channel.name) == name);
        let Some(channel) = channel else { return };
        let page =
            self.queue.take_first(&|waiting| waiting.is_page() && channel.has(waiting.channel));
        if let Some(page) = page {
            self.settle(page.request.receipt, Event::Frame(body.clone()));
        }
    }

    /// The server has too much to do for this message: whether to send it again, after a while.
    pub(super) fn postpone(&mut self, id: &str, retry_after: u64, now: u64) -> bool {
        let again = self.queue.postpone(id);
        if again {
            self.put_off(retry_after, now);
        }
        again
    }

    /// The server has too much to do: nothing is sent for a while.
    pub(super) fn put_off(&mut self, retry_after: u64, now: u64) {
        let until = if retry_after == 0 { 0 } else { now + retry_after };
        self.retry = self.retry.max(Some(until));
    }

    /// Sends again what the server had too much to do for, if it is time.
    pub(super) fn handle_retry(&mut self, now: u64, random: f64) {
        match self.retry {
            Some(0) => self.retry = Some(now + self.retries.next_delay(random)),
            Some(until) if now >= until => {
                self.retry = None;
                self.join_all(true);
                self.flush(now);
            }
            _ => {}
        }
    }

    /// The server does not acknowledge: what was handed to it is as done as it gets.
    pub(super) fn handle_acks(&mut self, acks: bool) {
        self.acks = Some(acks);
        if acks {
            return;
        }
        let is_sent = |waiting: &Waiting<L>| waiting.sent.is_some() && !waiting.is_page();
        while let Some(waiting) = self.queue.take_first(&is_sent) {
            self.settle(waiting.request.receipt, Event::Done);
        }
    }

    pub(super) fn deliver_refused(&mut self) {
        for Refused { channel: id, receipt, event } in std::mem::take(&mut self.refused) {
            self.settle(receipt, event.clone());
            let Some(channel) = self.channels.iter().find(|channel| channel.has(id)) else {
                self.outputs.push_back(Output::Warn(UNSENT));
                continue;
            };
            if !channel.deliver_error(Some(id), &event, &mut self.deliveries) {
                self.outputs.push_back(Output::Untaken(event));
            }
        }
    }

    fn is_open(&self) -> bool {
        matches!(&self.state, State::Open(line) if !line.closing)
    }

    /// Tells listeners and the receipt, in a turn of its own.
    fn refuse(&mut self, waiting: Waiting<L>, refusal: Refusal) {
        let event = self.refused_event(waiting.channel, waiting.request.action, refusal);
        let Waiting { channel, request, .. } = waiting;
        self.refused.push(Refused { channel, receipt: request.receipt, event });
    }

    /// Tells the receipt alone.
    fn reject(&mut self, waiting: Waiting<L>, refusal: Refusal) {
        let event = self.refused_event(waiting.channel, waiting.request.action, refusal);
        self.settle(waiting.request.receipt, event);
    }

    fn refused_event(&self, id: ChannelId, action: Action, refusal: Refusal) -> Event<P> {
        let channel = self.channels.iter().find(|channel| channel.has(id));
        let channel = channel.map_or_else(|| Rc::from(""), |channel| channel.name.clone());
        Event::Refused { channel, action, refusal }
    }

    fn settle(&mut self, receipt: Option<L>, event: Event<P>) {
        if let Some(listener) = receipt {
            self.deliveries.push_back(Delivery { listener, event, channel: RECEIPT });
        }
    }
}

impl<L> Waiter<L> {
    /// Whether it waits for the answer to the join of this channel.
    pub(super) fn is_for_join(&self, name: &str) -> bool {
        self.moment == Moment::Joined && *self.name == *name
    }
}

/// No channel object has this id, so that a receipt outlives the object it came from.
const RECEIPT: ChannelId = ChannelId(0);

const NOT_QUEUED: &str =
    "there is no connection and queueOfflineActions is false, so this was not sent and will not be";
const UNSENT: &str = "a channel was destroyed before what it had queued could be sent";
