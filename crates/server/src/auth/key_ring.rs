//! The keys of the tokens that this server signs: one signs, all of them verify.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use jsonwebtoken::{Algorithm, DecodingKey};
use protocol::Permissions;

use super::claims::ClaimNames;
use super::{Extras, IssueError, SigningKey, TokenError, Verified, check, validation};

/// The server's own keys, for all who sign and verify with them. What is [replaced](Self::replace)
/// holds for the next token on every thread; connections that are open know nothing of keys.
#[derive(Debug)]
pub struct KeyRing(RwLock<Arc<Keys>>);

/// The server's own keys as they are kept.
#[derive(Clone, Debug)]
pub struct OwnKeys {
    /// What new tokens are signed with.
    pub signs: SigningKey,
    /// What earlier tokens were signed with that are still good.
    pub retired: Vec<SigningKey>,
}

/// The same, ready for use.
#[derive(Debug)]
struct Keys {
    signs: SigningKey,
    verify: Vec<OwnKey>,
}

#[derive(Debug)]
struct OwnKey {
    id: String,
    key: DecodingKey,
}

impl KeyRing {
    /// Signs with one of the keys, and takes the tokens of them all.
    pub fn new(keys: OwnKeys) -> Self {
        Self(RwLock::new(Arc::new(Keys::from(keys))))
    }

    /// Lets other keys hold. What was signed with one that is not among them is refused from now on.
    pub fn replace(&self, keys: OwnKeys) {
        let keys = Arc::new(Keys::from(keys));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// A token of the key that signs now; as [`SigningKey::issue`].
    pub fn issue(
        &self,
        permissions: &Permissions,
        extras: &Extras,
        expires: SystemTime,
    ) -> Result<String, IssueError> {
        self.keys().signs.issue(permissions, extras, expires)
    }

    /// Whom the token names, by the key of this id. What brings no id, as tokens of earlier versions
    /// do, is tried with every key.
    pub(super) fn verify(&self, token: &[u8], id: Option<&str>) -> Result<Verified, TokenError> {
        let mut validation = validation(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp"]);
        let keys = self.keys();
        for own in keys.verify.iter().filter(|own| id.is_none_or(|id| own.id == id)) {
            match check(token, &own.key, &validation) {
                Ok(claims) => return claims.verified(&ClaimNames::default()),
                // Another key may have made the signature.
                Err(TokenError::Signature) => {}
                Err(error) => return Err(error),
            }
        }
        Err(TokenError::Signature)
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<OwnKeys> for Keys {
    fn from(OwnKeys { signs, retired }: OwnKeys) -> Self {
        let own = |key: &SigningKey| OwnKey {
            id: key.id(),
            key: DecodingKey::from_secret(key.as_bytes()),
        };
        let verify = [&signs].into_iter().chain(&retired).map(own).collect();
        Self { signs, verify }
    }
}

impl From<SigningKey> for KeyRing {
    fn from(signs: SigningKey) -> Self {
        Self::new(OwnKeys { signs, retired: Vec::new() })
    }
}
