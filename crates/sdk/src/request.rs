//! What an application asks for, and why it may not get it.

use protocol::{Action, ErrorCode};

/// A request of the application, already encoded. `L` is whom to tell what became of it.
#[derive(Clone, Debug)]
pub struct Request<L> {
    /// What is asked for.
    pub action: Action,
    /// The frame.
    pub text: String,
    /// The name it carries, so that the server answers it, and takes it once however often it comes.
    pub id: Option<String>,
    /// Called once with what became of it: the server's answer, or why there is none.
    pub receipt: Option<L>,
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Too much waits already.
    QueueFull,
    /// A server would end the connection over it.
    TooLarge,
    /// The connection ended with this close code, for good.
    Closed(u16),
    /// There is no connection, and the channel object does not want to wait for one.
    NotConnected,
    /// The channel object was destroyed before there was an answer.
    Destroyed,
    /// It was sent, but the connection broke before the answer came, and it is too late to ask.
    Unknown,
}

impl<L> Request<L> {
    /// Whether the server will answer it, so that it can be kept until then.
    pub(crate) fn is_answered(&self, acks: bool) -> bool {
        match self.action {
            Action::Message => acks && self.id.is_some(),
            _ => self.receipt.is_some(),
        }
    }
}

impl Refusal {
    /// The same for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "message_too_large",
            Self::Closed(_) => "connection_closed",
            Self::NotConnected => "not_connected",
            Self::Destroyed => "channel_destroyed",
            Self::Unknown => "delivery_unknown",
        }
    }

    /// The same for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::QueueFull => ErrorCode::QueueFull.message(),
            Self::TooLarge => ErrorCode::MessageTooLarge.message(),
            Self::Closed(_) => ErrorCode::ConnectionClosed.message(),
            Self::NotConnected => "There is no connection, and queueOfflineActions is false.",
            Self::Destroyed => "The channel was destroyed before the server had answered.",
            Self::Unknown => {
                "The connection broke before the server had answered: it may have been sent, or not."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_the_protocols_page_explains_are_spelled_as_there() {
        let pairs = [
            (Refusal::QueueFull, ErrorCode::QueueFull),
            (Refusal::TooLarge, ErrorCode::MessageTooLarge),
            (Refusal::Closed(1000), ErrorCode::ConnectionClosed),
        ];
        for (refusal, code) in pairs {
            assert_eq!(serde_json::to_value(code).expect("a code is JSON"), refusal.code());
        }
    }
}
