//! Headers that all answers have, whoever makes them; a page has its own policy.

use axum::http::header::{self, HeaderName};

/// What browsers may do with an answer: take it for what it is said to be, run nothing in it, show
/// it in no frame, tell no other site of it, and load it into no other site's page.
///
/// A page that asks by script is not meant by the last of these: for that there is CORS.
pub(crate) const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];
