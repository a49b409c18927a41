//! An answer in JSON that is written where what it tells of is at hand.

use std::marker::PhantomData;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::operation::{Described, Operation, schema_of};
use crate::json::write;

/// A `T` in JSON.
#[derive(Debug)]
pub(super) struct Told<T>(String, PhantomData<fn() -> T>);

/// What borrows what it tells.
pub(super) trait Borrows: Serialize + JsonSchema {
    /// The same type, whatever it borrows from.
    type Whatever: JsonSchema;
}

impl<T> Told<T> {
    /// Writes `told`.
    pub(super) fn new<B: Borrows<Whatever = T>>(told: &B) -> Self {
        Self(write(told), PhantomData)
    }
}

impl<T> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

impl<T: JsonSchema> Described for Told<T> {
    fn describe(operation: &mut Operation) {
        operation.answers("application/json", schema_of::<T>);
    }
}
