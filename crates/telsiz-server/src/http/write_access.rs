//! Who may write over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::Uri;

use crate::lang::{ByLang, Lang};
use crate::listen::is_loopback;
use crate::live::Live;
use crate::origin::{Origins, names_loopback};

/// Who may write over HTTP: with a key, whoever knows it. Without one only programs
/// of this machine, and of the pages in its browsers only the machine's own: a
/// foreign page could otherwise write through the browser of its visitor.
#[derive(Debug)]
pub(super) struct WriteAccess {
    /// The pages that may use the server, and who can reach it.
    pub(super) origins: Arc<Origins>,
    /// The key, if there is one.
    pub(super) api_key: Live<Option<ApiKey>>,
}

/// A secret that allows writing.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    /// This key; a blank one is none.
    pub(crate) fn new(key: &str) -> Option<Self> {
        match key.trim() {
            "" => None,
            key => Some(Self(key.to_owned())),
        }
    }

    /// Whether these are the credentials of who knows the key. The time that this
    /// takes tells nothing of how much of it was right.
    fn allows(&self, credentials: &HeaderValue) -> bool {
        let Some((scheme, key)) = split_scheme(credentials.as_bytes()) else {
            return false;
        };
        let known = self.0.as_bytes();
        let differences = known.iter().zip(key).fold(0, |all, (a, b)| all | (a ^ b));
        scheme.eq_ignore_ascii_case(b"Bearer") && key.len() == known.len() && differences == 0
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey")
    }
}

/// Why somebody may not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is a key, and the request has another or none.
    Key,
    /// There is no key, and others can reach the server.
    Reachable,
    /// The request names another host.
    Host,
    /// The request came through a proxy.
    Forwarded,
    /// The request comes from a foreign page.
    Foreign,
}

impl WriteAccess {
    /// Whether who sends this request from `remote` may write.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        remote: Option<SocketAddr>,
    ) -> Result<(), Refused> {
        if let Some(key) = &**self.api_key.get() {
            let credentials = headers.get(header::AUTHORIZATION);
            return match credentials.is_some_and(|credentials| key.allows(credentials)) {
                true => Ok(()),
                false => Err(Refused::Key),
            };
        }
        if !self.origins.bound_to_loopback {
            return Err(Refused::Reachable);
        }
        if !names_loopback(headers, uri) {
            return Err(Refused::Host);
        }
        // Only a proxy, with the PROXY protocol, brings somebody from elsewhere to a loopback address.
        let is_from_here = remote.is_some_and(|remote| is_loopback(remote.ip()));
        if !is_from_here || headers.keys().any(|name| is_of_a_proxy(name.as_str())) {
            return Err(Refused::Forwarded);
        }
        match self.is_foreign(headers) {
            true => Err(Refused::Foreign),
            false => Ok(()),
        }
    }
}

impl WriteAccess {
    fn is_foreign(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(header::ORIGIN) {
            return self.origins.foreign(headers).is_some();
        }
        let sites = headers.get_all("sec-fetch-site");
        sites
            .iter()
            .any(|site| site != "same-origin" && site != "none")
    }
}

impl Refused {
    /// Says so, and what to do.
    pub(super) fn explain(self, lang: Lang) -> String {
        const WITH_KEY: ByLang<&str> = ByLang {
            tr: "Anahtarı (TELSIZ_API_KEY) 'Authorization: Bearer ANAHTAR' başlığıyla gönderin",
            en: "Send the key (TELSIZ_API_KEY) as 'Authorization: Bearer KEY'",
        };
        const SET_KEY: ByLang<&str> = ByLang {
            tr: "İzin vermek için sunucuyu TELSIZ_API_KEY ortam değişkeniyle başlatın ve anahtarı \
                 'Authorization: Bearer ANAHTAR' başlığıyla gönderin",
            en: "To allow it, start the server with the environment variable TELSIZ_API_KEY and send \
                 the key as 'Authorization: Bearer KEY'",
        };
        let reason = match self {
            Self::Key => ByLang {
                tr: "API anahtarı yok ya da yanlış",
                en: "The API key is missing or wrong",
            },
            Self::Reachable => ByLang {
                tr: "Sunucu başka makinelerden erişilebilir durumda ve bir API anahtarı yok",
                en: "Other machines can reach the server and it has no API key",
            },
            Self::Host => ByLang {
                tr: "İsteğin Host başlığı bu makineyi göstermiyor",
                en: "The Host of the request is not this machine",
            },
            Self::Forwarded => ByLang {
                tr: "İstek bir vekil sunucu üzerinden gelmiş",
                en: "The request came through a proxy",
            },
            Self::Foreign => ByLang {
                tr: "İstek yabancı bir sayfadan geliyor",
                en: "The request comes from a foreign page",
            },
        };
        let advice = match self {
            Self::Key => WITH_KEY,
            _ => SET_KEY,
        };
        format!("{}. {}.", reason.of(lang), advice.of(lang))
    }
}

/// `Bearer KEY` as its two words.
fn split_scheme(credentials: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = credentials.iter().position(|byte| *byte == b' ')?;
    let (scheme, key) = credentials.split_at(space);
    Some((scheme, key.trim_ascii()))
}

