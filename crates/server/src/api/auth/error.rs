//! Errors as the default API group tells them.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::password::{PATIENCE, PasswordError};
use crate::store::StoreError;

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthError {
    #[error("{message}")]
    Input { param: Option<&'static str>, message: String },
    #[error(
        "the Authorization header must be `Bearer` and an authToken that is valid; log in for a new one"
    )]
    Unauthorized,
    #[error("Invalid Credentials.")]
    Credentials,
    #[error("This account is already in use.")]
    Taken,
    #[error("Nobody can sign up on this server.")]
    Closed,
    #[error("there is no such address; there are POST signup, POST login and GET me")]
    NotFound,
    #[error("the request took too long")]
    Slow,
    #[error("too many attempts from this address; try again later")]
    TooMany(Duration),
    #[error("the server has too many passwords to check; try again later")]
    Busy,
    #[error("the server cannot do this now; its log says why")]
    Internal,
}

/// The body of an answer that tells an error. Clients of Xano look for the field's name in either place.
#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<ErrorPayload>,
}

#[derive(Serialize)]
struct ErrorPayload {
    param: &'static str,
}

impl AuthError {
    pub(super) const fn input(param: &'static str, message: String) -> Self {
        Self::Input { param: Some(param), message }
    }

    const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Input { .. } => (StatusCode::BAD_REQUEST, "ERROR_CODE_INPUT_ERROR"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "ERROR_CODE_UNAUTHORIZED"),
            Self::Credentials | Self::Taken | Self::Closed => {
                (StatusCode::FORBIDDEN, "ERROR_CODE_ACCESS_DENIED")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "ERROR_CODE_NOT_FOUND"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "ERROR_CODE_TIMEOUT"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "ERROR_CODE_TOO_MANY_REQUESTS"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ERROR_CODE_UNAVAILABLE"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "ERROR_CODE_FATAL"),
        }
    }

    /// When it makes sense to ask again.
    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(wait) => Some(*wait),
            Self::Busy => Some(PATIENCE),
            _ => None,
        }
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let param = match &self {
            Self::Input { param, .. } => *param,
            _ => None,
        };
        let payload = param.map(|param| ErrorPayload { param });
        let body = ErrorBody { code, message: self.to_string(), param, payload };
        let mut response = (status, Json(body)).into_response();
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_millis().div_ceil(1_000).max(1) as u64;
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<JsonRejection> for AuthError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Input { param: None, message: rejection.body_text() }
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the users failed");
        Self::Internal
    }
}

impl From<PasswordError> for AuthError {
    fn from(error: PasswordError) -> Self {
        if let PasswordError::Busy = error {
            return Self::Busy;
        }
        tracing::error!(error = &error as &dyn std::error::Error, "a password failed");
        Self::Internal
    }
}
