//! What pages of other origins may read (CORS): those that may use the server at all.

use std::sync::Arc;

use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::origin::Origins;

/// Lets pages of `origins` read what is answered to them.
pub(super) fn layer(origins: &Arc<Origins>) -> CorsLayer {
    let origins = origins.clone();
    let allows =
        AllowOrigin::predicate(move |origin, request| origins.allows(origin, &request.headers));
    CorsLayer::new()
        .allow_origin(allows)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
}
