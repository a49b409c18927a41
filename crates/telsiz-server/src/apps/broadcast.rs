//! `broadcast`: every message goes to all other connections, unchanged.

use std::sync::Arc;

use telsiz::{Error, Options, Prepared, Upgrade};

use super::{App, Mounting, open};
use crate::audience::Audience;
use crate::connections::Counted;
use crate::lang::ByLang;

/// The app.
pub(crate) const APP: App = App {
    name: "broadcast",
    pattern: "/broadcast",
    about: ByLang {
        tr: "her mesaj diğer bütün bağlantılara gider",
        en: "every message goes to all other connections",
    },
    mount,
};

fn mount(mounting: Mounting) -> Mounting {
    let options = mounting.site.limits.audience_options();
    let audience = Arc::new(Audience::default());
    mounting.handle(&APP, move |upgrade, counted| {
        broadcast(upgrade, options.clone(), audience.clone(), counted)
    })
}

async fn broadcast(
    upgrade: Upgrade,
    options: Options,
    audience: Arc<Audience<()>>,
    _counted: Counted,
) -> Result<(), Error> {
    let member = audience.join(());
    let (mut receiver, sender) = open(upgrade.options(options)).await?;
    member.open(sender);
    while let Some(message) = receiver.recv().await? {
        let message = Prepared::new(message);
        member.send_to_others(|()| Some(message.clone()));
    }
    Ok(())
}
