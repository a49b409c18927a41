//! Whose request it is, when it came through proxies.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use http::header::{self, HeaderName};
use ipnet::IpNet;

use crate::live::Live;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address, or a network of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(IpNet);

/// The proxies that are believed when they say whose requests they pass on. Cloning counts a
/// reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(pub(crate) Live<Vec<Network>>);

impl TrustedProxies {
    /// Whether what is at `ip` is such a proxy.
    pub(crate) fn have(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.get().iter().any(|Network(net)| net.contains(&ip))
    }

    /// Whose request it is that came from `peer` with these headers: the last address on the way
    /// here that is no trusted proxy. What stands left of it anybody may have written.
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.ip().to_canonical();
        if !self.have(peer) {
            return peer;
        }
        let by = |name: HeaderName, hops: fn(&str) -> Option<Vec<Hop>>| {
            headers
                .contains_key(&name)
                .then(|| self.last_untrusted(peer, headers, name, hops))
        };
        match (
            by(header::FORWARDED, forwarded),
            by(X_FORWARDED_FOR, listed),
        ) {
            (Some(client), None) | (None, Some(client)) => client,
            // A proxy writes one of them and passes the other on as it came: nobody knows which.
            (Some(one), Some(other)) if one == other => one,
            _ => peer,
        }
    }

    /// Goes back the way that the headers of this name tell, as far as it is known and trusted.
    fn last_untrusted(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: HeaderName,
        hops: fn(&str) -> Option<Vec<Hop>>,
    ) -> IpAddr {
        let lines = headers.get_all(name).iter();
        let hops = lines.flat_map(|line| {
            // Other bytes than these make no address, and the rest of the line counts all the same.
            let hops = hops(&String::from_utf8_lossy(line.as_bytes()));
            hops.unwrap_or_else(|| vec![None])
        });
        let hops: Vec<Hop> = hops.collect();
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            let Some(ip) = hop else { break };
            client = ip;
            if !self.have(ip) {
                break;
            }
        }
        client
    }
}

/// An address on the way here; `None` if it is not known or cannot be read.
type Hop = Option<IpAddr>;

/// `X-Forwarded-For`: addresses.
fn listed(line: &str) -> Option<Vec<Hop>> {
    let elements = line.split(',').map(str::trim);
    let elements = elements.filter(|element| !element.is_empty());
    Some(elements.map(address).collect())
}

/// `Forwarded` (RFC 7239, section 4): the `for` of each element. One slip and none of the line
/// counts, for a quote that was opened on the left would swallow what a proxy wrote.
fn forwarded(line: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    // What the element says so far, if there is one.
    let (mut element, mut has_for) = (None, false);
    let mut rest = line;
    loop {
        let (pair, after) = take_pair(rest)?;
        if let Some((name, value)) = pair {
            let hop = element.get_or_insert(None);
            if name.eq_ignore_ascii_case("for") {
                if std::mem::replace(&mut has_for, true) {
                    return None;
                }
                *hop = address(&value);
            }
        }
        match after.strip_prefix(';') {
            Some(after) => rest = after,
            None => {
                hops.extend(element.take());
                has_for = false;
                match after.strip_prefix(',') {
                    Some(after) => rest = after,
                    None => return Some(hops),
                }
            }
        }
    }
}

/// `name=value` or nothing, and what follows it: a comma, a semicolon or the end.
fn take_pair(text: &str) -> Option<(Option<(&str, String)>, &str)> {
    let text = text.trim_start();
    let end = text.find(['=', ',', ';']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix('=') else {
        return name.is_empty().then_some((None, rest));
    };
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let (value, rest) = rest.split_at(rest.find([',', ';']).unwrap_or(rest.len()));
            (value.trim_end().to_owned(), rest)
        }
    };
    let rest = rest.trim_start();
    let is_end = rest.is_empty() || rest.starts_with([',', ';']);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (is_name && is_end).then_some((Some((name, value)), rest))
}

/// What stands before the quote that closes, and what behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, c) => value.push(c),
        }
    }
}

