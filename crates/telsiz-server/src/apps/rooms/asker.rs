//! Who asked for something, and how it is answered.

use telsiz::Error;

use super::messages::{FromServer, Request};
use super::refused::Refused;
use super::request::RequestId;
use crate::conversation::Conversation;
use crate::json::write;
use crate::lang::Lang;

/// Who asked for something.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    pub(super) conversation: &'a Conversation,
    /// What the request is known by, if by anything.
    pub(super) id: Option<RequestId>,
}

/// What becomes of a request.
pub(super) type Done = Result<(), Undone>;

/// Why there was no answer, or another one.
#[derive(Debug)]
pub(super) enum Undone {
    /// It is still to be said why.
    Refused(Refused),
    /// There is nobody to answer.
    Lost(Error),
}

impl<E: Into<Refused>> From<E> for Undone {
    fn from(refused: E) -> Self {
        Self::Refused(refused.into())
    }
}

impl Asker<'_> {
    /// The language that it reads.
    pub(super) fn lang(&self) -> Lang {
        self.conversation.lang()
    }

    /// What answers say of the request.
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            id: self.id.as_ref(),
        }
    }

    pub(super) async fn say(&self, message: FromServer<'_>) -> Done {
        let said = self.conversation.reply(write(&message)).await;
        said.map_err(Undone::Lost)
    }

    /// Says that it was done, if it is known by an `id`.
    pub(super) async fn confirm(&self) -> Done {
        match &self.id {
            Some(id) => self.say(FromServer::done(id)).await,
            None => Ok(()),
        }
    }

    /// Says why it was not done. Who gives no `id` is told no code.
    pub(super) async fn reject(&self, refused: &Refused) -> Done {
        let gave_id = self.id.is_some() || matches!(refused, Refused::WrongId(_));
        let error = FromServer::Error {
            request: self.request(),
            code: gave_id.then(|| refused.code()),
            message: refused.message(self.lang()),
            retry_after: refused.retry_after(),
        };
        self.say(error).await
    }
}
