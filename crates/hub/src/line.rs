//! A session's requests for a channel, one behind the other while a trigger is asked about the first.

use std::collections::VecDeque;

use protocol::{ChannelName, JoinRequest, RawPayload, Recipients, RequestId};
use serde::Serialize;

use crate::session::Member;
use crate::tally::Room;
use crate::trigger::{self, TriggerAction, TriggerClient, TriggerInput, TriggerOptions};

/// The lines of one session, one for each channel in which something waits.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<Line>);

#[derive(Debug)]
struct Line {
    channel: ChannelName,
    asking: Option<Asking>,
    waiting: VecDeque<Waiting>,
}

/// A frame that waits for those before it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) text: Box<str>,
    pub(crate) room: Room,
}

/// A request that a trigger is asked about.
#[derive(Debug)]
pub(crate) struct Asking {
    /// Which call it is.
    pub(crate) number: u64,
    /// The triggers that were asked, the current one among them.
    pub(crate) asked: Vec<u64>,
    pub(crate) request: Request,
    pub(crate) room: Room,
}

/// What a session wants to do, if the triggers allow it.
#[derive(Debug)]
pub(crate) enum Request {
    Join(JoinRequest),
    Message { recipients: Recipients, payload: Box<RawPayload>, id: Option<RequestId> },
}

impl Lines {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request for the channel has to wait for earlier ones.
    pub(crate) fn holds(&self, channel: &ChannelName) -> bool {
        self.0.iter().any(|line| line.channel == *channel)
    }

    /// How many requests there are in all lines, and their bytes.
    pub(crate) fn load(&self) -> (usize, usize) {
        let load = |line: &Line| {
            let asking = line.asking.as_ref().map(|asking| asking.request.size());
            let sizes = line.waiting.iter().map(|waiting| waiting.text.len()).chain(asking);
            sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
        };
        let sum = |(count, bytes), (more, size)| (count + more, bytes + size);
        self.0.iter().map(load).fold((0, 0), sum)
    }

    /// Puts what is asked about in front of its channel's line.
    pub(crate) fn ask(&mut self, channel: &ChannelName, asking: Asking) {
        match self.line(channel) {
            Some(line) => line.asking = Some(asking),
            None => self.0.push(Line {
                channel: channel.clone(),
                asking: Some(asking),
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Puts a frame behind what waits in its channel's line.
    pub(crate) fn wait(&mut self, channel: &ChannelName, waiting: Waiting) {
        if let Some(line) = self.line(channel) {
            line.waiting.push_back(waiting);
        }
    }

    /// The request of this call; its line stays.
    pub(crate) fn answered(&mut self, number: u64) -> Option<(ChannelName, Asking)> {
        self.0.iter_mut().find_map(|line| {
            let asking = line.asking.take_if(|asking| asking.number == number)?;
            Some((line.channel.clone(), asking))
        })
    }

    /// A frame that has nothing to wait for any more; its line stays.
    pub(crate) fn next(&mut self) -> Option<(ChannelName, Waiting)> {
        self.0.iter_mut().filter(|line| line.asking.is_none()).find_map(|line| {
            let waiting = line.waiting.pop_front()?;
            Some((line.channel.clone(), waiting))
        })
    }

    /// Forgets a line with nothing in it; whether something in it has nothing to wait for.
    pub(crate) fn settle(&mut self, channel: &ChannelName) -> bool {
        self.0.retain(|line| line.asking.is_some() || !line.waiting.is_empty());
        self.line(channel).is_some_and(|line| line.asking.is_none())
    }

    fn line(&mut self, channel: &ChannelName) -> Option<&mut Line> {
        self.0.iter_mut().find(|line| line.channel == *channel)
    }
}

impl Request {
    pub(crate) const fn action(&self) -> TriggerAction {
        match self {
            Self::Join(_) => TriggerAction::Join,
            Self::Message { .. } => TriggerAction::Message,
        }
    }

    /// Takes over what a trigger has made of the payload; a join has none of its own.
    pub(crate) fn replace(&mut self, replacement: Box<RawPayload>) {
        if let Self::Message { payload, .. } = self {
            *payload = replacement;
        }
    }

    /// What a trigger is told of it.
    pub(crate) fn input(&self, channel: &ChannelName, member: &Member) -> Vec<u8> {
        let mut options = TriggerOptions::new(channel);
        match self {
            Self::Join(request) => {
                // How its frames come is between the server and the client.
                self.told(member, options, JoinRequest { batch: false, ..request.clone() })
            }
            Self::Message { recipients, payload, id } => {
                options.id = id.as_ref().map(RequestId::as_str);
                options.authenticated = *recipients == Recipients::Authenticated;
                if let Recipients::Session(session_id) = recipients {
                    options.session_id = Some(session_id);
                }
                self.told(member, options, payload)
            }
        }
    }

    fn told(
        &self,
        member: &Member,
        options: TriggerOptions<'_>,
        payload: impl Serialize,
    ) -> Vec<u8> {
        let (action, channel, client) =
            (self.action(), options.channel, TriggerClient::new(member));
        trigger::body(&TriggerInput { action, channel, client, options, payload })
    }

    /// The bytes it keeps.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Join(request) => request.resume.as_ref().map_or(0, |resume| resume.epoch.len()),
            Self::Message { recipients, payload, id } => {
                // Whether it can be anybody's id is looked at when it is sent.
                let recipient = match recipients {
                    Recipients::Session(session_id) => session_id.len(),
                    Recipients::Everyone | Recipients::Authenticated => 0,
                };
                let id = id.as_ref().map_or(0, |id| id.as_str().len());
                payload.get().len() + recipient + id
            }
        }
    }
}