/// An address, with a port or without.
fn address(text: &str) -> Hop {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let in_brackets = || {
        let ip = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(ip.parse::<Ipv6Addr>().ok()?.into())
    };
    let ip = bare().or_else(with_port).or_else(in_brackets)?;
    Some(ip.to_canonical())
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let one = |ip: IpAddr| IpNet::from(ip.to_canonical());
        let net = text.parse::<IpAddr>().map(one);
        net.or_else(|_| text.parse())
            .map(Self)
            .map_err(|_| NoNetwork)
    }
}

/// A text is no network.
#[derive(Debug)]
pub(crate) struct NoNetwork;

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an address or a network, such as 127.0.0.1 or 10.0.0.0/8")
    }
}

impl std::error::Error for NoNetwork {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        let networks = networks.iter().map(|text| text.parse());
        let networks: Result<Vec<Network>, _> = networks.collect();
        TrustedProxies(networks.expect("networks").into())
    }

    fn client(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            let line = HeaderValue::from_bytes(line.as_bytes()).expect("a value");
            headers.append(*name, line);
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
        let proxies = trusted(&["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"]);
        proxies.client(peer, &headers).to_string()
    }

    #[track_caller]
    fn forwarded_for(line: &str, expected: &str) {
        assert_eq!(
            client("127.0.0.1", &[("forwarded", line)]),
            expected,
            "{line}"
        );
    }

    #[track_caller]
    fn x_forwarded_for(line: &str, expected: &str) {
        let lines = [("x-forwarded-for", line)];
        assert_eq!(client("127.0.0.1", &lines), expected, "{line}");
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        for (name, line) in [
            ("forwarded", "for=192.0.2.7"),
            ("x-forwarded-for", "192.0.2.7"),
        ] {
            let asked = |peer| client(peer, &[(name, line)]);
            assert_eq!(asked("127.0.0.1"), "192.0.2.7");
            assert_eq!(asked("::ffff:127.0.0.1"), "192.0.2.7");
            assert_eq!(asked("10.255.0.1"), "192.0.2.7");
            assert_eq!(asked("2001:db8:1:ffff::1"), "192.0.2.7");
            for other in ["127.0.0.2", "11.0.0.1", "2001:db8:2::1"] {
                assert_eq!(asked(other), other);
            }
            assert_eq!(asked("::ffff:11.0.0.1"), "11.0.0.1");
        }
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn the_last_one_that_is_no_trusted_proxy_is_the_client() {
        for (addresses, expected) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["192.0.2.7", "10.0.0.1"], "192.0.2.7"),
            (&["192.0.2.7", "10.0.0.1", "10.0.0.2"], "192.0.2.7"),
            // What stands on the left the client wrote itself.
            (&["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
            (&["10.0.0.9", "192.0.2.7", "10.0.0.1"], "192.0.2.7"),
            (&["127.0.0.1", "192.0.2.7"], "192.0.2.7"),
            // All of them are ours.
            (&["10.0.0.3", "10.0.0.2"], "10.0.0.3"),
        ] {
            x_forwarded_for(&addresses.join(", "), expected);
            x_forwarded_for(&addresses.join(","), expected);
            let elements: Vec<_> = addresses.iter().map(|ip| format!("for={ip}")).collect();
            forwarded_for(&elements.join(", "), expected);
            // Several lines are one list.
            let lines: Vec<_> = addresses
                .iter()
                .map(|ip| ("x-forwarded-for", *ip))
                .collect();
            assert_eq!(client("127.0.0.1", &lines), expected);
        }
    }

    #[test]
    fn addresses_may_have_ports_and_brackets() {
        for (text, expected) in [
            ("192.0.2.7:80", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:80", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            x_forwarded_for(text, expected);
            forwarded_for(&format!("for=\"{text}\""), expected);
        }
    }

    #[test]
    fn what_is_no_address_ends_the_way_at_the_proxy_that_said_so() {
        for (line, expected) in [
            ("unknown", "127.0.0.1"),
            ("192.0.2.7, unknown", "127.0.0.1"),
            ("192.0.2.7, unknown, 10.0.0.1", "10.0.0.1"),
            ("192.0.2.7, 10.0.0.1 10.0.0.2", "127.0.0.1"),
            ("192.0.2.300", "127.0.0.1"),
            ("192.0.2.7:port", "127.0.0.1"),
            ("[192.0.2.7]", "127.0.0.1"),
            ("ğ", "127.0.0.1"),
            ("", "127.0.0.1"),
            (" , ,192.0.2.7, ", "192.0.2.7"),
        ] {
            x_forwarded_for(line, expected);
        }
        let secret = "for=192.0.2.7, for=_hidden;by=10.0.0.2, for=10.0.0.1";
        forwarded_for(secret, "10.0.0.1");
        forwarded_for("for=192.0.2.7, proto=https", "127.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_writes_it() {
        for line in [
            "for=192.0.2.7",
            "For=192.0.2.7",
            "FOR=\"192.0.2.7\"",
            "proto=http;for=192.0.2.7;by=203.0.113.43;host=\"a;b,c\"",
            "for=192.0.2.7 ; proto=https",
            "for=198.51.100.1;x=\"\\\"\", for=192.0.2.7",
            "for=\"192\\.0.2.7\"",
            ", ;, for=192.0.2.7;,",
        ] {
            forwarded_for(line, "192.0.2.7");
        }
    }

    #[test]
    fn a_line_of_forwarded_with_a_slip_counts_as_none() {
        for line in [
            "for=\"192.0.2.7",
            "for=\"192.0.2.7\\",
            "for=\"192.0.2.7\"x",
            "for 192.0.2.7",
            "for=192.0.2.7;for=198.51.100.1",
            "=192.0.2.7",
            "for =192.0.2.7, f\"=1",
            "192.0.2.7",
        ] {
            forwarded_for(line, "127.0.0.1");
        }
        let lines = [
            ("forwarded", "for=\"198.51.100.1"),
            ("forwarded", "for=192.0.2.7, for=10.0.0.1"),
        ];
        assert_eq!(client("127.0.0.1", &lines), "192.0.2.7", "another line");
    }

    #[test]
    fn an_open_quote_does_not_swallow_what_a_proxy_wrote() {
        for spoofed in [
            "for=\"",
            "for=198.51.100.1;x=\"",
            "for=198.51.100.1, x=\"",
            "for=198.51.100.1;x=\"\\",
        ] {
            for written in [
                "for=192.0.2.7",
                "for=\"[2001:db8::7]:1\"",
                "by=\"a\";for=\"b\"",
            ] {
                let line = format!("{spoofed}, {written}");
                let found = client("127.0.0.1", &[("forwarded", &line)]);
                assert_ne!(found, "198.51.100.1", "{line}");
            }
        }
    }

    #[test]
    fn of_two_headers_that_disagree_neither_is_believed() {
        let both = |one, other| {
            client(
                "127.0.0.1",
                &[("forwarded", one), ("x-forwarded-for", other)],
            )
        };
        assert_eq!(both("for=192.0.2.7", "192.0.2.7"), "192.0.2.7");
        assert_eq!(both("for=198.51.100.1", "192.0.2.7"), "127.0.0.1");
        assert_eq!(both("for=192.0.2.7", "198.51.100.1"), "127.0.0.1");
        assert_eq!(both("nonsense", "192.0.2.7"), "127.0.0.1");
    }

    #[test]
    fn networks_are_addresses_with_a_prefix_or_without() {
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7/24", "192.0.2.1", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "198.51.100.1", "::1"),
        ] {
            let proxies = trusted(&[text]);
            let ip = |text: &str| text.parse().expect("an address");
            assert!(proxies.have(ip(inside)), "{text} {inside}");
            assert!(!proxies.have(ip(outside)), "{text} {outside}");
        }
        for bad in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0",
            "10.0.0.0/",
            "*",
            "::/129",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
