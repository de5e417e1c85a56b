//! What the caller of the hub must do next, in this order.

use std::sync::Arc;

use protocol::{CloseCode, ErrorCode};

use crate::channel::{ChannelKey, Reading};
use crate::engine::EngineCommand;
use crate::limit::Limit;
use crate::presence::PresenceChange;
use crate::publication::Publication;
use crate::session::SessionKey;
use crate::trigger::{CallId, Trigger};

/// One thing to do. Carried out in order, so that a session reads its frames in the order in which
/// they were decided.
#[derive(Debug)]
pub enum Output {
    /// Write one frame to one session: the answer to something it asked for.
    Reply {
        /// Which session.
        session: SessionKey,
        /// The frame's text.
        frame: Vec<u8>,
    },
    /// Write one frame to one session: why something it asked for was not done.
    Refuse {
        /// Which session.
        session: SessionKey,
        /// Why.
        code: ErrorCode,
        /// The frame's text.
        frame: Vec<u8>,
    },
    /// Write one frame to one session that did not ask; it counts towards its lag.
    Push {
        /// Which session.
        session: SessionKey,
        /// The frame's text.
        frame: Vec<u8>,
    },
    /// Let a session read, from here on, what its class of a channel's members gets. If it already
    /// reads there, it goes on where it is, in the new way.
    Attach {
        /// Which session.
        session: SessionKey,
        /// Which channel.
        channel: ChannelKey,
        /// As which kind of member.
        reading: Reading,
    },
    /// Let a session no longer read a channel.
    Detach {
        /// Which session.
        session: SessionKey,
        /// Which channel.
        channel: ChannelKey,
    },
    /// Write a publication to the members of a channel that may see it.
    Publish {
        /// Which channel.
        channel: ChannelKey,
        /// The publication.
        publication: Arc<Publication>,
    },
    /// Tell the members of a channel that watch presence, if there are any.
    AnnouncePresence {
        /// Which channel.
        channel: ChannelKey,
        /// What has changed.
        change: PresenceChange,
    },
    /// Give a command to the engine.
    Engine(EngineCommand),
    /// Count a limit that was reached; what follows from it comes as outputs of its own.
    LimitReached(Limit),
    /// Ask a trigger, and give its answer to [`Hub::handle_called`](crate::Hub::handle_called).
    Call {
        /// Which question this is.
        call: CallId,
        /// Whom to ask.
        trigger: Arc<Trigger>,
        /// What to tell it: JSON.
        input: Vec<u8>,
    },
    /// Call [`Hub::handle_waiting`](crate::Hub::handle_waiting) as soon as the session's next request
    /// may be handled.
    Resume(SessionKey),
    /// Send a protocol ping.
    Ping(SessionKey),
    /// Write what the session may still read, then end it with this code. For the hub it is gone.
    Close {
        /// Which session.
        session: SessionKey,
        /// Why.
        code: CloseCode,
    },
}
