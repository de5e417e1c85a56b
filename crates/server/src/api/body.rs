//! What a request brings: JSON or XanoScript, a query, an id.

use std::fmt;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use hub::ChannelSettings;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::channels::{ChannelInput, is_possible};
use super::{ApiError, xanoscript};

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

/// A body that says it is JSON.
pub(super) struct JsonBytes(pub(super) Bytes);

/// A channel, as JSON or as XanoScript.
pub(super) struct ChannelBody(pub(super) ChannelSettings);

/// The query string.
pub(super) struct QueryOf<T>(pub(super) T);

/// The id at the end of the address.
pub(super) struct Id(pub(super) u64);

/// A JSON object. A struct alone would take an array too, for its fields in their order.
pub(super) struct Object<T>(pub(super) T);

/// What a Content-Type says the body is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Json,
    XanoScript,
    Other,
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, state).await?;
        from_json(&bytes).map(Self)
    }
}

impl<S: Sync> FromRequest<S> for JsonBytes {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        match kind(request.headers()) {
            Kind::Json => read(request).await.map(Self),
            Kind::XanoScript => {
                // A trigger's stack is the script that somebody may bring here; it is told what else
                // there is.
                xanoscript::parse(text(&read(request).await?)?)?;
                Err(ApiError::MediaType("application/json"))
            }
            Kind::Other => Err(ApiError::MediaType("application/json")),
        }
    }
}

impl<S: Sync> FromRequest<S> for ChannelBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        match kind(request.headers()) {
            Kind::Json => from_json::<ChannelInput>(&read(request).await?)?.check().map(Self),
            Kind::XanoScript => {
                let channel = xanoscript::parse(text(&read(request).await?)?)?;
                super::channels::check_description(&channel.description)?;
                Ok(Self(channel))
            }
            Kind::Other => Err(ApiError::MediaType("application/json or text/x-xanoscript")),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::from_request_parts(parts, state).await?;
        Ok(Self(query))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::from_request_parts(parts, state).await?;
        is_possible(id).then_some(Self(id)).ok_or(ApiError::NotFound("row with an id so large"))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// Reads a JSON object; an error names the field.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let cause = error.into_inner();
        match cause.is_data() {
            true if field == "." => ApiError::Input(cause.to_string()),
            true => ApiError::field(&field, cause.to_string()),
            false => not_json(&cause),
        }
    })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::Input(format!("the body is not JSON: {error}"))
}

/// The whole body; the router says how large it may be.
async fn read(request: Request) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::Input("the body did not come whole".to_owned()),
    })
}

fn text(bytes: &[u8]) -> Result<&str, ApiError> {
    std::str::from_utf8(bytes).map_err(|_| ApiError::Input("the body is not UTF-8".to_owned()))
}

fn kind(headers: &HeaderMap) -> Kind {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else if essence.eq_ignore_ascii_case("text/x-xanoscript") {
        Kind::XanoScript
    } else {
        Kind::Other
    }
}
