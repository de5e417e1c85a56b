//! Errors as the Metadata API tells them.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::ErrorCode;
use serde::Serialize;

use super::xanoscript::SyntaxError;
use crate::auth::Scope;
use crate::store::{AccessTokenError, SigningKeyError, StoreError};

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Input(String),
    #[error("{field}: {message}")]
    Field { field: String, message: String },
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error(
        "the Authorization header must be `Bearer` and an access token, or the admin token, which is in the data directory"
    )]
    Unauthorized,
    #[error("this access token has expired; make a new one")]
    Expired,
    #[error("this access token does not have the scope `{0}`")]
    MissingScope(Scope),
    #[error("only the admin token, which is in the data directory, may manage access tokens")]
    NotAdmin,
    #[error("there is no {0}")]
    NotFound(&'static str),
    #[error("this address is for other methods; the Allow header names them")]
    Method,
    #[error("the body is larger than this address takes: 4 MiB for events, 1 MiB elsewhere")]
    TooLarge,
    #[error("the Content-Type must be {0}")]
    MediaType(&'static str),
    #[error("the server has more to do than it may queue; try again later")]
    Overloaded,
    #[error("the server cannot do this now; its log says why")]
    Internal,
}

/// The body of an answer that tells an error, and what stands for one event of a batch.
#[derive(Serialize)]
pub(super) struct ErrorBody {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<ErrorPayload>,
}

/// Where in the request the mistake is.
#[derive(Serialize)]
#[serde(untagged)]
enum ErrorPayload {
    /// A field of the body.
    Param { param: String },
    /// A place in a script, counted from 0 as editors do: Xano's own mark it there.
    Place { line: usize, col: usize },
}

impl ApiError {
    pub(super) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), message: message.into() }
    }

    /// The same about a field of something within `outer`.
    pub(super) fn within(self, outer: &str) -> Self {
        match self {
            Self::Field { field, message } => {
                Self::Field { field: format!("{outer}.{field}"), message }
            }
            error => error,
        }
    }

    /// The error as an answer's body tells it.
    pub(super) fn into_body(self) -> ErrorBody {
        let message = self.to_string();
        let payload = match &self {
            Self::Field { field, .. } => Some(ErrorPayload::Param { param: field.clone() }),
            Self::Syntax(error) => Some(ErrorPayload::Place {
                line: error.place.line - 1,
                col: error.place.column - 1,
            }),
            _ => None,
        };
        ErrorBody { code: self.status().1, message, payload }
    }

    const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Input(_) | Self::Field { .. } => {
                (StatusCode::BAD_REQUEST, "ERROR_CODE_INPUT_ERROR")
            }
            Self::Syntax(_) => (StatusCode::BAD_REQUEST, "ERROR_CODE_SYNTAX_ERROR"),
            Self::Unauthorized | Self::Expired => {
                (StatusCode::UNAUTHORIZED, "ERROR_CODE_UNAUTHORIZED")
            }
            Self::MissingScope(_) | Self::NotAdmin => {
                (StatusCode::FORBIDDEN, "ERROR_CODE_ACCESS_DENIED")
            }
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "ERROR_CODE_NOT_FOUND"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "ERROR_CODE_METHOD_NOT_ALLOWED"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "ERROR_CODE_PAYLOAD_TOO_LARGE"),
            Self::MediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "ERROR_CODE_UNSUPPORTED_MEDIA_TYPE")
            }
            Self::Overloaded => (StatusCode::TOO_MANY_REQUESTS, "ERROR_CODE_TOO_MANY_REQUESTS"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "ERROR_CODE_FATAL"),
        }
    }

    /// The header that says what to do, in the words of RFC 6750 where it is about a token.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let challenge = match self {
            Self::Unauthorized => "Bearer",
            Self::Expired => "Bearer error=\"invalid_token\"",
            Self::NotAdmin => "Bearer error=\"insufficient_scope\"",
            Self::MissingScope(Scope::Read) => {
                "Bearer error=\"insufficient_scope\", scope=\"read\""
            }
            Self::MissingScope(Scope::Update) => {
                "Bearer error=\"insufficient_scope\", scope=\"update\""
            }
            Self::MissingScope(Scope::Publish) => {
                "Bearer error=\"insufficient_scope\", scope=\"publish\""
            }
            Self::Overloaded => return Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            _ => return None,
        };
        Some((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, _) = self.status();
        let header = self.header();
        let mut response = (status, Json(self.into_body())).into_response();
        response.headers_mut().extend(header);
        response
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let cause = text.rsplit_once("query string: ").map_or(&*text, |(_, cause)| cause);
        Self::Input(format!("the query string is wrong: {cause}"))
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::Input("the id in the address must be a whole number".to_owned())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the settings failed");
        Self::Internal
    }
}

impl From<AccessTokenError> for ApiError {
    fn from(error: AccessTokenError) -> Self {
        match error {
            AccessTokenError::Name => Self::field("name", error.to_string()),
            AccessTokenError::NoScope => Self::field("scopes", error.to_string()),
            AccessTokenError::Lifetime => Self::field("expires_in", error.to_string()),
            AccessTokenError::TooMany => Self::Input(error.to_string()),
            AccessTokenError::Store(error) => error.into(),
        }
    }
}

impl From<SigningKeyError> for ApiError {
    fn from(error: SigningKeyError) -> Self {
        match error {
            SigningKeyError::Missing => Self::NotFound("signing key with this id"),
            SigningKeyError::Store(error) => error.into(),
            error => Self::Input(error.to_string()),
        }
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Overloaded => Self::Overloaded,
            code => Self::Input(code.message().to_owned()),
        }
    }
}
