//! The pages that may use the server: browsers say in `Origin` whose page is asking.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{Authority, Uri};

use crate::listen::is_loopback;
use crate::live::Live;

/// The pages that may use the server. Programs send no `Origin` and are not asked.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// Those that were named.
    pub(crate) named: Live<Vec<NamedOrigin>>,
    /// Whether nobody else can reach the server.
    pub(crate) bound_to_loopback: bool,
    /// The port that it listens on.
    pub(crate) port: u16,
    /// Whether the server itself speaks TLS.
    pub(crate) tls: bool,
}

/// An origin that was named as one that may use the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamedOrigin {
    /// `*`: every one.
    Any,
    /// `null`: pages that have none, such as files.
    Null,
    /// This one.
    One(Origin),
}

/// Whose page it is (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origins {
    /// The `Origin` of a request that may not use the server, if it is one.
    pub(crate) fn foreign<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.find(|origin| !self.allows(origin, headers))
    }

    /// Whether a page of `origin` may send a request with these headers.
    pub(crate) fn allows(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let named = self.named.get();
        if named.contains(&NamedOrigin::Any) {
            return true;
        }
        let Ok(text) = origin.to_str() else {
            return false;
        };
        if text == "null" {
            return named.contains(&NamedOrigin::Null);
        }
        let Ok(origin) = text.parse::<Origin>() else {
            return false;
        };
        let is_named = |named: &NamedOrigin| matches!(named, NamedOrigin::One(o) if *o == origin);
        named.iter().any(is_named)
            || self.bound_to_loopback && origin.is_of_this_machine()
            || self.is_own(&origin, headers)
    }

    /// Whether a page has made its own name lead here, to read what this machine alone may read
    /// (DNS rebinding). It names itself with the port that the server listens on; who comes through
    /// a proxy in front names that of the proxy.
    pub(crate) fn is_rebound(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        if !self.bound_to_loopback {
            return false;
        }
        let hosts = headers.get_all(header::HOST).iter();
        let hosts = hosts.filter_map(|host| Authority::try_from(host.as_bytes()).ok());
        let named = self.named.get();
        hosts.chain(uri.authority().cloned()).any(|host| {
            let scheme = if self.tls { "https" } else { "http" };
            let port = host.port_u16().or(default_port(scheme));
            let is_named = |named: &NamedOrigin| match named {
                NamedOrigin::Any => true,
                NamedOrigin::Null => false,
                NamedOrigin::One(one) => {
                    one.host.eq_ignore_ascii_case(host.host()) && one.port == port
                }
            };
            port == Some(self.port) && !is_loopback_host(host.host()) && !named.iter().any(is_named)
        })
    }

    /// Whether the server itself serves the pages of `origin`, as far as the request tells. A
    /// server that only this machine reaches believes in no other name: another may have been
    /// made to lead here (DNS rebinding).
    fn is_own(&self, origin: &Origin, headers: &HeaderMap) -> bool {
        let Some(host) = single_host(headers) else {
            return false;
        };
        if self.bound_to_loopback && !is_loopback_host(host.host()) {
            return false;
        }
        // Without TLS here there may be a proxy in front that has it.
        let is_scheme = match origin.scheme.as_str() {
            "https" => true,
            "http" => !self.tls,
            _ => false,
        };
        let port = host.port_u16().or(default_port(&origin.scheme));
        is_scheme && origin.host.eq_ignore_ascii_case(host.host()) && origin.port == port
    }
}

impl Origin {
    /// Whether it is a page that this machine serves, on whatever port.
    fn is_of_this_machine(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https") && is_loopback_host(&self.host)
    }
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let uri: Uri = text.parse().map_err(|_| ())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(());
        };
        let is_bare = text.len() == scheme.len() + "://".len() + authority.as_str().len();
        // A star within would look as if it stood for something.
        let is_plain = !authority.as_str().contains(['@', '*']) && !authority.host().is_empty();
        let port = &authority.as_str()[authority.host().len()..];
        let is_port = port.is_empty() || authority.port_u16().is_some();
        if !is_bare || !is_plain || !is_port {
            return Err(());
        }
        let scheme = scheme.to_ascii_lowercase();
        Ok(Self {
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().or(default_port(&scheme)),
            scheme,
        })
    }
}

