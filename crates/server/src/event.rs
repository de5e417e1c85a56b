//! `xano-realtime event`: pushes an event to a channel of a running server, over its Metadata API.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, InvalidHeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use protocol::RowId;
use rustls::RootCertStore;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::config::EventConfig;
use crate::outbound::{Limits, Outbound, OutboundError, Reach, UrlError, parse_url};
use crate::store::{DataDir, DataDirError};

/// Why an event was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The data is no JSON.
    #[error("{source_name} is no JSON; a text needs quotes of its own, as in --data '\"hello\"'")]
    Data {
        /// Where it comes from.
        source_name: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The data cannot be read.
    #[error("cannot read the data from the standard input")]
    Input(#[source] io::Error),
    /// There is too much of it.
    #[error("the data has more than {MAX_DATA} bytes, which no server takes")]
    TooLong,
    /// The address is none.
    #[error("--url {url} is no address of a server")]
    Url {
        /// What was given.
        url: String,
        /// Why not.
        source: UrlError,
    },
    /// The address has more in it than where the server is.
    #[error("--url {0} must not have a ? in it")]
    Query(String),
    /// The data directory has no admin token.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The file with the admin token cannot be read.
    #[error("cannot read the admin token from {}", path.display())]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something that cannot be sent as a token.
    #[error("{} does not hold an admin token", path.display())]
    NoToken {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: InvalidHeaderValue,
    },
    /// TLS cannot be used here.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The request could not be put together.
    #[error("cannot ask the server")]
    Request(#[from] hyper::http::Error),
    /// There is no answer.
    #[error("the server at {url} cannot be asked; start it, or name another with --url")]
    NoAnswer {
        /// Where.
        url: String,
        /// Why.
        source: OutboundError,
    },
    /// It is not this server's token.
    #[error(
        "the server at {url} does not know the admin token of {}; name that server's data directory with \
         --data-dir, or the file with its token with --token-file", path.display()
    )]
    Unauthorized {
        /// Where.
        url: String,
        /// Where the token is from.
        path: PathBuf,
    },
    /// The server gives a reason.
    #[error("the server refuses the event for the channel {channel:?}: {message}")]
    Refused {
        /// Which channel.
        channel: String,
        /// What the server says.
        message: String,
    },
    /// This is another server than ours.
    #[error("what answers at {url} is no server of this kind (HTTP {status})")]
    NotOurs {
        /// Where.
        url: String,
        /// How it answers.
        status: StatusCode,
    },
}

#[derive(Serialize)]
struct Event<'a> {
    channel: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_table: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_id: Option<&'a RowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

#[derive(Deserialize)]
struct Delivered {
    delivered_local: usize,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// Pushes the event; how many connections to that node have got it. To be called inside a tokio
/// runtime; may block while it reads the standard input.
pub async fn push(config: &EventConfig) -> Result<usize, EventError> {
    let data = data(&config.data)?;
    let uri = address(&config.url)?;
    let (path, token) = token(config)?;
    let event = Event {
        channel: &config.channel,
        data: &data,
        auth_table: config.auth_table,
        auth_id: config.auth_id.as_ref(),
        idempotency_key: config.idempotency_key.as_deref(),
    };
    let body = serde_json::to_vec(&event)
        .map_err(|source| EventError::Data { source_name: "--data", source })?;
    let client = match uri.scheme_str() {
        // Nobody's certificate is looked at.
        Some("http") => Outbound::with_roots(Reach::Anywhere, RootCertStore::empty())?,
        _ => Outbound::new(Reach::Anywhere)?,
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(AUTHORIZATION, token)
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body))?;
    let limits = Limits { timeout: PATIENCE, max_body: MAX_ANSWER };
    let url = || config.url.clone();
    let answer = client.send(request, limits).await;
    let answer = answer.map_err(|source| EventError::NoAnswer { url: url(), source })?;
    if answer.status() == StatusCode::UNAUTHORIZED {
        return Err(EventError::Unauthorized { url: url(), path });
    }
    read(&answer, config)
}

fn read(answer: &Response<Bytes>, config: &EventConfig) -> Result<usize, EventError> {
    if answer.status() == StatusCode::OK
        && let Ok(Delivered { delivered_local }) = serde_json::from_slice(answer.body())
    {
        return Ok(delivered_local);
    }
    match serde_json::from_slice(answer.body()) {
        Ok(Refusal { message }) => {
            Err(EventError::Refused { channel: config.channel.clone(), message })
        }
        Err(_) => Err(EventError::NotOurs { url: config.url.clone(), status: answer.status() }),
    }
}

fn data(given: &str) -> Result<Box<RawValue>, EventError> {
    let (text, source_name) = match given {
        "-" => (standard_input()?, "the standard input"),
        data => (data.to_owned(), "--data"),
    };
    if text.len() > MAX_DATA {
        return Err(EventError::TooLong);
    }
    serde_json::from_str(&text).map_err(|source| EventError::Data { source_name, source })
}

fn standard_input() -> Result<String, EventError> {
    let mut text = String::new();
    let mut input = io::stdin().take(MAX_DATA as u64 + 1);
    input.read_to_string(&mut text).map_err(EventError::Input)?;
    Ok(text)
}

fn address(url: &str) -> Result<Uri, EventError> {
    if url.contains('?') {
        return Err(EventError::Query(url.to_owned()));
    }
    let failed = |source| EventError::Url { url: url.to_owned(), source };
    parse_url(&format!("{}{EVENT}", url.trim_end_matches('/')), Reach::Anywhere).map_err(failed)
}

/// The admin token as a header has it, and the file it is from.
fn token(config: &EventConfig) -> Result<(PathBuf, HeaderValue), EventError> {
    let (path, token) = match &config.token_file {
        Some(path) => (path.clone(), read_line(path)?),
        None => {
            let data = DataDir::existing(&config.data_dir);
            (data.admin_token_path(), data.existing_admin_token()?)
        }
    };
    match HeaderValue::from_str(&format!("Bearer {token}")) {
        Ok(mut header) => {
            header.set_sensitive(true);
            Ok((path, header))
        }
        Err(source) => Err(EventError::NoToken { path, source }),
    }
}

fn read_line(path: &Path) -> Result<String, EventError> {
    let failed = |source| EventError::TokenFile { path: path.to_owned(), source };
    let mut text = String::new();
    let mut file = File::open(path).map_err(failed)?.take(MAX_TOKEN);
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(text.trim().to_owned())
}

/// Where servers take events.
const EVENT: &str = "/api:meta/workspace/1/realtime/event";
/// As much as servers take, in bytes.
const MAX_DATA: usize = 1 << 20;
/// The most that is read of a file with a token, in bytes.
const MAX_TOKEN: u64 = 4_096;
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(30);
