//! Which pages may open connections: the origins that browsers name, and those the operator allows.

use std::net::Ipv6Addr;
use std::str::FromStr;

/// One origin that is allowed, or all below a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AllowedOrigin(Pattern);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Pattern {
    /// What browsers name, letter by letter.
    Exact(String),
    /// What stands before a name of one or more labels, and what behind it.
    Below { scheme: String, host_and_port: String },
}

/// The text is no origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OriginError {
    /// There is no scheme.
    #[error("an origin starts with https:// or http://, as in https://www.example.com")]
    Scheme,
    /// There is something behind the host and the port.
    #[error("an origin has no path and ends without a slash, as in https://www.example.com")]
    Path,
    /// The host is none.
    #[error(
        "the host must be a name in ASCII or an address, and may start with *. for all names below it"
    )]
    Host,
    /// The port is none.
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

/// The origins whose pages may open connections.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<AllowedOrigin>);

impl AllowedOrigins {
    /// Only these, or all if there are none.
    pub fn new(origins: Vec<AllowedOrigin>) -> Self {
        Self(origins)
    }

    /// Whether a page of this origin may.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|allowed| allowed.covers(origin))
    }
}

impl AllowedOrigin {
    fn covers(&self, origin: &str) -> bool {
        match &self.0 {
            Pattern::Exact(exact) => exact == origin,
            Pattern::Below { scheme, host_and_port } => origin
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_suffix(host_and_port.as_str()))
                // The dot between stays with the name below.
                .and_then(|name| name.strip_suffix('.'))
                .is_some_and(is_host_name),
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        // What browsers name for pages without an origin.
        if text == "null" {
            return Ok(Self(Pattern::Exact(text.to_owned())));
        }
        let text = text.to_ascii_lowercase();
        let (scheme, default_port) = if text.starts_with("https://") {
            ("https://", 443)
        } else if text.starts_with("http://") {
            ("http://", 80)
        } else {
            return Err(OriginError::Scheme);
        };
        let authority = &text[scheme.len()..];
        if authority.contains(['/', '?', '#', '@']) {
            return Err(OriginError::Path);
        }
        let (host, port) = split_port(authority)?;
        let below = host.strip_prefix("*.");
        let host = match (below, ipv6(host)) {
            // Browsers write an address in its shortest form.
            (None, Some(address)) => format!("[{address}]"),
            _ if is_host_name(below.unwrap_or(host)) => below.unwrap_or(host).to_owned(),
            _ => return Err(OriginError::Host),
        };
        // Browsers leave out the port that goes without saying.
        let port = port.filter(|port| *port != default_port);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let host_and_port = format!("{host}{port}");
        Ok(Self(match below {
            Some(_) => Pattern::Below { scheme: scheme.to_owned(), host_and_port },
            None => Pattern::Exact(format!("{scheme}{host_and_port}")),
        }))
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), OriginError> {
    let after_host = authority.rfind(']').unwrap_or_default();
    let Some(colon) = authority[after_host..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(after_host + colon);
    let digits = &port[1..];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(port @ 1..) if is_number => Ok((host, Some(port))),
        _ => Err(OriginError::Port),
    }
}

fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(legal)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(texts: &[&str]) -> AllowedOrigins {
        let parse = |text: &&str| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        AllowedOrigins::new(texts.iter().map(parse).collect())
    }

    #[test]
    fn without_a_list_everybody_may() {
        for origin in ["https://a.example", "null", "whatever"] {
            assert!(allowed(&[]).allows(origin));
        }
    }

    #[test]
    fn scheme_host_and_port_must_all_be_right() {
        let list = allowed(&["https://A.example", "http://localhost:8787", "http://[0:0::1]:80"]);
        for origin in ["https://a.example", "http://localhost:8787", "http://[::1]"] {
            assert!(list.allows(origin), "{origin}");
        }
        for origin in [
            "http://a.example",
            "https://a.example:8443",
            "https://a.example.evil.example",
            "https://evil-a.example",
            "https://b.a.example",
            "http://localhost",
            "null",
            "",
        ] {
            assert!(!list.allows(origin), "{origin}");
        }
        assert!(allowed(&["https://a.example:443"]).allows("https://a.example"));
        assert!(allowed(&["null"]).allows("null"));
    }

    #[test]
    fn a_star_stands_for_names_below_a_host() {
        let list = allowed(&["https://*.webflow.io", "http://*.test:8080"]);
        for origin in ["https://shop.webflow.io", "https://a.b.webflow.io", "http://a.test:8080"] {
            assert!(list.allows(origin), "{origin}");
        }
        for origin in [
            "https://webflow.io",
            "https://.webflow.io",
            "https://evilwebflow.io",
            "http://shop.webflow.io",
            "https://shop.webflow.io:8443",
            "https://evil.example/.webflow.io",
            "https://evil.example#.webflow.io",
            "http://a.test",
        ] {
            assert!(!list.allows(origin), "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_the_reason() {
        for (text, error) in [
            ("", OriginError::Scheme),
            ("a.example", OriginError::Scheme),
            ("*", OriginError::Scheme),
            ("ftp://a.example", OriginError::Scheme),
            ("https://a.example/", OriginError::Path),
            ("https://a.example/chat", OriginError::Path),
            ("https://user@a.example", OriginError::Path),
            ("https://", OriginError::Host),
            ("https://a..example", OriginError::Host),
            ("https://*", OriginError::Host),
            ("https://a.*.example", OriginError::Host),
            ("https://*.[::1]", OriginError::Host),
            ("https://ä.example", OriginError::Host),
            ("https://[::g]", OriginError::Host),
            ("https://[", OriginError::Host),
            ("https://a.example:", OriginError::Port),
            ("https://a.example:0", OriginError::Port),
            ("https://a.example:+1", OriginError::Port),
            ("https://a.example:65536", OriginError::Port),
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(error), "{text}");
        }
    }
}
