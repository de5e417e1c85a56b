//! Tokens name sessions: from the text in a handshake to an identity, and the tokens this server signs.

mod access;
mod claims;
mod crypto;
mod issue;
mod jwk;
mod key;
mod key_ring;
mod key_set;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hub::Identity;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

pub use access::{AccessDigest, AccessSecret, Scope};
pub use claims::{ClaimNames, ClaimNamesError, Extras, ExtrasError, RowIdError, parse_row_id};
pub use issue::IssueError;
pub use jwk::KeySetError;
pub use key::{KeyError, SigningKey};
pub use key_ring::{KeyRing, OwnKeys};
pub use key_set::{FetchError, KeySetSource};

use crate::outbound::Outbound;
use claims::Claims;
use key::PublicKey;
use key_set::KeySet;

/// What it takes to tell whom a token names: keys, each with its one algorithm.
#[derive(Debug)]
pub struct Verifier {
    own: Arc<KeyRing>,
    keys: Vec<PublicKey>,
    key_sets: Vec<Arc<KeySet>>,
    names: ClaimNames,
    audiences: Vec<String>,
    issuers: Vec<String>,
}

/// Whose tokens are accepted besides the server's own, and which of them.
#[derive(Clone, Debug, Default)]
pub struct ForeignIssuers {
    /// PEM files with public keys.
    pub keys: Vec<PathBuf>,
    /// Where issuers list keys that they change.
    pub key_sets: Vec<KeySetSource>,
    /// How they call the claims.
    pub names: ClaimNames,
    /// If there are any, a token must be for one of them.
    pub audiences: Vec<String>,
    /// If there are any, a token must say that it is from one of them.
    pub issuers: Vec<String>,
}

/// What a good token says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whom it names.
    pub identity: Identity,
    /// When it stops being good, in milliseconds since 1970, if ever.
    pub valid_until: Option<u64>,
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
    /// It names a key that is in no key set, as far as they have been fetched.
    #[error("the token names a key that no key set has")]
    UnknownKey,
    /// It is not for this server.
    #[error("the token is for another audience")]
    Audience,
    /// It is from somebody whose tokens are not accepted.
    #[error("the token is from another issuer")]
    Issuer,
    /// A claim is missing, or is not what it has to be.
    #[error("the token's claim for `{0}` is missing or wrong")]
    Claim(&'static str),
}

impl Verifier {
    /// Accepts the tokens of `own`, and those of `foreign` issuers. Their key sets have to be
    /// [kept](Self::keep_keys).
    pub fn new(own: Arc<KeyRing>, foreign: ForeignIssuers) -> Result<Self, KeyError> {
        crypto::install();
        let ForeignIssuers { keys: files, key_sets: sources, names, audiences, issuers } = foreign;
        let mut keys = Vec::new();
        for path in files {
            keys.append(&mut PublicKey::read(&path)?);
        }
        let mut key_sets = Vec::new();
        for source in sources {
            let name = source.to_string();
            let set = KeySet::open(source).map_err(|error| KeyError::Set(name, error))?;
            key_sets.push(Arc::new(set));
        }
        Ok(Self { own, keys, key_sets, names, audiences, issuers })
    }

    /// Fetches the key sets whenever they are due, until what this returns is dropped. Waits for the
    /// first fetches, but not for long: a server can start while an issuer does not answer.
    pub async fn keep_keys(&self, client: &Outbound) -> JoinSet<()> {
        let deadline = Instant::now() + START_PATIENCE;
        let mut keeping = JoinSet::new();
        let first: Vec<_> = self.key_sets.iter().map(|set| set.watch()).collect();
        for set in &self.key_sets {
            keeping.spawn(Arc::clone(set).keep(client.clone()));
        }
        for mut ended in first {
            if timeout_at(deadline, ended.changed()).await.is_err() {
                tracing::warn!("not all key sets answer; the server starts without their keys");
                break;
            }
        }
        keeping
    }

    /// Whom `token` names at this moment, by the keys that are known.
    pub fn verify(&self, token: &[u8]) -> Result<Verified, TokenError> {
        let header = read_header(token)?;
        match header.alg {
            Algorithm::HS256 => self.own.verify(token, header.kid.as_deref()),
            _ => self.check_foreign(token, &header),
        }
    }

