//! Where to connect: the application's settings, parsed once.

/// What an application gives to `new XanoClient`, as far as realtime needs it.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The instance's address.
    pub instance_base_url: Option<String>,
    /// The same, as parts of Xano's documentation spell it.
    pub instance_base_url_by_docs: Option<String>,
    /// The address of any API group of the instance.
    pub api_group_base_url: Option<String>,
    /// The connection hash, by its name in the old SDK.
    pub realtime_connection_canonical: Option<String>,
    /// The connection hash, by its name in Xano's documentation.
    pub realtime_canonical: Option<String>,
    /// The connection hash, by its first name.
    pub realtime_connection_hash: Option<String>,
    /// Who the connection is for; nobody in particular without one.
    pub realtime_auth_token: Option<String>,
}

/// Why there is nowhere to connect to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConfigError {
    /// No address at all.
    NoBaseUrl,
    /// No connection hash.
    NoCanonical,
    /// The address is no `http:` or `https:` URL.
    InvalidBaseUrl,
}

impl Config {
    /// The address of the WebSocket: `http:` becomes `ws:` and `https:` becomes `wss:`, host and
    /// port stay, the path goes. An empty setting counts as none.
    pub fn address(&self) -> Result<String, ConfigError> {
        let base = first(&[
            &self.instance_base_url,
            &self.instance_base_url_by_docs,
            &self.api_group_base_url,
        ])
        .ok_or(ConfigError::NoBaseUrl)?;
        let canonical = first(&[
            &self.realtime_connection_canonical,
            &self.realtime_canonical,
            &self.realtime_connection_hash,
        ])
        .ok_or(ConfigError::NoCanonical)?;
        let base = base.trim_ascii();
        // Searching bytes: the search for patterns in text is a few KB that nothing else needs.
        let colon = base.bytes().position(|b| b == b':').ok_or(ConfigError::InvalidBaseUrl)?;
        let (scheme, rest) = base.split_at(colon);
        let rest = rest.strip_prefix("://").ok_or(ConfigError::InvalidBaseUrl)?;
        let scheme = if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") {
            "wss://"
        } else if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") {
            "ws://"
        } else {
            return Err(ConfigError::InvalidBaseUrl);
        };
        let end = rest.bytes().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
        let authority = &rest[..end];
        let host = match authority.bytes().rposition(|b| b == b'@') {
            Some(at) => &authority[at + 1..],
            None => authority,
        };
        if host.is_empty() || host.starts_with(':') {
            return Err(ConfigError::InvalidBaseUrl);
        }
        let mut address = String::from(scheme);
        for part in [host, "/rt/", canonical.trim_ascii()] {
            address.push_str(part);
        }
        Ok(address)
    }
}

impl ConfigError {
    /// One sentence for the developer; the first two are the old SDK's, word for word.
    pub fn message(self) -> &'static str {
        match self {
            Self::NoBaseUrl => {
                "Please configure instanceBaseUrl or apiGroupBaseUrl setting before connecting to realtime"
            }
            Self::NoCanonical => {
                "Please configure realtimeConnectionCanonical setting before connecting to realtime"
            }
            Self::InvalidBaseUrl => {
                "The instanceBaseUrl or apiGroupBaseUrl setting is not a valid http: or https: URL"
            }
        }
    }

    /// The same for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoBaseUrl => "no_base_url",
            Self::NoCanonical => "no_canonical",
            Self::InvalidBaseUrl => "invalid_base_url",
        }
    }
}

fn first<'a>(settings: &[&'a Option<String>]) -> Option<&'a str> {
    settings
        .iter()
        .filter_map(|setting| setting.as_deref())
        .find(|text| !text.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base: &str) -> Result<String, ConfigError> {
        Config {
            instance_base_url: Some(base.to_owned()),
            realtime_canonical: Some("HASH".to_owned()),
            ..Config::default()
        }
        .address()
    }

    #[test]
    fn scheme_and_port_follow_the_base_url_and_the_path_goes() {
        for (base, expected) in [
            ("https://x.xano.io", "wss://x.xano.io/rt/HASH"),
            ("https://x.xano.io/api:abc", "wss://x.xano.io/rt/HASH"),
            ("http://localhost:8787/", "ws://localhost:8787/rt/HASH"),
            (" HTTPS://x.xano.io:8443/a/b?c#d ", "wss://x.xano.io:8443/rt/HASH"),
            ("http://[::1]:80", "ws://[::1]:80/rt/HASH"),
            ("https://me:secret@x.xano.io/", "wss://x.xano.io/rt/HASH"),
            ("wss://x.xano.io", "wss://x.xano.io/rt/HASH"),
        ] {
            assert_eq!(address(base).as_deref(), Ok(expected), "{base}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for base in ["x.xano.io", "ftp://x.xano.io", "https://", "https:///rt", "http://:80"] {
            assert_eq!(address(base), Err(ConfigError::InvalidBaseUrl), "{base}");
        }
    }

    #[test]
    fn the_settings_have_an_order_and_an_empty_one_counts_as_none() {
        let mut config = Config {
            api_group_base_url: Some("https://group.io/api:1".to_owned()),
            realtime_connection_hash: Some("third".to_owned()),
            ..Config::default()
        };
        assert_eq!(config.address().as_deref(), Ok("wss://group.io/rt/third"));
        config.instance_base_url_by_docs = Some("https://docs.io".to_owned());
        config.realtime_canonical = Some("second".to_owned());
        assert_eq!(config.address().as_deref(), Ok("wss://docs.io/rt/second"));
        config.instance_base_url = Some("https://instance.io".to_owned());
        config.realtime_connection_canonical = Some("first".to_owned());
        assert_eq!(config.address().as_deref(), Ok("wss://instance.io/rt/first"));
        config.instance_base_url = Some(String::new());
        config.realtime_connection_canonical = Some(String::new());
        assert_eq!(config.address().as_deref(), Ok("wss://docs.io/rt/second"));
    }

    #[test]
    fn a_missing_base_url_is_told_before_a_missing_hash() {
        assert_eq!(Config::default().address(), Err(ConfigError::NoBaseUrl));
        let config =
            Config { instance_base_url: Some("https://x.io".to_owned()), ..Config::default() };
        assert_eq!(config.address(), Err(ConfigError::NoCanonical));
    }
}
