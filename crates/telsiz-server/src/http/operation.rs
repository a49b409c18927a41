//! What an HTTP operation takes and answers, read off the types of its handler.
//!
//! A handler is an async function of extractors. Each of them, and its output, says of itself what
//! it is, so that nothing is documented but what is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::MethodFilter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Http;
use crate::lang::ByLang;

/// What an operation takes and answers.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) about: ByLang<&'static str>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// What it answers if all went well.
    pub(super) answers: Vec<Content>,
    /// How it refuses.
    pub(super) refusals: BTreeSet<StatusCode>,
    /// Whether not everybody may.
    pub(super) writes: bool,
}

/// A part of a request besides its body.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) place: &'static str,
    pub(super) name: &'static str,
    pub(super) about: ByLang<String>,
    pub(super) schema: SchemaOf,
    pub(super) example: &'static str,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) content: Content,
    pub(super) example: &'static str,
}

/// What a body is.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) schema: SchemaOf,
}

/// The schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of `T`.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A part of a request, or an answer, that says of itself what it is.
pub(super) trait Described {
    /// Adds it to `operation`.
    fn describe(operation: &mut Operation);
}

/// A handler of which all parts are [`Described`]. `Parts` only tells the numbers of extractors
/// apart.
pub(super) trait Documented<Parts> {
    /// Adds them to `operation`.
    fn describe(operation: &mut Operation);
}

macro_rules! documented {
    ($($part:ident)*) => {
        impl<F, R, $($part),*> Documented<($($part,)*)> for F
        where
            F: Fn($($part),*) -> R,
            R: Future<Output: Described>,
            $($part: Described),*
        {
            fn describe(operation: &mut Operation) {
                $($part::describe(operation);)*
                R::Output::describe(operation);
            }
        }
    };
}
documented!();
documented!(A);
documented!(A B);
documented!(A B C);
documented!(A B C D);
documented!(A B C D E);

impl Operation {
    /// What `handler` does for `method` on `path`.
    pub(super) fn of<P, H: Documented<P>>(
        method: Method,
        path: &str,
        about: ByLang<&'static str>,
        _handler: &H,
    ) -> Self {
        let mut operation = Self {
            method,
            path: path.to_owned(),
            about,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: BTreeSet::new(),
            writes: false,
        };
        H::describe(&mut operation);
        operation
    }

    /// It may answer with this, if all goes well.
    pub(super) fn answers(&mut self, media_type: &'static str, schema: SchemaOf) {
        self.answers.push(Content { media_type, schema });
    }

    /// It may refuse so.
    pub(super) fn refuses(&mut self, statuses: impl IntoIterator<Item = StatusCode>) {
        self.refusals.extend(statuses);
    }

    /// The requests that are this operation; HEAD, which asks for the head of GET, comes with it.
    pub(super) fn filter(&self) -> MethodFilter {
        match self.method {
            Method::POST => MethodFilter::POST,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        }
    }
}

impl Described for State<Arc<Http>> {
    fn describe(_: &mut Operation) {}
}

impl<T: JsonSchema> Described for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.answers("application/json", schema_of::<T>);
    }
}

impl<T: Described, E: Described> Described for Result<T, E> {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
        E::describe(operation);
    }
}