impl FromStr for NamedOrigin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        match text {
            "*" => Ok(Self::Any),
            "null" => Ok(Self::Null),
            text => text.parse().map(Self::One).map_err(|()| NoOrigin),
        }
    }
}

/// A text is no origin.
#[derive(Debug)]
pub(crate) struct NoOrigin;

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected SCHEME://HOST[:PORT], such as https://example.com, or * or null")
    }
}

impl std::error::Error for NoOrigin {}

/// What the request calls the server, if it does so once.
fn single_host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    }
}

/// Whether the request names this machine by a name that no other can claim: a page
/// whose own name was made to lead here (DNS rebinding) names that.
pub(crate) fn names_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    single_host(headers).is_some_and(|host| is_loopback_host(host.host()))
        && uri.host().is_none_or(is_loopback_host)
}

fn is_loopback_host(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(is_loopback)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(origins: &[&str]) -> Live<Vec<NamedOrigin>> {
        let origins = origins.iter().map(|origin| origin.parse());
        let origins = origins.collect::<Result<Vec<_>, _>>();
        origins.expect("origins").into()
    }

    fn headers(host: &'static str, origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        headers
    }

    /// Whether a server that others can reach hears a page.
    #[track_caller]
    fn is_heard(origins: &Origins, host: &'static str, origin: &'static str, expected: bool) {
        let headers = headers(host, origin);
        assert_eq!(
            origins.foreign(&headers).is_none(),
            expected,
            "{origin} at {host}"
        );
    }

    #[test]
    fn its_own_pages_may_whatever_its_name_is() {
        let origins = Origins::default();
        for (host, origin, expected) in [
            ("example.com", "http://example.com", true),
            ("Example.com:80", "http://example.com", true),
            ("example.com:8000", "http://example.com:8000", true),
            // Behind a proxy that has TLS.
            ("example.com", "https://example.com", true),
            ("[2001:db8::1]:8000", "http://[2001:db8::1]:8000", true),
            ("example.com:8000", "http://example.com", false),
            ("example.com", "http://example.com:8000", false),
            ("example.com", "http://www.example.com", false),
            ("example.com", "http://example.com.evil.example", false),
            ("example.com", "ftp://example.com", false),
            ("example.com", "null", false),
            ("example.com", "http://localhost", false),
        ] {
            is_heard(&origins, host, origin, expected);
        }
    }

    #[test]
    fn under_tls_its_own_pages_are_under_tls_too() {
        let origins = Origins {
            tls: true,
            ..Origins::default()
        };
        is_heard(&origins, "example.com", "https://example.com", true);
        is_heard(
            &origins,
            "example.com:8443",
            "https://example.com:8443",
            true,
        );
        is_heard(&origins, "example.com:443", "http://example.com:443", false);
    }

    #[test]
    fn on_loopback_pages_of_this_machine_may_on_any_port_and_no_other_name_counts() {
        let origins = Origins {
            bound_to_loopback: true,
            ..Origins::default()
        };
        for (host, origin, expected) in [
            ("127.0.0.1:8000", "http://localhost:5173", true),
            ("localhost:8000", "https://127.0.0.1", true),
            ("localhost:8000", "http://[::1]:3000", true),
            ("localhost:8000", "http://localhost.example.com", false),
            ("localhost:8000", "file://localhost", false),
            ("evil.example:8000", "http://evil.example:8000", false),
            ("localhost:8000", "https://example.com", false),
        ] {
            is_heard(&origins, host, origin, expected);
        }
    }

    #[test]
    fn on_loopback_a_name_that_was_made_to_lead_here_is_known_by_the_port() {
        let origins = Origins {
            named: named(&["http://app.example:8000"]),
            bound_to_loopback: true,
            port: 8000,
            ..Origins::default()
        };
        for (host, expected) in [
            ("evil.example:8000", true),
            ("127.0.0.1.evil.example:8000", true),
            ("192.168.1.2:8000", true),
            ("0.0.0.0:8000", true),
            ("127.0.0.1:8000", false),
            ("LocalHost:8000", false),
            ("[::1]:8000", false),
            // What a proxy in front passes on.
            ("example.com", false),
            ("example.com:443", false),
            ("backend", false),
            ("app.example:8000", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(header::HOST, HeaderValue::from_static(host));
            let is_rebound = |origins: &Origins| origins.is_rebound(&asked, &Uri::from_static("/"));
            assert_eq!(is_rebound(&origins), expected, "{host}");
            let reachable = Origins {
                port: 8000,
                ..Origins::default()
            };
            assert!(!is_rebound(&reachable), "{host}");
        }
        let none = HeaderMap::new();
        assert!(!origins.is_rebound(&none, &Uri::from_static("/")));
        let uri = Uri::from_static("http://evil.example:8000/");
        assert!(origins.is_rebound(&none, &uri));
    }

    #[test]
    fn on_port_80_and_443_a_name_needs_no_port() {
        for (tls, port) in [(false, 80), (true, 443)] {
            let origins = Origins {
                bound_to_loopback: true,
                port,
                tls,
                ..Origins::default()
            };
            let mut asked = HeaderMap::new();
            asked.insert(header::HOST, HeaderValue::from_static("evil.example"));
            assert!(origins.is_rebound(&asked, &Uri::from_static("/")), "{port}");
        }
    }

    #[test]
    fn those_that_were_named_may() {
        let origins = Origins {
            named: named(&["https://example.com", "http://a.example:81", "app://here"]),
            ..Origins::default()
        };
        for (origin, expected) in [
            ("https://example.com", true),
            ("https://EXAMPLE.com:443", true),
            ("http://a.example:81", true),
            ("app://here", true),
            ("http://example.com", false),
            ("http://a.example", false),
            ("null", false),
        ] {
            is_heard(&origins, "192.0.2.1:8000", origin, expected);
        }
    }

    #[test]
    fn any_and_none_may_only_when_they_are_named() {
        for (name, origin, expected) in [
            ("*", "https://example.com", true),
            ("*", "null", true),
            ("*", "no origin", true),
            ("null", "null", true),
            ("null", "https://example.com", false),
            ("null", "", false),
        ] {
            let origins = Origins {
                named: named(&[name]),
                ..Origins::default()
            };
            is_heard(&origins, "192.0.2.1:8000", origin, expected);
        }
    }

    #[test]
    fn a_program_names_no_origin_and_of_two_each_must_be_allowed() {
        let origins = Origins {
            named: named(&["https://example.com"]),
            ..Origins::default()
        };
        assert_eq!(origins.foreign(&HeaderMap::new()), None);
        let mut two = headers("192.0.2.1", "https://example.com");
        assert_eq!(origins.foreign(&two), None);
        two.append(
            header::ORIGIN,
            HeaderValue::from_static("https://b.example"),
        );
        assert!(origins.foreign(&two).is_some());
    }

    #[test]
    fn without_one_host_nothing_is_its_own() {
        let mut two = headers("example.com", "http://example.com");
        two.append(header::HOST, HeaderValue::from_static("example.com"));
        assert!(Origins::default().foreign(&two).is_some());
        two.remove(header::HOST);
        assert!(Origins::default().foreign(&two).is_some());
    }

    #[test]
    fn what_is_no_origin_cannot_be_named() {
        for bad in [
            "",
            "example.com",
            "https://",
            "https://example.com/",
            "https://example.com/path",
            "https://user@example.com",
            "https://example.com:port",
            "NULL",
            "https://*.example.com",
        ] {
            assert!(bad.parse::<NamedOrigin>().is_err(), "{bad}");
        }
    }
}
