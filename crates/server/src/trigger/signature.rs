//! The Standard Webhooks scheme, <https://www.standardwebhooks.com>: proof of who asks, and when.

use std::io;
use std::time::SystemTime;

use data_encoding::BASE64;
use hub::Secret;
use ring::hmac;

use crate::store::random_text;

/// What a request carries besides its body.
pub(super) struct Signed {
    pub(super) id: String,
    /// In seconds since 1970.
    pub(super) timestamp: String,
    pub(super) signature: String,
}

impl Signed {
    /// Signs a body under a new id.
    pub(super) fn now(secret: &Secret, body: &[u8]) -> io::Result<Self> {
        let id = format!("msg_{}", random_text::<16>()?);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Self::new(secret, id, now.as_secs(), body))
    }

    fn new(secret: &Secret, id: String, seconds: u64, body: &[u8]) -> Self {
        let timestamp = seconds.to_string();
        let mut context =
            hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose()));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        let signature = format!("v1,{}", BASE64.encode(context.sign().as_ref()));
        Self { id, timestamp, signature }
    }
}

/// A secret as its owner keeps it.
pub(crate) fn show(secret: &Secret) -> String {
    format!("whsec_{}", BASE64.encode(secret.expose()))
}

/// The bytes of a new secret.
pub(crate) const SECRET_LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the scheme's own libraries.
    #[test]
    fn a_signature_is_that_of_the_schemes_own_libraries() {
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("it is base64");
        let secret = Secret::new(key);
        assert_eq!(show(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned();
        let signed = Signed::new(&secret, id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
