//! What people may be called, and what is a password: from JSON to text that is right.

use serde::Deserialize;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::AuthError;

/// Who wants to sign up; what is there beyond these is passed over, as in Xano.
#[derive(Deserialize)]
pub(super) struct SignUpInput {
    name: Option<Value>,
    email: Option<Value>,
    password: Option<Value>,
}

/// Who wants to log in.
#[derive(Deserialize)]
pub(super) struct LogInInput {
    email: Option<Value>,
    password: Option<Value>,
}

/// A wish to sign up that can be granted.
pub(super) struct SignUp {
    pub(super) name: String,
    pub(super) email: Email,
    pub(super) password: String,
}

/// A wish to log in that can be looked at.
pub(super) struct LogIn {
    pub(super) email: Email,
    pub(super) password: String,
}

/// An e-mail address.
pub(super) struct Email {
    /// As it was written, without the spaces around it, in Unicode's normal form C.
    pub(super) text: String,
    /// The same in small letters: no two users have the same key.
    pub(super) key: String,
}

impl SignUpInput {
    pub(super) fn check(self) -> Result<SignUp, AuthError> {
        Ok(SignUp {
            name: name(&text("name", self.name)?)?,
            email: Email::parse(&text("email", self.email)?)?,
            password: password(&text("password", self.password)?)?,
        })
    }
}

impl LogInInput {
    pub(super) fn check(self) -> Result<LogIn, AuthError> {
        Ok(LogIn {
            email: Email::parse(&text("email", self.email)?)?,
            password: password(&text("password", self.password)?)?,
        })
    }
}

impl Email {
    /// Whether mail would arrive is not asked; that it could be an address is.
    fn parse(text: &str) -> Result<Self, AuthError> {
        let wrong = |why: &str| AuthError::input("email", format!("email {why}"));
        let text: String = text.trim().nfc().collect();
        if text.len() > MAX_EMAIL {
            return Err(wrong("has at most 254 bytes"));
        }
        let parts = text.rsplit_once('@').filter(|(local, domain)| {
            let is_bare = |part: &str| !part.is_empty() && !part.contains('@');
            is_bare(local) && is_bare(domain) && !domain.starts_with('.') && !domain.ends_with('.')
        });
        if parts.is_none() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("must be an address, as in thor@example.com"));
        }
        let key = text.to_lowercase().nfc().collect();
        Ok(Self { text, key })
    }
}

fn text(param: &'static str, value: Option<Value>) -> Result<String, AuthError> {
    match value {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(AuthError::input(param, format!("Missing param: {param}"))),
        Some(_) => Err(AuthError::input(param, format!("{param} must be text"))),
    }
}

fn name(text: &str) -> Result<String, AuthError> {
    let name: String = text.trim().nfc().collect();
    if !(1..=MAX_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        let wrong = "name must have 1 to 100 characters, and no control characters";
        return Err(AuthError::input("name", wrong.to_owned()));
    }
    Ok(name)
}

/// The same password may come in several forms, from another keyboard or system: one is hashed.
fn password(text: &str) -> Result<String, AuthError> {
    let password: String = text.nfc().collect();
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.chars().count()) {
        let wrong = "password must have 8 to 128 characters";
        return Err(AuthError::input("password", wrong.to_owned()));
    }
    Ok(password)
}

const MAX_NAME: usize = 100;
/// In bytes, as mail has it.
const MAX_EMAIL: usize = 254;
const MIN_PASSWORD: usize = 8;
const MAX_PASSWORD: usize = 128;
