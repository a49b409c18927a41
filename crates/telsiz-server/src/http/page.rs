//! The page that a browser finds.

use std::fmt::Write;

use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};

use super::schemas;
use crate::config::Mount;
use crate::lang::{ByLang, Lang};

/// What the page may do: load its style.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Whether a request names HTML among what it accepts.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

/// What is served where, and how to try it.
pub(super) fn page(lang: Lang, mounts: &[Mount]) -> Response {
    const RUNNING: ByLang<&str> = ByLang {
        tr: "WebSocket sunucusu çalışıyor.",
        en: "The WebSocket server is running.",
    };
    const TRY: ByLang<&str> = ByLang {
        tr: "Denemek için:",
        en: "To try it:",
    };
    const HTTP: ByLang<&str> = ByLang {
        tr: "HTTP ile yapılabilenler, denemek için bir sayfa:",
        en: "What can be done over HTTP, a page to try it:",
    };
    const PROGRAMS: ByLang<&str> = ByLang {
        tr: "Aynısı programlar için:",
        en: "The same for programs:",
    };
    let mut rows = String::new();
    for mount in mounts {
        let app = mount.app();
        let (pattern, name, about) = (mount.path(), app.name, app.about.of(lang));
        let schema = match app.schema {
            Some(_) => format!("<a href=\"{}\">JSON Schema</a>", schemas::path(app)),
            None => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "<tr><td><code>{pattern}</code></td><td>{name}</td><td>{about}</td>\
             <td>{schema}</td></tr>"
        );
    }
    let first = mounts.first().map_or("/", Mount::path);
    let (tag, running, attempt) = (lang.tag(), RUNNING.of(lang), TRY.of(lang));
    let (http, programs) = (HTTP.of(lang), PROGRAMS.of(lang));
    let page = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Telsiz</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\n<main>\n<h1>Telsiz</h1>\n<p>{running}</p>\n<table>\n{rows}</table>\n\
         <p>{attempt} <code>telsiz connect ws://…{first}</code></p>\n\
         <p>{http} <a href=\"/docs\">/docs</a>. {programs} \
         <a href=\"/openapi.json\">/openapi.json</a></p>\n</main>\n</html>\n"
    );
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_who_names_html_is_asking_for_a_page() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json, Text/HTML;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
            ("text/html-sandboxed", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(is_asked_for(&headers), expected, "{accept}");
        }
        assert!(!is_asked_for(&HeaderMap::new()));
    }
}
