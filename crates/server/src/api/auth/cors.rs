//! Pages of other origins may ask, too: nothing here depends on cookies.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Answers a browser's question whether a page may ask, and lets it read the answer.
pub(super) async fn for_everybody(request: Request, next: Next) -> Response {
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

const HEADERS: [(HeaderName, &str); 6] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
    // The star stands for every header but this one.
    (ACCESS_CONTROL_ALLOW_HEADERS, "*, Authorization"),
    (ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"),
    (ACCESS_CONTROL_MAX_AGE, "86400"),
    (CACHE_CONTROL, "no-store"),
];
