//! Codes in close frames: why a connection ended, and whether to come back.

/// Every code the server closes a connection with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseCode {
    /// The other side asked for the end.
    Normal,
    /// A frame broke RFC 6455.
    ProtocolError,
    /// A binary frame; this protocol is text.
    Unsupported,
    /// A text frame that is not UTF-8.
    InvalidText,
    /// Three frames in a row that were no message of this protocol.
    PolicyViolation,
    /// A frame beyond the size limit.
    TooBig,
    /// The node is shutting down; another one, or this one again, will serve.
    Draining,
    /// The node has no room, or the client reads too slowly.
    Overloaded,
    /// The token that named the session has expired, where the operator wants that to end it.
    TokenExpired,
    /// No such connection hash, or realtime is switched off.
    UnknownHash,
    /// Pings stayed without an answer.
    Idle,
    /// No channel was joined in the time there is for it.
    JoinTimeout,
}

impl CloseCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::Normal,
        Self::ProtocolError,
        Self::Unsupported,
        Self::InvalidText,
        Self::PolicyViolation,
        Self::TooBig,
        Self::Draining,
        Self::Overloaded,
        Self::TokenExpired,
        Self::UnknownHash,
        Self::Idle,
        Self::JoinTimeout,
    ];

    /// The number in the close frame.
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::ProtocolError => 1002,
            Self::Unsupported => 1003,
            Self::InvalidText => 1007,
            Self::PolicyViolation => 1008,
            Self::TooBig => 1009,
            Self::Draining => 1012,
            // The two from which clients of the first version come back by themselves.
            Self::Overloaded | Self::Idle => 1013,
            Self::TokenExpired => 4401,
            Self::UnknownHash => 4404,
            Self::JoinTimeout => 4408,
        }
    }

    /// The text in the close frame (at most 123 bytes, as RFC 6455 asks).
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::ProtocolError => "a frame broke the WebSocket protocol",
            Self::Unsupported => "binary frames are not part of this protocol",
            Self::InvalidText => "a text frame was not valid UTF-8",
            Self::PolicyViolation => "too many malformed frames",
            Self::TooBig => "a frame was larger than the server allows",
            Self::Draining => "the server is restarting",
            Self::Overloaded => "the client reads too slowly or the server is overloaded",
            Self::TokenExpired => "the authentication token has expired",
            Self::UnknownHash => "unknown connection hash",
            Self::Idle => "pings were not answered",
            Self::JoinTimeout => "no channel was joined",
        }
    }

    /// Whether a client that was closed with `number` should connect again by itself.
    ///
    /// It should not where the same thing would happen again: it ended the connection itself
    /// (1000), it breaks the protocol (1002, 1003, 1007, 1008, 1010), or the server refused it for
    /// what it is (4400 to 4499).
    pub const fn reconnects(number: u16) -> bool {
        !matches!(number, 1000 | 1002 | 1003 | 1007 | 1008 | 1010 | 4400..=4499)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_comes_back_where_that_can_help() {
        for code in [CloseCode::Draining, CloseCode::Overloaded, CloseCode::Idle, CloseCode::TooBig]
        {
            assert!(CloseCode::reconnects(code.number()), "{code:?}");
        }
        for number in [1001, 1005, 1006, 1011, 1014, 1015, 4000] {
            assert!(CloseCode::reconnects(number), "{number}");
        }
        for code in [
            CloseCode::Normal,
            CloseCode::TokenExpired,
            CloseCode::UnknownHash,
            CloseCode::PolicyViolation,
            CloseCode::ProtocolError,
        ] {
            assert!(!CloseCode::reconnects(code.number()), "{code:?}");
        }
    }

    #[test]
    fn reasons_fit_into_a_close_frame() {
        for code in CloseCode::ALL {
            assert!(code.reason().len() <= 123);
        }
    }

    #[test]
    fn the_protocols_page_explains_every_code() {
        let page = include_str!("../../../PROTOCOL.md");
        for code in CloseCode::ALL {
            assert!(page.contains(&code.number().to_string()), "{code:?} is missing");
        }
    }
}
