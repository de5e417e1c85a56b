//! Which addresses the server may call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;

/// How far the server's own calls may go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// To addresses of the public internet only.
    #[default]
    Public,
    /// To the server's own machine and network too.
    Anywhere,
}

/// What is wrong with an address to be called, as far as it can be seen without asking anybody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL.
    #[error("it is not a URL like https://example.com/path: {0}")]
    Malformed(String),
    /// It is not for HTTP.
    #[error("it must begin with https:// or http://")]
    Scheme,
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// It has a user name in it, and maybe a password.
    #[error("it must not have a user name or a password in it")]
    Credentials,
    /// It has a fragment, which is never sent.
    #[error("it must not have a # in it")]
    Fragment,
    /// The host is known to be none of the public internet.
    #[error("{0} is not an address of the public internet")]
    NotPublic(String),
}

/// Reads an address that the server shall call.
pub fn parse_url(text: &str, reach: Reach) -> Result<Uri, UrlError> {
    if text.contains('#') {
        return Err(UrlError::Fragment);
    }
    let uri: Uri = text.parse().map_err(|error| UrlError::Malformed(format!("{error}")))?;
    reach.check(&uri)?;
    Ok(uri)
}

impl Reach {
    /// Whether an address may be connected to.
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public => is_public(address),
        }
    }

    /// Says what is wrong with a URL. A name's addresses are judged with each connection.
    pub fn check(self, uri: &Uri) -> Result<(), UrlError> {
        match uri.scheme_str() {
            Some("https" | "http") => {}
            _ => return Err(UrlError::Scheme),
        }
        let authority = uri.authority().ok_or(UrlError::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        let host = authority.host();
        if host.is_empty() {
            return Err(UrlError::NoHost);
        }
        let allowed = match literal(host) {
            Some(address) => self.allows(address),
            None => self == Self::Anywhere || !is_this_machine(host),
        };
        if allowed { Ok(()) } else { Err(UrlError::NotPublic(host.to_owned())) }
    }
}

/// The address that a URL's host is, where it is no name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// Reserved for this machine by RFC 6761.
fn is_this_machine(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, by 6to4, or by NAT64.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let begins_with =
        |net: Ipv4Addr, bits: u32| (address.to_bits() ^ net.to_bits()) >> (32 - bits) == 0;
    !NOT_PUBLIC_V4.iter().any(|&([a, b, c], bits)| begins_with(Ipv4Addr::new(a, b, c, 0), bits))
}

/// Only 2000::/3 is given out to the public, and not all of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let begins_with = |[first, second]: [u16; 2], bits: u32| {
        let net = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
        (address.to_bits() ^ net.to_bits()) >> (128 - bits) == 0
    };
    begins_with([0x2000, 0], 3) && !NOT_PUBLIC_V6.iter().any(|&(net, bits)| begins_with(net, bits))
}

/// IPv4 networks with a purpose of their own, by the registry of RFC 6890, and how many bits name
/// each.
const NOT_PUBLIC_V4: [([u8; 3], u32); 15] = [
    ([0, 0, 0], 8),       // this network
    ([10, 0, 0], 8),      // private
    ([100, 64, 0], 10),   // between a provider and its customers
    ([127, 0, 0], 8),     // this machine
    ([169, 254, 0], 16),  // link-local, the metadata of clouds among it
    ([172, 16, 0], 12),   // private
    ([192, 0, 0], 24),    // protocols
    ([192, 0, 2], 24),    // documentation
    ([192, 88, 99], 24),  // relays of 6to4
    ([192, 168, 0], 16),  // private
    ([198, 18, 0], 15),   // benchmarks
    ([198, 51, 100], 24), // documentation
    ([203, 0, 113], 24),  // documentation
    ([224, 0, 0], 4),     // multicast
    ([240, 0, 0], 4),     // reserved, and broadcast
];

/// The same within 2000::/3.
const NOT_PUBLIC_V6: [([u16; 2], u32); 3] = [
    ([0x2001, 0], 23),     // protocols: Teredo, benchmarks, identifiers
    ([0x2001, 0xdb8], 32), // documentation
    ([0x3fff, 0], 20),     // documentation
];
