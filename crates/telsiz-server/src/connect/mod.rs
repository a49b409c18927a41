//! `telsiz connect`: talks to a WebSocket server by hand or through a pipe.

use std::fs;
use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use telsiz::{ClientTls, CloseCode, CloseFrame, ConnectError, Receiver, Sender, WebSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use self::screen::Screen;
use crate::cli::Connect;
use crate::failure::Failure;
use crate::signals::Signals;

mod lines;
mod screen;

/// How long a server has to be silent to have said all.
const SILENCE: Duration = Duration::from_secs(1);

/// How long a server may take to answer our Close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The largest message that is shown.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Talks to a server until one of both closes.
pub(crate) async fn run(asked: Connect) -> Result<(), Failure> {
    let screen = Screen::new();
    let signals = Signals::catch()
        .map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let ws = open(&asked, screen).await?;
    screen.note("connected");
    let lines = lines::read();
    let (receiver, sender) = ws.split();
    let talk = Talk {
        receiver,
        signals,
        screen,
        patient: !io::stdin().is_terminal(),
    };
    talk.until_closed(sender, lines).await
}

async fn open(asked: &Connect, screen: Screen) -> Result<WebSocket, Failure> {
    let mut connect = telsiz::connect(&*asked.url)
        .max_message_size(MAX_MESSAGE)
        .close_timeout(CLOSE_TIMEOUT);
    for (name, value) in &asked.headers {
        connect = connect.header(&**name, &**value);
    }
    if let Some(path) = &asked.ca {
        let named = |error: &dyn std::fmt::Display| {
            Failure::Failed(format!("--ca {}: {error}", path.display()))
        };
        let pem = fs::read(path).map_err(|error| named(&error))?;
        connect = connect.tls(ClientTls::authorities(pem).map_err(|error| named(&error))?);
    }
    connect.await.map_err(|error| match error {
        ConnectError::Uri(_) => Failure::Usage(format!(
            "{error}; expected ws://HOST[:PORT]/PATH or wss://HOST[:PORT]/PATH"
        )),
        ConnectError::Header(_) => Failure::Usage(error.to_string()),
        ConnectError::Rejected(response) => {
            screen.show_rejection(&response);
            Failure::Failed(format!("the server answered {}", response.status()))
        }
        _ => Failure::Failed(error.to_string()),
    })
}

/// An open connection.
struct Talk {
    receiver: Receiver,
    signals: Signals,
    screen: Screen,
    /// Whether each message that comes after the last line renews the wait for more.
    patient: bool,
}

impl Talk {
    async fn until_closed(
        mut self,
        sender: Sender,
        lines: mpsc::Receiver<io::Result<String>>,
    ) -> Result<(), Failure> {
        let mut sending = pin!(send_all(lines, sender));
        let mut sent_all = false;
        let mut silence = pin!(sleep(SILENCE));
        loop {
            tokio::select! {
                message = self.receiver.recv() => match message {
                    Ok(Some(message)) => {
                        if self.screen.show(&message).is_err() {
                            // Nobody reads any more, as behind `| head`.
                            return self.close().await;
                        }
                        if self.patient {
                            silence.as_mut().reset(Instant::now() + SILENCE);
                        }
                    }
                    Ok(None) => return self.closed(),
                    Err(error) => return Err(Failure::Failed(error.to_string())),
                },
                sent = &mut sending, if !sent_all => {
                    sent_all = true;
                    if let Err(error) = sent {
                        self.close().await?;
                        return Err(Failure::Failed(format!("standard input: {error}")));
                    }
                    silence.as_mut().reset(Instant::now() + SILENCE);
                }
                () = &mut silence, if sent_all => return self.close().await,
                () = self.signals.next() => return self.close().await,
            }
        }
    }

    /// Closes; a second signal does not wait for the server.
    async fn close(mut self) -> Result<(), Failure> {
        tokio::select! {
            _ = self.receiver.close(CloseCode::NORMAL) => {}
            () = self.signals.next() => {}
        }
        self.closed()
    }

    /// Says how the connection ended.
    fn closed(&self) -> Result<(), Failure> {
        let outcome = self.receiver.outcome();
        match outcome.and_then(|outcome| outcome.received) {
            Some(frame) => {
                self.screen.note(&told(&frame));
                Ok(())
            }
            None => Err(Failure::Failed(
                "the server did not answer the close".into(),
            )),
        }
    }
}

fn told(frame: &CloseFrame) -> String {
    match frame.code() {
        CloseCode::NO_STATUS => "closed without a code".into(),
        _ => format!("closed: {frame}"),
    }
}

/// Sends every line, until there are no more or the connection closes.
async fn send_all(mut lines: mpsc::Receiver<io::Result<String>>, sender: Sender) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        if sender.send(line?).await.is_err() {
            // The receiver learns why.
            break;
        }
    }
    Ok(())
}
