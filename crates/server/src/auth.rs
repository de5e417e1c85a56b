//! Tokens name sessions: from the text in a handshake to an identity, and the tokens this server signs.

mod access;
mod claims;
mod crypto;
mod key;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use hub::Identity;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use protocol::{Permissions, RowId};
use serde::Serialize;
use serde_json::value::RawValue;

pub use access::{AccessDigest, AccessSecret, Scope};
pub use claims::{ClaimNames, ClaimNamesError, Extras, ExtrasError, RowIdError, parse_row_id};
pub use key::{KeyError, SigningKey};

use claims::Claims;
use key::PublicKey;

/// What it takes to tell whom a token names: keys, each with its one algorithm.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
}

/// Why a token names nobody. Says nothing of what is in the token, so that it can be logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than [`MAX_TOKEN`].
    #[error("the token is too long")]
    TooLong,
    /// It is not three parts of base64url with JSON in the first two, or has an algorithm that
    /// nobody knows; `none` is one such.
    #[error("the token is no signed JWT")]
    Malformed,
    /// There is no key for its algorithm.
    #[error("there is no key for the token's algorithm")]
    Algorithm,
    /// Its header demands something that is not done here.
    #[error("the token's header has critical extensions")]
    Critical,
    /// None of the keys has signed it.
    #[error("the token was not signed with a key of this server")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim is missing, or is not what it has to be.
    #[error("the token's claim for `{0}` is missing or wrong")]
    Claim(&'static str),
}

/// Why a token cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no randomness.
    #[error("the operating system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
    /// The time it shall end at is before 1970.
    #[error("the token would end before 1970")]
    Time,
    /// The token cannot be encoded.
    #[error("the token cannot be signed")]
    Encoding(#[source] jsonwebtoken::errors::Error),
}

/// A key, the one algorithm it is for, and how its issuer calls the claims.
#[derive(Debug)]
struct Key {
    key: DecodingKey,
    algorithm: Algorithm,
    validation: Validation,
    names: ClaimNames,
}

/// What a token of this server says.
#[derive(Serialize)]
struct OwnClaims<'a> {
    dbo_id: u64,
    row_id: &'a RowId,
    extras: &'a RawValue,
    exp: u64,
    jti: String,
}

impl Verifier {
    /// Accepts the tokens of `own`, and those signed with the private halves of the public keys in
    /// the PEM files `foreign`, whose claims are called `names`.
    pub fn new(
        own: &SigningKey,
        foreign: &[PathBuf],
        names: &ClaimNames,
    ) -> Result<Self, KeyError> {
        crypto::install();
        let secret = DecodingKey::from_secret(own.as_bytes());
        let mut own = Key::new(secret, Algorithm::HS256, ClaimNames::default());
        own.validation.set_required_spec_claims(&["exp"]);
        let mut keys = vec![own];
        for path in foreign {
            for PublicKey { key, algorithm } in PublicKey::read(path)? {
                keys.push(Key::new(key, algorithm, names.clone()));
            }
        }
        Ok(Self { keys })
    }

    /// Whom `token` names at this moment.
    pub fn verify(&self, token: &[u8]) -> Result<Identity, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token).map_err(|error| refusal(error.kind()))?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let mut refused = TokenError::Algorithm;
        // The header's algorithm only leaves keys out; it never decides how a key is used.
        for key in self.keys.iter().filter(|key| key.algorithm == header.alg) {
            match decode::<Claims>(token, &key.key, &key.validation) {
                Ok(token) => return token.claims.identity(&key.names),
                Err(error) => refused = refusal(error.kind()),
            }
            // Another key may have made the signature, but nothing else can be put right by one.
            if refused != TokenError::Signature {
                break;
            }
        }
        Err(refused)
    }
}

impl SigningKey {
    /// A token that names this record, with these extras, until `expires`.
    pub fn issue(
        &self,
        permissions: &Permissions,
        extras: &Extras,
        expires: SystemTime,
    ) -> Result<String, IssueError> {
        crypto::install();
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(IssueError::Randomness)?;
        let claims = OwnClaims {
            dbo_id: permissions.dbo_id,
            row_id: &permissions.row_id,
            extras: extras.as_raw(),
            exp: expires.duration_since(UNIX_EPOCH).map_err(|_| IssueError::Time)?.as_secs(),
            jti: BASE64URL_NOPAD.encode(&id),
        };
        let key = EncodingKey::from_secret(self.as_bytes());
        encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(IssueError::Encoding)
    }
}

impl Key {
    fn new(key: DecodingKey, algorithm: Algorithm, names: ClaimNames) -> Self {
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // Whom else an issuer's tokens are for is between the operator and the issuer.
        validation.validate_aud = false;
        Self { key, algorithm, validation, names }
    }
}

/// The reason without what the library quotes from the token.
fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYet,
        ErrorKind::MissingRequiredClaim(_) => TokenError::Claim("exp"),
        ErrorKind::InvalidClaimFormat(name) if name == "nbf" => TokenError::Claim("nbf"),
        ErrorKind::InvalidClaimFormat(_) => TokenError::Claim("exp"),
        _ => TokenError::Malformed,
    }
}

/// The most a token may take, in bytes.
pub const MAX_TOKEN: usize = 8 << 10;
/// How far an issuer's clock may be from this one's, in seconds.
const LEEWAY: u64 = 30;