fn is_of_a_proxy(header: &str) -> bool {
    matches!(header, "forwarded" | "via" | "x-real-ip") || header.starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(bound_to_loopback: bool, key: &str) -> WriteAccess {
        let origins = Origins {
            bound_to_loopback,
            ..Origins::default()
        };
        WriteAccess {
            origins: Arc::new(origins),
            api_key: ApiKey::new(key).into(),
        }
    }

    fn here() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }

    fn local() -> WriteAccess {
        access(true, "")
    }

    fn check(
        access: &WriteAccess,
        headers: &[(&'static str, &'static str)],
    ) -> Result<(), Refused> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        access.check(&map, &Uri::from_static("/send"), Some(here()))
    }

    fn with(headers: &[(&'static str, &'static str)]) -> Result<(), Refused> {
        let host = [("host", "127.0.0.1:8000")];
        check(&local(), &[&host, headers].concat())
    }

    #[test]
    fn a_program_of_this_machine_may() {
        for host in [
            "127.0.0.1:8000",
            "localhost",
            "LocalHost:1",
            "[::1]:8000",
            "127.1.2.3",
        ] {
            let host = [("host", host)];
            assert_eq!(check(&local(), &host), Ok(()), "{host:?}");
        }
    }

    #[test]
    fn another_host_may_not() {
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:80",
            "192.168.1.2",
            "[::2]",
            "0.0.0.0",
            "",
        ] {
            let host = [("host", host)];
            assert_eq!(check(&local(), &host), Err(Refused::Host), "{host:?}");
        }
        assert_eq!(check(&local(), &[]), Err(Refused::Host));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(check(&local(), &two), Err(Refused::Host));
    }

    #[test]
    fn another_host_in_the_request_line_may_not() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        let check = |uri| local().check(&headers, &Uri::from_static(uri), Some(here()));
        assert_eq!(check("http://example.com/send"), Err(Refused::Host));
        assert_eq!(check("http://localhost:8000/send"), Ok(()));
    }

    #[test]
    fn what_came_through_a_proxy_may_not() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-real-ip",
            "via",
        ] {
            assert_eq!(with(&[(name, "x")]), Err(Refused::Forwarded), "{name}");
        }
    }

    #[test]
    fn who_a_proxy_says_is_elsewhere_may_not() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        let check = |remote| local().check(&headers, &Uri::from_static("/send"), remote);
        let from = |text: &str| Some(text.parse().expect("an address"));
        assert_eq!(check(from("[::ffff:127.0.0.1]:1")), Ok(()));
        assert_eq!(check(from("192.0.2.7:1")), Err(Refused::Forwarded));
        assert_eq!(check(from("[2001:db8::7]:1")), Err(Refused::Forwarded));
        assert_eq!(check(None), Err(Refused::Forwarded));
    }

    #[test]
    fn a_page_of_this_machine_may_and_a_foreign_one_may_not() {
        for origin in [
            "http://localhost:5173",
            "https://127.0.0.1",
            "http://[::1]:3000",
        ] {
            assert_eq!(with(&[("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in [
            "https://example.com",
            "null",
            "",
            "file://",
            "http://localhost.example.com",
        ] {
            assert_eq!(
                with(&[("origin", origin)]),
                Err(Refused::Foreign),
                "{origin}"
            );
        }
        let both = [
            ("origin", "http://localhost"),
            ("origin", "http://example.com"),
        ];
        assert_eq!(with(&both), Err(Refused::Foreign));
    }

    #[test]
    fn a_page_that_was_allowed_may() {
        let origins = Origins {
            named: vec!["https://example.com".parse().expect("an origin")].into(),
            bound_to_loopback: true,
            ..Origins::default()
        };
        let access = WriteAccess {
            origins: Arc::new(origins),
            api_key: Live::default(),
        };
        let asked = |origin| check(&access, &[("host", "localhost"), ("origin", origin)]);
        assert_eq!(asked("https://example.com"), Ok(()));
        assert_eq!(asked("https://b.example"), Err(Refused::Foreign));
    }

    #[test]
    fn without_an_origin_the_fetch_site_decides() {
        for (site, expected) in [
            ("none", Ok(())),
            ("same-origin", Ok(())),
            ("same-site", Err(Refused::Foreign)),
            ("cross-site", Err(Refused::Foreign)),
        ] {
            assert_eq!(with(&[("sec-fetch-site", site)]), expected, "{site}");
        }
        let page_here = [
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert_eq!(with(&page_here), Ok(()));
    }

    #[test]
    fn without_a_key_nobody_may_where_others_can_reach_it() {
        let access = access(false, "");
        let refused = check(&access, &[("host", "localhost")]);
        assert_eq!(refused, Err(Refused::Reachable));
    }

    #[test]
    fn with_a_key_who_knows_it_may_from_anywhere_and_nobody_else() {
        let access = access(false, "gizli\n");
        let asked = |credentials| {
            let headers = [("host", "example.com"), ("authorization", credentials)];
            check(&access, &headers)
        };
        assert_eq!(asked("Bearer gizli"), Ok(()));
        assert_eq!(asked("bearer  gizli"), Ok(()));
        for wrong in [
            "Bearer gizl",
            "Bearer gizlii",
            "Bearer",
            "gizli",
            "Basic gizli",
            "Bearer ",
        ] {
            assert_eq!(asked(wrong), Err(Refused::Key), "{wrong}");
        }
        assert_eq!(check(&access, &[("host", "localhost")]), Err(Refused::Key));
    }

    #[test]
    fn a_blank_key_is_none() {
        assert!(ApiKey::new("").is_none());
        assert!(ApiKey::new(" \n").is_none());
    }

    #[test]
    fn every_refusal_says_how_to_send_a_key_in_both_languages() {
        use Refused::{Foreign, Forwarded, Host, Key, Reachable};
        for refused in [Key, Reachable, Host, Forwarded, Foreign] {
            for lang in [Lang::Tr, Lang::En] {
                let text = refused.explain(lang);
                assert!(text.contains("TELSIZ_API_KEY"), "{text}");
                assert!(text.contains("Authorization: Bearer"), "{text}");
            }
        }
    }
}
