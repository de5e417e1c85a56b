//! The pages and the SDK, as the binary carries them.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

/// One embedded file.
pub(crate) struct File {
    /// The path it is served at.
    address: &'static str,
    content_type: &'static str,
    /// Changes with the content.
    etag: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file at `path`. `connection_hash` goes into the pages, so that they work as they come.
pub(crate) fn respond(path: &str, headers: &HeaderMap, connection_hash: Option<&str>) -> Response {
    let Some(file) = find(path) else { return elsewhere(path) };
    if let (true, Some(hash)) = (is_page(file), connection_hash) {
        let page = String::from_utf8_lossy(file.bytes)
            .replacen(EMPTY_HASH, &format!("{HASH_START}{hash}\""), 1)
            .replace(EXAMPLE_HASH, hash);
        return (base_headers(file, HeaderValue::from_static("no-store")), page).into_response();
    }
    let mut answer = base_headers(file, HeaderValue::from_static("no-cache"));
    let etag = format!("\"{}\"", file.etag);
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let unchanged = known
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answer.insert(ETAG, etag);
    }
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if unchanged {
        return (StatusCode::NOT_MODIFIED, answer).into_response();
    }
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok())
        .unwrap_or_default();
    let takes_gzip = accepted
        .split(',')
        .any(|coding| coding.trim() == "gzip" || coding.trim().starts_with("gzip;q=1"));
    let bytes = if takes_gzip && file.gzip.len() < file.bytes.len() {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        file.gzip
    } else {
        file.bytes
    };
    (answer, Body::from(Bytes::from_static(bytes))).into_response()
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.address == path)
}

/// A folder has its slash, or the addresses in its page would lead past it.
fn elsewhere(path: &str) -> Response {
    let Some(folder) = find(&format!("{path}/")) else { return not_found(path) };
    // Without the server's own name, which is not the browser's where a proxy is in between.
    let name = folder.address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Redirect::permanent(&format!("{name}/")).into_response()
}

fn base_headers(file: &File, cache: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(CACHE_CONTROL, cache);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if file.address.starts_with(SDK) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    headers
}

fn is_page(file: &File) -> bool {
    file.content_type.starts_with("text/html")
}

fn not_found(path: &str) -> Response {
    let without_sdk =
        path.starts_with(SDK) && !FILES.iter().any(|file| file.address.starts_with(SDK));
    let text = if without_sdk {
        "This server was built without the SDK. Run `npm run build` and start it again.\n"
    } else {
        "There is nothing at this address.\n"
    };
    (StatusCode::NOT_FOUND, text).into_response()
}

const SDK: &str = "/sdk/";
const HASH_START: &str = "data-connection-hash=\"";
const EMPTY_HASH: &str = "data-connection-hash=\"\"";
/// What stands for it in the examples.
const EXAMPLE_HASH: &str = "CONNECTION_HASH";

#[cfg(test)]
mod tests {
    use axum::http::header::LOCATION;

    use super::*;

    #[test]
    fn each_page_has_the_place_for_the_hash() {
        for (address, place) in
            [("/", EMPTY_HASH), ("/webflow/", EXAMPLE_HASH), ("/webflow/recipe.html", EXAMPLE_HASH)]
        {
            let page = FILES.iter().find(|file| file.address == address);
            let page = page.expect("the page is embedded");
            assert_eq!(String::from_utf8_lossy(page.bytes).matches(place).count(), 1, "{address}");
        }
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let style = FILES
            .iter()
            .find(|file| file.address == "/style.css")
            .expect("the page has a style sheet");
        let mut headers = HeaderMap::new();
        assert_eq!(respond("/style.css", &headers, None).status(), StatusCode::OK);
        let tag = format!("W/\"{}\"", style.etag);
        headers
            .insert(IF_NONE_MATCH, HeaderValue::from_str(&tag).expect("an etag is a legal value"));
        assert_eq!(respond("/style.css", &headers, None).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn a_folder_without_its_slash_is_shown_the_way_to_it() {
        let answer = respond("/webflow", &HeaderMap::new(), None);
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(answer.headers()[LOCATION], "webflow/", "also below the path of a proxy");
        for address in ["/webflow/site.css/", "//", "/sdk"] {
            let answer = respond(address, &HeaderMap::new(), None);
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{address}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let headers = HeaderMap::new();
        assert_eq!(respond("/../Cargo.toml", &headers, None).status(), StatusCode::NOT_FOUND);
        assert_eq!(respond("/sdk/nothing.js", &headers, None).status(), StatusCode::NOT_FOUND);
    }
}
