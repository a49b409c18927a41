//! The page to try the operations on: no script but ours, nothing from elsewhere.

use std::fmt::Write;

use axum::http::header;
use axum::routing::get;

use crate::http::operation::{Operation, Parameter};
use crate::http::routes::Routes;
use crate::lang::{ByLang, Lang};

/// What the page may do: load its script and its style, and ask this server.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                                 connect-src 'self'; base-uri 'none'; form-action 'none'; \
                                 frame-ancestors 'none'";

const SCRIPT: &str = include_str!("try.js");
const STYLE: &str = include_str!("style.css");

/// The words on the page.
struct Words {
    intro: &'static str,
    schemas: &'static str,
    key: &'static str,
    no_script: &'static str,
    body: &'static str,
    ask: &'static str,
    answer: &'static str,
    lost: &'static str,
}

const WORDS: ByLang<Words> = ByLang {
    tr: Words {
        intro: "Sunucunun HTTP işlemleri. Buradan gönderilen istekler gerçekten yapılır.",
        schemas: "Aynısı programlar için:",
        key: "API anahtarı (TELSIZ_API_KEY); yalnızca bu sayfada tutulur",
        no_script: "Denemek için JavaScript gerekir; liste onsuz da okunur.",
        body: "Gövde (JSON)",
        ask: "Gönder",
        answer: "Yanıt",
        lost: "Sunucuya ulaşılamadı",
    },
    en: Words {
        intro: "What the server does over HTTP. Requests sent from here are really carried out.",
        schemas: "The same for programs:",
        key: "API key (TELSIZ_API_KEY); it stays on this page",
        no_script: "Trying needs JavaScript; the list can be read without.",
        body: "Body (JSON)",
        ask: "Send",
        answer: "Answer",
        lost: "The server cannot be reached",
    },
};

/// Adds what the page loads.
pub(super) fn add_assets(mut routes: Routes) -> Routes {
    for (path, media_type, text) in [
        ("/docs/try.js", "text/javascript; charset=utf-8", SCRIPT),
        ("/docs/style.css", "text/css; charset=utf-8", STYLE),
    ] {
        let headers = [
            (header::CONTENT_TYPE, media_type),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        let asset = get(move || async move { (headers, text) });
        routes.router = routes.router.route(path, asset);
    }
    routes
}

/// The page.
pub(super) fn page(operations: &[Operation], lang: Lang) -> String {
    let tag = lang.tag();
    let Words {
        intro,
        schemas,
        key,
        no_script,
        lost,
        ..
    } = WORDS.get(lang);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Telsiz: HTTP</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\n\
         <script src=\"/docs/try.js\" defer></script>\n\
         <main data-lost=\"{lost}\">\n<h1>Telsiz: HTTP</h1>\n<p>{intro}</p>\n\
         <p>{schemas} <a href=\"/openapi.json\"><code>/openapi.json</code></a></p>\n\
         <noscript><p>{no_script}</p></noscript>\n\
         <p><label for=\"key\">{key}</label>\n\
         <input id=\"key\" type=\"password\" autocomplete=\"off\"></p>\n"
    );
    for (number, operation) in operations.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write_operation(&mut page, number, operation, lang);
    }
    page.push_str("</main>\n</html>\n");
    page
}

fn write_operation(
    page: &mut String,
    number: usize,
    operation: &Operation,
    lang: Lang,
) -> std::fmt::Result {
    let Words {
        body, ask, answer, ..
    } = WORDS.get(lang);
    let Operation { method, path, .. } = operation;
    let about = operation.about.of(lang);
    writeln!(
        page,
        "<section aria-labelledby=\"o{number}\">\n\
         <h2 id=\"o{number}\"><code>{method} {path}</code></h2>\n<p>{about}</p>\n\
         <form data-method=\"{method}\" data-path=\"{path}\" data-writes=\"{}\">",
        operation.writes
    )?;
    // The browser says which language its user reads.
    let filled = operation.parameters.iter();
    for parameter in filled.filter(|parameter| parameter.place != "header") {
        let Parameter {
            place,
            name,
            example,
            ..
        } = parameter;
        let about = parameter.about.get(lang);
        let required = if *place == "path" { " required" } else { "" };
        writeln!(
            page,
            "<p><label for=\"o{number}-{name}\"><code>{name}</code>: {about}</label>\n\
             <input id=\"o{number}-{name}\" name=\"{name}\" data-place=\"{place}\" \
             value=\"{example}\" autocomplete=\"off\"{required}></p>"
        )?;
    }
    if let Some(sent) = &operation.body {
        let example = sent.example;
        writeln!(
            page,
            "<p><label for=\"o{number}-body\">{body}</label>\n\
             <textarea id=\"o{number}-body\" rows=\"3\" spellcheck=\"false\">{example}</textarea></p>"
        )?;
    }
    writeln!(
        page,
        "<p><button>{ask}</button></p>\n</form>\n\
         <pre role=\"status\" aria-label=\"{answer}\" tabindex=\"0\" hidden></pre>\n</section>"
    )
}
