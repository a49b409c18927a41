//! `echo`: every message comes back unchanged.

use telsiz::{Error, Upgrade};

use super::{App, Mounting};
use crate::connections::Counted;
use crate::lang::ByLang;

/// The app.
pub(crate) const APP: App = App {
    name: "echo",
    pattern: "/echo",
    about: ByLang {
        tr: "her mesaj olduğu gibi geri gelir",
        en: "every message comes back unchanged",
    },
    schema: None,
    mount,
};

fn mount(mounting: Mounting) -> Mounting {
    mounting.handle(&APP, echo)
}

/// What an idle connection keeps is this future.
async fn echo(upgrade: Upgrade, counted: Counted) -> Result<(), Error> {
    let mut ws = upgrade.accept().await?;
    ws.run(|message, replies| {
        counted.traffic().received(1);
        counted.traffic().sent(1);
        replies.echo(message);
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<R>(_: fn(Upgrade, Counted) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn an_idle_connection_keeps_little() {
        let size = size_of_future(echo);
        assert!(size <= 88, "{size} bytes");
    }
}
