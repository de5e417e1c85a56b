//! Public keys as JSON (RFC 7517): what an issuer lists at an address.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::{PublicKey, UNCOMPRESSED, integer, is_strong_rsa, sequence};

/// Why a text is no set of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// It is no JSON, or other JSON.
    #[error("it is no key set, such as {{\"keys\":[…]}}")]
    Syntax(#[from] serde_json::Error),
    /// It has more keys than are looked at.
    #[error("it has {0} keys, and {MAX_KEYS} are the most that are taken")]
    TooMany(usize),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Box<RawValue>>,
}

/// One key, of whatever kind.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Why a key of a set is passed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum Unusable {
    #[error("it is not of the form that keys have")]
    Form,
    #[error("it is not for signatures")]
    Purpose,
    #[error("it is for another algorithm than RS256, ES256 and EdDSA")]
    Algorithm,
    #[error("it is none of RSA (2048 to 8192 bits), EC P-256 and Ed25519")]
    Kind,
}

/// The keys of a set that tokens can be verified with. What other keys it has is for others.
pub(super) fn parse_set(text: &[u8]) -> Result<Vec<PublicKey>, KeySetError> {
    let Set { keys } = serde_json::from_slice(text)?;
    if keys.len() > MAX_KEYS {
        return Err(KeySetError::TooMany(keys.len()));
    }
    let parse = |(number, key): (usize, Box<RawValue>)| {
        let key = serde_json::from_str(key.get()).map_err(|_| Unusable::Form).and_then(Jwk::read);
        key.map_err(|reason| tracing::debug!(%reason, key.number = number, "a key is passed over"))
            .ok()
    };
    Ok(keys.into_iter().enumerate().filter_map(parse).collect())
}

impl Jwk {
    fn read(self) -> Result<PublicKey, Unusable> {
        let verifies = |uses: &Vec<String>| uses.iter().any(|name| name == "verify");
        if self.purpose.as_ref().is_some_and(|purpose| purpose != "sig")
            || !self.key_ops.as_ref().is_none_or(verifies)
        {
            return Err(Unusable::Purpose);
        }
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, self.rsa().ok_or(Unusable::Kind)?),
            ("EC", Some("P-256")) => (Algorithm::ES256, self.p256().ok_or(Unusable::Kind)?),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, self.ed25519().ok_or(Unusable::Kind)?),
            _ => return Err(Unusable::Kind),
        };
        // The kind decides what a key is used for; where its issuer says otherwise, it is not used.
        let name = match algorithm {
            Algorithm::RS256 => "RS256",
            Algorithm::ES256 => "ES256",
            _ => "EdDSA",
        };
        let agrees = |alg: &String| alg == name || (name == "EdDSA" && alg == "Ed25519");
        if !self.alg.as_ref().is_none_or(agrees) {
            return Err(Unusable::Algorithm);
        }
        Ok(PublicKey { id: self.kid, algorithm, key })
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let key = sequence(&[integer(&bytes(&self.n)?)?, integer(&bytes(&self.e)?)?].concat())?;
        is_strong_rsa(&key).then(|| DecodingKey::from_rsa_der(&key))
    }

    fn p256(&self) -> Option<DecodingKey> {
        let [x, y] = [bytes(&self.x)?, bytes(&self.y)?];
        let is_point = x.len() == 32 && y.len() == 32;
        is_point.then(|| DecodingKey::from_ec_der(&[&[UNCOMPRESSED], &x[..], &y].concat()))
    }

    fn ed25519(&self) -> Option<DecodingKey> {
        let x = bytes(&self.x)?;
        (x.len() == 32).then(|| DecodingKey::from_ed_der(&x))
    }
}

fn bytes(text: &Option<String>) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_ref()?.as_bytes()).ok()
}

/// The most keys of a set.
const MAX_KEYS: usize = 64;
