//! Requests to an API: where they go, and what streams back.
//!
//! Addresses are spelled the way axios does it, which Xano's own SDK leaves them to, so that a server
//! cannot tell the two apart.

mod events;
mod query;

pub use events::{EventParser, EventTooLarge, StreamedEvent};
pub use query::{MAX_DEPTH, Parameter, Shape, Unreadable, encode};

/// The address of a request. `endpoint` goes below `base` with one slash between the two, unless it
/// is an address of its own; `query` goes to what the address already asks for.
pub fn address(base: &str, endpoint: &str, query: &str) -> String {
    let mut address = String::new();
    if is_absolute(endpoint) {
        address.push_str(endpoint);
    } else if endpoint.is_empty() {
        address.push_str(base);
    } else {
        let base_end = base.bytes().rposition(|byte| byte != b'/').map_or(0, |last| last + 1);
        let start = endpoint.bytes().position(|byte| byte != b'/').unwrap_or(endpoint.len());
        address.push_str(&base[..base_end]);
        address.push('/');
        address.push_str(&endpoint[start..]);
    }
    if query.is_empty() {
        return address;
    }
    if let Some(hash) = address.bytes().position(|byte| byte == b'#') {
        address.truncate(hash);
    }
    address.push(if address.bytes().any(|byte| byte == b'?') { '&' } else { '?' });
    address.push_str(query);
    address
}

/// Begins with `//`, or with a scheme and `://`.
fn is_absolute(address: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let end = address.bytes().position(|byte| !is_letter(byte)).unwrap_or(address.len());
    let (scheme, rest) = address.split_at(end);
    match scheme.bytes().next() {
        None => rest.starts_with("//"),
        Some(first) => first.is_ascii_alphabetic() && rest.starts_with("://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_goes_below_the_base_with_one_slash_between_them() {
        for (base, endpoint, expected) in [
            ("https://x.io/api:1", "/users", "https://x.io/api:1/users"),
            ("https://x.io/api:1/", "users", "https://x.io/api:1/users"),
            ("https://x.io/api:1//", "/users/", "https://x.io/api:1/users/"),
            ("https://x.io/api:1/", "", "https://x.io/api:1/"),
            ("/api:1", "/users", "/api:1/users"),
            ("https://x.io", "http:users", "https://x.io/http:users"),
            ("https://x.io", "/a//b", "https://x.io/a//b"),
        ] {
            assert_eq!(address(base, endpoint, ""), expected, "{base} + {endpoint}");
        }
    }

    #[test]
    fn an_endpoint_that_is_an_address_stays_what_it_is() {
        for endpoint in ["https://y.io/a", "HTTP://y.io", "//y.io/a", "///a", "git+ssh://y.io"] {
            assert_eq!(address("https://x.io", endpoint, ""), endpoint);
        }
        for endpoint in ["1x://y", "a b://y", "://y", "a/b://y", "a//y"] {
            assert_ne!(address("https://x.io", endpoint, ""), endpoint);
        }
    }

    #[test]
    fn the_query_joins_what_the_endpoint_asks_and_the_fragment_goes() {
        for (endpoint, expected) in [
            ("/a", "https://x.io/a?b=1"),
            ("/a?c=2", "https://x.io/a?c=2&b=1"),
            ("/a#top", "https://x.io/a?b=1"),
            ("/a?c=2#top", "https://x.io/a?c=2&b=1"),
        ] {
            assert_eq!(address("https://x.io", endpoint, "b=1"), expected);
        }
        assert_eq!(address("https://x.io", "/a#top", ""), "https://x.io/a#top");
    }
}
