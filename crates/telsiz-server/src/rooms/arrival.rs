//! What a connection hears before it sits in a room.

use telsiz::Error;
use telsiz_hub::{Event, JoinError, Joining, RoomName, Seat, Step};

use super::{Line, Outlet};
use crate::close;
use crate::conversation::Conversation;
use crate::traffic::Slow;

/// Sends what was missed, as fast as the client reads it, and sits down. If that cannot be done
/// the connection is being closed then.
pub(crate) async fn sit_down(
    mut joining: Joining<Outlet>,
    room: &RoomName,
    line: &Line,
    conversation: &Conversation,
) -> Result<Option<Seat<Outlet>>, Error> {
    loop {
        match joining.step(line).await {
            Ok(Step::Missed(next, missed)) => {
                for publication in missed {
                    if let Some(text) = line.render(room, &Event::Published(publication)) {
                        conversation.reply(text).await?;
                    }
                }
                joining = next;
            }
            Ok(Step::Joined(seat)) => return Ok(Some(seat)),
            Err(error) => {
                match error {
                    JoinError::TooSlow => conversation.lose(Slow::Missed),
                    _ => conversation.close(close::NO_ENGINE),
                }
                return Ok(None);
            }
        }
    }
}
