//! Access tokens: who may use the Metadata API, and for what.

use std::io;

use clap::ValueEnum;
use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// What an access token allows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reading settings, channels and triggers.
    Read,
    /// Changing them.
    Update,
    /// Pushing events.
    Publish,
}

/// An access token as its bearer has it.
///
/// It is 32 random bytes, so its SHA-256 is all that has to be kept: nobody can try 2²⁵⁶ of them, and
/// a slow password hash would add nothing but its time to each request.
#[derive(Clone)]
pub struct AccessSecret(String);

/// The SHA-256 of an access token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AccessDigest([u8; 32]);

impl Scope {
    /// The word for it in the API and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Update => "update",
            Self::Publish => "publish",
        }
    }
}

impl AccessSecret {
    /// A new one.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))))
    }

    /// Reads what a request brought; `None` if it cannot be a token, without a look at those there are.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(PREFIX)?;
        BASE64URL_NOPAD
            .decode(random.as_bytes())
            .is_ok_and(|bytes| bytes.len() == 32)
            .then(|| Self(text.to_owned()))
    }

    /// What is kept of it.
    pub fn digest(&self) -> AccessDigest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        AccessDigest(bytes)
    }

    /// The token itself, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl AccessDigest {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::fmt::Debug for AccessSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessSecret")
    }
}

/// What programs that look for lost secrets can know a token by.
const PREFIX: &str = "xrt_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form_and_kept_by_its_digest() {
        let secret = AccessSecret::generate().expect("there is randomness");
        assert_eq!(secret.reveal().len(), 47);
        let read = AccessSecret::parse(secret.reveal()).expect("it is a token");
        assert_eq!(read.digest(), secret.digest());
        let other = AccessSecret::generate().expect("there is randomness");
        assert_ne!(other.digest(), secret.digest());
        assert!(!format!("{secret:?}").contains(secret.reveal()));
        for wrong in
            ["", "xrt_", "xrt_short", &secret.reveal()[4..], &format!("{}A", secret.reveal())]
        {
            assert!(AccessSecret::parse(wrong).is_none(), "{wrong}");
        }
    }
}
