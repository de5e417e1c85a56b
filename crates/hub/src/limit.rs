//! The limits that clients can meet, by name; PROTOCOL.md says of each what follows.

/// A limit that was reached. Every one has a metric of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// The size of a client's message.
    FrameSize,
    /// Malformed frames in a row.
    MalformedFrames,
    /// Channels of one connection.
    ChannelsPerConnection,
    /// Connections of the node.
    Connections,
    /// Connections of one address.
    ConnectionsPerAddress,
    /// Connections whose handshake is not done.
    Handshakes,
    /// The time for a handshake.
    HandshakeTime,
    /// The size of a handshake's head.
    HeadSize,
    /// Messages that one connection sends.
    MessagesPerSecond,
    /// Joins that one connection asks for.
    JoinsPerSecond,
    /// Clients that come to one channel.
    JoinsPerChannel,
    /// Messages that clients send to one channel.
    MessagesPerMinute,
    /// What waits for a slow reader.
    Lag,
    /// Answers that are not read, or not given yet.
    UnreadAnswers,
    /// What a channel's readers have still to be sent.
    Backlog,
    /// Requests of one connection that wait for triggers.
    WaitingRequests,
    /// Requests of all connections that wait for triggers.
    WaitingInAll,
    /// Calls of triggers, and what they are told.
    TriggerCalls,
    /// The time a trigger has.
    TriggerTime,
    /// The size of a trigger's answer.
    TriggerAnswer,
    /// What waits between threads.
    Queue,
    /// The time until a connection's first join.
    JoinTime,
    /// The time without a sign of life.
    IdleTime,
    /// What all histories and remembered ids take.
    KeptBytes,
    /// Channels that nobody is in.
    IdleChannels,
}

impl Limit {
    /// Every limit, by [`index`](Self::index).
    pub const ALL: [Self; 25] = [
        Self::FrameSize,
        Self::MalformedFrames,
        Self::ChannelsPerConnection,
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Handshakes,
        Self::HandshakeTime,
        Self::HeadSize,
        Self::MessagesPerSecond,
        Self::JoinsPerSecond,
        Self::JoinsPerChannel,
        Self::MessagesPerMinute,
        Self::Lag,
        Self::UnreadAnswers,
        Self::Backlog,
        Self::WaitingRequests,
        Self::WaitingInAll,
        Self::TriggerCalls,
        Self::TriggerTime,
        Self::TriggerAnswer,
        Self::Queue,
        Self::JoinTime,
        Self::IdleTime,
        Self::KeptBytes,
        Self::IdleChannels,
    ];

    /// A number below the length of [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What metrics and documents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FrameSize => "frame_size",
            Self::MalformedFrames => "malformed_frames",
            Self::ChannelsPerConnection => "channels_per_connection",
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Handshakes => "handshakes",
            Self::HandshakeTime => "handshake_time",
            Self::HeadSize => "head_size",
            Self::MessagesPerSecond => "messages_per_second",
            Self::JoinsPerSecond => "joins_per_second",
            Self::JoinsPerChannel => "joins_per_channel",
            Self::MessagesPerMinute => "messages_per_minute",
            Self::Lag => "lag",
            Self::UnreadAnswers => "unread_answers",
            Self::Backlog => "backlog",
            Self::WaitingRequests => "waiting_requests",
            Self::WaitingInAll => "waiting_in_all",
            Self::TriggerCalls => "trigger_calls",
            Self::TriggerTime => "trigger_time",
            Self::TriggerAnswer => "trigger_answer",
            Self::Queue => "queue",
            Self::JoinTime => "join_time",
            Self::IdleTime => "idle_time",
            Self::KeptBytes => "kept_bytes",
            Self::IdleChannels => "idle_channels",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_in_its_place_and_the_protocols_page_tells_what_follows() {
        let page = include_str!("../../../PROTOCOL.md");
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit.index(), index, "{limit:?}");
            assert!(page.contains(&format!("`{}`", limit.name())), "{limit:?} is missing");
        }
    }
}
