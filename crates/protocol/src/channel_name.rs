//! A channel name, parsed once.

use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;
use core::ops::Deref;

extern crate alloc;

/// The name of a channel: 1 to 255 characters of `A-Z a-z 0-9 _ - . / : * @ = + , ~` and inner
/// spaces. Case matters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelName(alloc::sync::Arc<str>);

/// Why a text is no channel name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChannelNameError {
    /// There is no name at all.
    Empty,
    /// It has more than 255 characters.
    TooLong,
    /// It has a character outside the list, or a space at either end.
    IllegalCharacter,
}

impl ChannelName {
    /// The longest name, in characters (every legal character is one byte).
    pub const MAX_LENGTH: usize = 255;

    /// Checks `name` against the rules on the type.
    pub fn parse(name: &str) -> Result<Self, ChannelNameError> {
        if name.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        if name.len() > Self::MAX_LENGTH {
            return Err(ChannelNameError::TooLong);
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"_-./:*@=+,~ ".contains(&b);
        if !name.bytes().all(legal) || name.starts_with(' ') || name.ends_with(' ') {
            return Err(ChannelNameError::IllegalCharacter);
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Deref for ChannelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ChannelNameError {
    /// One sentence for the person who chose the name.
    pub fn message(self) -> &'static str {
        match self {
            Self::Empty => "The channel name is missing.",
            Self::TooLong => "The channel name is longer than 255 characters.",
            Self::IllegalCharacter => {
                "The channel name has a character that is not allowed; letters, digits, inner spaces and _-./:*@=+,~ are."
            }
        }
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        Self::from(&*name.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_users_have_are_legal() {
        for name in [
            "marvel-chat-room",
            "auctionSession/12",
            "device:42",
            "notification_channel/*",
            "a b",
            "~",
        ] {
            assert_eq!(ChannelName::parse(name).as_deref(), Ok(name));
        }
        assert!(ChannelName::parse(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn what_is_not_a_name_is_told_apart() {
        assert_eq!(ChannelName::parse(""), Err(ChannelNameError::Empty));
        assert_eq!(ChannelName::parse(&"x".repeat(256)), Err(ChannelNameError::TooLong));
        for name in [" a", "a ", "a\nb", "a\"b", "é", "a\\b", "<b>", "\u{0}"] {
            assert_eq!(
                ChannelName::parse(name),
                Err(ChannelNameError::IllegalCharacter),
                "{name:?}"
            );
        }
    }
}
