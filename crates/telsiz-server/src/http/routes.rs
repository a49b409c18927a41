//! The routes, each with what is documented of it.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{head, on};

use super::operation::{Documented, Operation};
use super::{Http, connections, docs, elsewhere, figures, messages, rooms, schemas, send, status};
use crate::lang::ByLang;

/// The routes, each with what is documented of it.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) router: Router<Arc<Http>>,
    pub(super) operations: Vec<Operation>,
}

/// All routes of a server.
pub(super) fn all(http: &Http) -> Routes {
    let routes = Routes::default()
        .get(
            "/",
            ByLang {
                tr: "Tarayıcılara başlangıç sayfası, programlara bağlı istemci sayısı",
                en: "The start page for browsers, the number of clients for programs",
            },
            status::root,
        )
        .get(
            "/rooms",
            ByLang {
                tr: "İçinde birileri olan odalar, üyeleriyle",
                en: "The rooms that somebody is in, with their members",
            },
            rooms::list,
        )
        .get(
            "/api/rooms/{room_id}/members",
            ByLang {
                tr: "Bir odadaki bağlantılar",
                en: "The connections that are in a room",
            },
            rooms::members,
        )
        .get(
            "/api/rooms/{room_id}/messages",
            ByLang {
                tr: "Bir odada söylenenler; 1. sayfa en yenisidir",
                en: "What was said in a room; page 1 is the newest",
            },
            messages::history,
        )
        .post(
            "/api/rooms/{room_id}/messages",
            ByLang {
                tr: "Bir odada bir şey söyler; kaydedilince yanıtlar",
                en: "Says something in a room; answers once it is stored",
            },
            messages::say,
        )
        .get(
            "/api/stats",
            ByLang {
                tr: "Bağlantıların ve odaların sayısı",
                en: "How many connections and rooms there are",
            },
            figures::stats,
        )
        .get(
            "/api/connections",
            ByLang {
                tr: "Açık bağlantılar; yalnızca yazma izni olanlar için",
                en: "The open connections; only for those who may write",
            },
            connections::list,
        )
        .delete(
            "/api/connections/{id}",
            ByLang {
                tr: "Bir bağlantıyı 1008 koduyla kapatır",
                en: "Closes a connection with 1008",
            },
            connections::end,
        )
        .get(
            "/send/{message}",
            ByLang {
                tr: "Bir istemci gibi relay uygulamasına gönderir",
                en: "Sends through the relay as a client would",
            },
            send::by_get,
        )
        .post(
            "/send",
            ByLang {
                tr: "Bir istemci gibi relay uygulamasına gönderir",
                en: "Sends through the relay as a client would",
            },
            send::by_post,
        )
        .get(
            "/health",
            ByLang {
                tr: "Sunucunun çalışıp çalışmadığı",
                en: "Whether the server runs",
            },
            status::health,
        )
        .get(
            "/ready",
            ByLang {
                tr: "Sunucunun işini yapıp yapamadığı; yapamıyorsa nedenleri",
                en: "Whether the server can do its work; if not, why",
            },
            status::ready,
        )
        .get(
            "/metrics",
            ByLang {
                tr: "Prometheus biçiminde ölçümler",
                en: "Figures in the format of Prometheus",
            },
            figures::metrics,
        );
    let mut routes = docs::add(schemas::add(routes, &http.mounts));
    // HEAD promises to change nothing.
    let sending = "/send/{message}";
    routes.router = routes.router.route(sending, head(elsewhere::no_head));
    routes
}

impl Routes {
    /// Adds an operation that only tells something. HEAD, which asks for the head of it, comes with
    /// it.
    pub(super) fn get<T: 'static, P, H>(
        self,
        path: &str,
        about: ByLang<&'static str>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<Http>> + Documented<P>,
    {
        self.add(Operation::of(Method::GET, path, about, &handler), handler)
    }

    /// Adds an operation that does something.
    fn post<T: 'static, P, H>(self, path: &str, about: ByLang<&'static str>, handler: H) -> Self
    where
        H: Handler<T, Arc<Http>> + Documented<P>,
    {
        self.add(Operation::of(Method::POST, path, about, &handler), handler)
    }

    /// Adds an operation that ends something.
    fn delete<T: 'static, P, H>(self, path: &str, about: ByLang<&'static str>, handler: H) -> Self
    where
        H: Handler<T, Arc<Http>> + Documented<P>,
    {
        self.add(
            Operation::of(Method::DELETE, path, about, &handler),
            handler,
        )
    }

    fn add<T: 'static, H: Handler<T, Arc<Http>>>(
        mut self,
        operation: Operation,
        handler: H,
    ) -> Self {
        let method = on(operation.filter(), handler);
        self.router = self.router.route(&operation.path, method);
        self.operations.push(operation);
        self
    }
}