    /// Whom `token` names, if this server has signed it.
    pub fn verify_own(&self, token: &[u8]) -> Result<Verified, TokenError> {
        let header = read_header(token)?;
        match header.alg {
            Algorithm::HS256 => self.own.verify(token, header.kid.as_deref()),
            _ => Err(TokenError::Algorithm),
        }
    }

    /// Whom `token` names. Where it names a key that nobody knows, the key sets are fetched anew, unless
    /// that was done lately; that is waited for, but not for long.
    pub async fn verify_or_fetch(&self, token: &[u8]) -> Result<Verified, TokenError> {
        match self.verify(token) {
            Err(TokenError::UnknownKey) => {}
            result => return result,
        }
        let deadline = Instant::now() + FETCH_PATIENCE;
        let watched: Vec<_> = self.key_sets.iter().map(|set| (set, set.watch())).collect();
        let fetching = watched.into_iter().filter(|(set, _)| set.wish()).collect::<Vec<_>>();
        for (_, mut ended) in fetching {
            if timeout_at(deadline, ended.changed()).await.is_err() {
                break;
            }
        }
        self.verify(token)
    }

    /// The header's algorithm and key id only leave keys out; they never decide how a key is used.
    fn check_foreign(&self, token: &[u8], header: &Header) -> Result<Verified, TokenError> {
        let validation = self.foreign_validation(header.alg);
        let id = header.kid.as_deref();
        let sets: Vec<_> = self.key_sets.iter().map(|set| set.keys()).collect();
        let keys = || self.keys.iter().chain(sets.iter().flat_map(|set| set.iter()));
        let mut refused = TokenError::Algorithm;
        for key in keys().filter(|key| key.algorithm == header.alg && key.answers_to(id)) {
            match check(token, &key.key, &validation) {
                Ok(claims) => return claims.verified(&self.names),
                // Another key may have made the signature.
                Err(TokenError::Signature) => refused = TokenError::Signature,
                // But nothing else can be put right by one.
                Err(error) => return Err(error),
            }
        }
        let may_be_new = id.is_some_and(|id| !keys().any(|key| key.id.as_deref() == Some(id)));
        if may_be_new && !sets.is_empty() && FOREIGN.contains(&header.alg) {
            refused = TokenError::UnknownKey;
        }
        Err(refused)
    }

    fn foreign_validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = validation(algorithm);
        let mut required = Vec::new();
        if !self.audiences.is_empty() {
            validation.validate_aud = true;
            validation.set_audience(&self.audiences);
            required.push("aud");
        }
        if !self.issuers.is_empty() {
            validation.set_issuer(&self.issuers);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

impl TokenError {
    /// The reason without what the library quotes from the token.
    fn from_kind(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYet,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::MissingRequiredClaim(name) if name == "aud" => Self::Audience,
            ErrorKind::MissingRequiredClaim(name) if name == "iss" => Self::Issuer,
            ErrorKind::MissingRequiredClaim(_) => Self::Claim("exp"),
            ErrorKind::InvalidClaimFormat(name) if name == "nbf" => Self::Claim("nbf"),
            ErrorKind::InvalidClaimFormat(_) => Self::Claim("exp"),
            _ => Self::Malformed,
        }
    }
}

fn read_header(token: &[u8]) -> Result<Header, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::TooLong);
    }
    let header = decode_header(token).map_err(|error| TokenError::from_kind(error.kind()))?;
    match header.crit {
        Some(_) => Err(TokenError::Critical),
        None => Ok(header),
    }
}

fn check(token: &[u8], key: &DecodingKey, validation: &Validation) -> Result<Claims, TokenError> {
    let token = decode::<Claims>(token, key, validation);
    token.map(|token| token.claims).map_err(|error| TokenError::from_kind(error.kind()))
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    // Whom else an issuer's tokens are for is between the operator and the issuer.
    validation.validate_aud = false;
    validation
}

/// The most a token may take, in bytes.
pub const MAX_TOKEN: usize = 8 << 10;
/// How far an issuer's clock may be from this one's, in seconds.
const LEEWAY: u64 = 30;
/// What public keys are used for.
const FOREIGN: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// How long a server's start may wait for key sets.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// How long a handshake may wait for them.
const FETCH_PATIENCE: Duration = Duration::from_secs(3);
