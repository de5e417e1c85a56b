//! Errors as the Metadata API tells them.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::ErrorCode;
use serde::Serialize;

use crate::store::StoreError;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Input(String),
    #[error(
        "the Authorization header must be `Bearer` and the admin token, which is in the data directory"
    )]
    Unauthorized,
    #[error("there is no {0}")]
    NotFound(&'static str),
    #[error("the server has more to do than it may queue; try again later")]
    Overloaded,
    #[error("the server cannot do this now; its log says why")]
    Internal,
}

/// The body of an answer that tells an error.
#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: String,
}

impl ApiError {
    const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Input(_) => (StatusCode::BAD_REQUEST, "ERROR_CODE_INPUT_ERROR"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "ERROR_CODE_UNAUTHORIZED"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "ERROR_CODE_NOT_FOUND"),
            Self::Overloaded => (StatusCode::TOO_MANY_REQUESTS, "ERROR_CODE_TOO_MANY_REQUESTS"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "ERROR_CODE_FATAL"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        (status, Json(ErrorBody { code, message: self.to_string() })).into_response()
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Input(rejection.body_text())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the settings failed");
        Self::Internal
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
