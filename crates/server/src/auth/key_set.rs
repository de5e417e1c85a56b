//! The keys of an issuer that changes them: fetched, kept, and fetched again.

mod schedule;

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

use super::jwk::{KeySetError, parse_set};
use super::key::PublicKey;
use crate::outbound::{Limits, Outbound, OutboundError, Reach, UrlError, parse_url};
use schedule::Schedule;

/// Where an issuer lists its keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySetSource {
    /// At an address.
    Url(Uri),
    /// In a file, which another program may replace.
    File(PathBuf),
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address does not answer as it should.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// It answers that it will not.
    #[error("the answer's status is {0}")]
    Status(StatusCode),
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// The file is too long.
    #[error("it has more than {MAX_SET} bytes")]
    TooLong,
    /// What came is something else.
    #[error(transparent)]
    Set(#[from] KeySetError),
}

/// The keys of one source: those that came last.
#[derive(Debug)]
pub(super) struct KeySet {
    source: KeySetSource,
    keys: RwLock<Arc<[PublicKey]>>,
    schedule: Mutex<Schedule>,
    /// Wakes whoever fetches, because the schedule has changed.
    changed: Notify,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
}

impl FromStr for KeySetSource {
    type Err = UrlError;

    /// What looks like an address is one; everything else is a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.contains("://") {
            true => parse_url(text, Reach::Anywhere).map(Self::Url),
            false => Ok(Self::File(text.into())),
        }
    }
}

impl KeySetSource {
    /// Whether others can change what comes from there.
    fn is_open_to_others(&self) -> bool {
        let Self::Url(uri) = self else { return false };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        uri.scheme_str() != Some("https") && !is_here
    }
}

impl std::fmt::Display for KeySetSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(uri) => uri.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl KeySet {
    /// The keys of `source`. A file must be there and right; an address may answer later.
    pub(super) fn open(source: KeySetSource) -> Result<Self, FetchError> {
        if source.is_open_to_others() {
            tracing::warn!(
                %source,
                "the key set's address is not https: who is on the way can make tokens"
            );
        }
        let keys = match &source {
            KeySetSource::File(path) => parse_set(&read_file(path)?)?,
            KeySetSource::Url(_) => Vec::new(),
        };
        Ok(Self {
            source,
            keys: RwLock::new(keys.into()),
            schedule: Mutex::new(Schedule::new(Instant::now())),
            changed: Notify::new(),
            ended: watch::Sender::new(0),
        })
    }

    pub(super) fn keys(&self) -> Arc<[PublicKey]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the keys whenever they are due; never ends.
    pub(super) async fn keep(self: Arc<Self>, client: Outbound) {
        loop {
            let due = self.schedule().next();
            tokio::select! {
                () = sleep_until(due.into()) => {}
                () = self.changed.notified() => continue,
            }
            self.schedule().begin();
            let fetched = self.fetch(&client).await;
            self.take(fetched);
            self.ended.send_modify(|ended| *ended += 1);
        }
    }

    /// Tells when a fetch ends that has not ended yet.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// A token names a key that is in no set: whether this one is fetched now.
    pub(super) fn wish(&self) -> bool {
        let fetching = self.schedule().wish(Instant::now());
        self.changed.notify_one();
        fetching
    }

    async fn fetch(&self, client: &Outbound) -> Result<Fetched, FetchError> {
        let uri = match &self.source {
            KeySetSource::Url(uri) => uri.clone(),
            KeySetSource::File(path) => {
                let path = path.clone();
                let bytes = spawn_blocking(move || read_file(&path)).await;
                let keys = parse_set(&bytes.map_err(io::Error::other)??)?;
                return Ok(Fetched { keys, max_age: None });
            }
        };
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, TYPES);
        let response = client.send(request, LIMITS).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let keys = parse_set(response.body())?;
        Ok(Fetched { keys, max_age: max_age(response.headers()) })
    }

    /// Keeps what was fetched. Keys that are no longer listed are gone; where nothing came, those there
    /// are stay, until they are too old.
    fn take(&self, fetched: Result<Fetched, FetchError>) {
        let source = &self.source;
        let now = Instant::now();
        match fetched {
            Ok(Fetched { keys, max_age }) => {
                if keys.is_empty() {
                    tracing::warn!(%source, "the key set has no key that tokens can be verified with");
                }
                tracing::debug!(%source, keys = keys.len(), "a key set was fetched");
                self.replace(keys);
                // Last, so that whoever finds no fetch under way finds its keys.
                self.schedule().succeeded(now, max_age);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%source, error, "a key set cannot be fetched; it is tried again");
                if self.schedule().failed(now) {
                    tracing::error!(%source, "the keys are too old to be used any longer");
                    self.replace(Vec::new());
                }
            }
        }
    }

    fn replace(&self, keys: Vec<PublicKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Fetched {
    keys: Vec<PublicKey>,
    /// How long the issuer says they are good.
    max_age: Option<Duration>,
}

fn read_file(path: &Path) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SET as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_SET { Err(FetchError::TooLong) } else { Ok(bytes) }
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let mut parts = lines.flat_map(|line| line.split(','));
    let seconds = parts.find_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        let is_age = name.eq_ignore_ascii_case("max-age");
        is_age.then(|| value.trim_matches('"').parse().ok()).flatten()
    });
    seconds.map(Duration::from_secs)
}

/// The most a key set may take, in bytes.
const MAX_SET: usize = 256 << 10;
const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_body: MAX_SET };
const TYPES: hyper::header::HeaderValue =
    hyper::header::HeaderValue::from_static("application/jwk-set+json, application/json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_says_in_its_own_way_how_long_its_keys_are_good() {
        let check = |lines: &[&'static str], expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CACHE_CONTROL, line.parse().expect("it can be a header"));
            }
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{lines:?}");
        };
        check(&["max-age=300"], Some(300));
        check(&["public, Max-Age=\"3600\", must-revalidate"], Some(3_600));
        check(&["public", "s-maxage=5, max-age=0"], Some(0));
        for none in
            ["", "no-store", "max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=a"]
        {
            check(&[none], None);
        }
        check(&["max-age=99999999999999999999999"], None);
        check(&[], None);
    }
}
