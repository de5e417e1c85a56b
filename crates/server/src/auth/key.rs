//! The keys of tokens: the server's own, and the public ones of other issuers.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use ring::hmac;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};

use super::FetchError;

/// The secret that this server signs its own tokens with, by HS256.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

/// Why a public key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file with a key set is missing, or holds something else.
    #[error("cannot read a key set (JWKS) from {0}")]
    Set(String, #[source] FetchError),
    /// The file is missing or is no PEM file.
    #[error("cannot read a public key in PEM form from {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The file holds something else.
    #[error("{} holds no public key (-----BEGIN PUBLIC KEY-----)", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// The key is of a kind that is not supported.
    #[error("the public key in {} is none of RSA (2048 to 8192 bits), EC P-256 and Ed25519", path.display())]
    Unsupported {
        /// Which file.
        path: PathBuf,
    },
}

/// A public key, and the one algorithm it is used for.
#[derive(Debug)]
pub(super) struct PublicKey {
    /// What its issuer calls it, if it was told.
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl SigningKey {
    /// The key of these bytes, which nobody can guess.
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a key from base64url; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// A new one.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// The key as base64url, as [`parse`](Self::parse) reads it: to be kept or compared, never shown.
    pub fn reveal(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// What tokens call it (`kid`). It follows from the key, so that the same key has the same name
    /// wherever it is, and tells nothing about it.
    pub fn id(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        BASE64URL_NOPAD.encode(&hmac::sign(&key, ID_LABEL).as_ref()[..12])
    }

    /// Its bytes, for where it is kept.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl PublicKey {
    /// All public keys of a PEM file, at least one.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mut keys = Vec::new();
        for info in SubjectPublicKeyInfoDer::pem_file_iter(path).map_err(failed)? {
            let key = Self::from_info(&info.map_err(failed)?);
            keys.push(key.ok_or_else(|| KeyError::Unsupported { path: path.to_owned() })?);
        }
        if keys.is_empty() {
            return Err(KeyError::Missing { path: path.to_owned() });
        }
        Ok(keys)
    }

    /// The kind of key decides the algorithm.
    fn from_info(mut info: &[u8]) -> Option<Self> {
        let mut fields = element(&mut info, SEQUENCE)?;
        let kind = element(&mut fields, SEQUENCE)?;
        let key = element(&mut fields, BIT_STRING)?.strip_prefix(&[0])?;
        let (algorithm, key) = if kind == alg_id::RSA_ENCRYPTION.as_ref() && is_strong_rsa(key) {
            (Algorithm::RS256, DecodingKey::from_rsa_der(key))
        } else if kind == alg_id::ECDSA_P256.as_ref() && key.len() == 65 && key[0] == UNCOMPRESSED {
            (Algorithm::ES256, DecodingKey::from_ec_der(key))
        } else if kind == alg_id::ED25519.as_ref() && key.len() == 32 {
            (Algorithm::EdDSA, DecodingKey::from_ed_der(key))
        } else {
            return None;
        };
        Some(Self { id: None, algorithm, key })
    }

    /// Whether a token may have been signed with it that names its key, or does not.
    pub(super) fn answers_to(&self, id: Option<&str>) -> bool {
        match (&self.id, id) {
            (Some(own), Some(id)) => own == id,
            _ => true,
        }
    }
}

/// Whether an RSA key has a size that its signatures are accepted with.
pub(super) fn is_strong_rsa(mut key: &[u8]) -> bool {
    let modulus = element(&mut key, SEQUENCE).and_then(|mut key| element(&mut key, INTEGER));
    // The zero in front says that the number is not negative.
    let modulus = modulus.and_then(|modulus| modulus.strip_prefix(&[0]));
    modulus.is_some_and(|modulus| (256..=1_024).contains(&modulus.len()) && modulus[0] >= 0x80)
}

/// Takes the next DER element, which must have this tag, off `input`; its content.
fn element<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&[found, length], rest) = input.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7F => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    (found == tag).then_some(content)
}

/// A DER sequence of this content; `None` if it is far too long for a key.
pub(super) fn sequence(content: &[u8]) -> Option<Vec<u8>> {
    tagged(SEQUENCE, content)
}

/// A number, which is not negative, from its bytes, the highest first, to DER.
pub(super) fn integer(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    match bytes.first() {
        Some(1..0x80) => tagged(INTEGER, bytes),
        _ => tagged(INTEGER, &[&[0], bytes].concat()),
    }
}

fn tagged(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, 0..0x80) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    Some([head, content].concat())
}

/// No JWT is signed over this: it has no dot.
const ID_LABEL: &[u8] = b"xano-realtime signing key";
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// How a point on a curve begins that is written with both its coordinates.
pub(super) const UNCOMPRESSED: u8 = 4;
