//! Who is at the other end: the address that limits count by, behind proxies too.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The address of the client, as far as it can be known.
///
/// That is the other end of the connection; where that is a trusted proxy, it is the last address in
/// `X-Forwarded-For` that is none. What a client writes into that header itself stands before what
/// the proxies add, and is never reached.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PeerAddress(IpAddr);

/// The proxies whose word on their clients' addresses is taken; none by default.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// A proxy, or a network of them.
#[derive(Clone, Copy, Debug)]
pub struct TrustedProxy(IpNet);

/// The text names no proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a proxy is an IP address or a network, as in 127.0.0.1, ::1 or 10.0.0.0/8")]
pub struct TrustedProxyError;

impl PeerAddress {
    /// Who sent a request with these headers over a connection from `socket`.
    pub fn of(socket: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let mut address = socket.to_canonical();
        if !trusted.contains(address) {
            return Self(address);
        }
        // Each proxy adds whom it got the request from at the end, maybe in a line of its own.
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for text in line.to_str().unwrap_or_default().rsplit(',') {
                // From here on nothing can be relied on: the proxy before is the best that is known.
                let Some(forwarded) = parse(text.trim()) else { return Self(address) };
                address = forwarded;
                if !trusted.contains(address) {
                    return Self(address);
                }
            }
        }
        Self(address)
    }

    /// The address itself.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// What limits are counted by: the address, or of an IPv6 address the first 64 bits, because who
    /// has one of them has all below it.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
            }
        }
    }
}

impl From<IpAddr> for PeerAddress {
    /// The client at the other end of a connection without proxies.
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl TrustedProxies {
    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedProxy>>(proxies: I) -> Self {
        Self(proxies.into_iter().map(|proxy| proxy.0).collect())
    }
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        address.or_else(|_| text.parse()).map(Self).map_err(|_| TrustedProxyError)
    }
}

/// An address as proxies write it; some add the port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(socket: &str, lines: &[&'static str], trusted: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().expect("it can be a header"));
        }
        let trusted = trusted.iter().map(|text| text.parse::<TrustedProxy>().expect("a proxy"));
        let socket = socket.parse().expect("an address");
        let peer = PeerAddress::of(socket, &headers, &trusted.collect());
        assert_eq!(peer.ip(), expected.parse::<IpAddr>().expect("an address"), "{lines:?}");
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        check("192.0.2.1", &["198.51.100.7"], &[], "192.0.2.1");
        check("192.0.2.1", &["198.51.100.7"], &["192.0.2.2", "10.0.0.0/8"], "192.0.2.1");
        check("::1", &["198.51.100.7"], &["127.0.0.1"], "::1");
    }

    #[test]
    fn a_trusted_proxy_tells_its_client_and_not_what_that_client_claims() {
        let proxy = &["127.0.0.1"];
        check("127.0.0.1", &["198.51.100.7"], proxy, "198.51.100.7");
        check("127.0.0.1", &["203.0.113.9, 198.51.100.7"], proxy, "198.51.100.7");
        check("127.0.0.1", &["203.0.113.9", "198.51.100.7"], proxy, "198.51.100.7");
        check("127.0.0.1", &["127.0.0.1, 198.51.100.7"], proxy, "198.51.100.7");
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_followed_to_its_client() {
        let proxies = &["127.0.0.1", "10.0.0.0/8"];
        check("127.0.0.1", &["203.0.113.9,198.51.100.7, 10.1.2.3"], proxies, "198.51.100.7");
        check("127.0.0.1", &["198.51.100.7", "10.1.2.3"], proxies, "198.51.100.7");
        // Who is inside is the client.
        check("127.0.0.1", &["10.9.9.9, 10.1.2.3"], proxies, "10.9.9.9");
        check("127.0.0.1", &[], proxies, "127.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_chain() {
        let proxies = &["127.0.0.1", "10.0.0.0/8"];
        for wrong in ["unknown", "", "198.51.100.7:x", "198.51.100.7,", "a.example", "_hidden"] {
            check("127.0.0.1", &[wrong], proxies, "127.0.0.1");
        }
        check("127.0.0.1", &["198.51.100.7, unknown, 10.0.0.1"], proxies, "10.0.0.1");
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        let proxy = &["::1"];
        check("::1", &["198.51.100.7:4711"], proxy, "198.51.100.7");
        check("::1", &["[2001:db8::7]:4711"], proxy, "2001:db8::7");
        check("::1", &["[2001:db8::7]"], proxy, "2001:db8::7");
        check("::1", &["2001:db8::7"], proxy, "2001:db8::7");
        // An IPv4 address is the same one in the dress of IPv6.
        check("::1", &["::ffff:198.51.100.7"], proxy, "198.51.100.7");
        check("::ffff:127.0.0.1", &["198.51.100.7"], &["127.0.0.1"], "198.51.100.7");
        check("127.0.0.1", &["198.51.100.7"], &["::ffff:127.0.0.1"], "198.51.100.7");
    }

    #[test]
    fn who_has_a_network_of_ipv6_counts_as_one() {
        let network = |text: &str| {
            PeerAddress::from(text.parse::<IpAddr>().expect("an address")).network().to_string()
        };
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:3::"), "2001:db8:1:3::");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn what_is_no_proxy_is_told() {
        for wrong in ["", "proxy", "10.0.0.0/33", "10.0.0", "127.0.0.1:80", "*", "1"] {
            assert_eq!(wrong.parse::<TrustedProxy>().map(drop), Err(TrustedProxyError), "{wrong}");
        }
    }
}
