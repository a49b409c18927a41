//! A connection to a server: TCP, or TLS over it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite, kx_group};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Error;

/// The name in the certificate of every server.
pub const SERVER_NAME: &str = "localhost";

/// TLS 1.3 with one cipher and one key exchange, so that no server can choose others than the next one does:
/// `TLS_AES_128_GCM_SHA256` and X25519.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts servers that have this certificate (DER) for [`SERVER_NAME`].
    pub fn trusting(certificate: &[u8]) -> Result<Self, Error> {
        let failed = |error| Error::Tls(error);
        let provider = CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![kx_group::X25519],
            ..ring::default_provider()
        };
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(certificate))
            .map_err(failed)?;
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(failed)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// An open connection. Blocks or not, as its socket does.
#[derive(Debug)]
pub enum Wire {
    /// As it is.
    Tcp(TcpStream),
    /// Under TLS.
    Tls(Box<Session>),
}

/// TLS over TCP.
#[derive(Debug)]
pub struct Session {
    tls: ClientConnection,
    tcp: TcpStream,
}

impl Wire {
    /// Does the TLS handshake, if there is to be TLS. The socket blocks.
    pub(crate) fn new(mut tcp: TcpStream, tls: Option<&Tls>) -> Result<Self, Error> {
        let Some(Tls(config)) = tls else {
            return Ok(Self::Tcp(tcp));
        };
        let name = ServerName::try_from(SERVER_NAME)
            .map_err(|_| Error::Handshake("the server has no name".into()))?;
        let mut tls = ClientConnection::new(config.clone(), name).map_err(Error::Tls)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)
                .map_err(Error::io("the TLS handshake"))?;
        }
        Ok(Self::Tls(Box::new(Session { tls, tcp })))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(session) => &session.tcp,
        }
    }

    /// Drops what has come, at most as much as there is room for in `buffer`, without looking at it: the kernel does
    /// not even copy it. `None` under TLS, where there is no such way.
    pub(crate) fn discard(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let Self::Tcp(tcp) = self else {
            return None;
        };
        let discarded = recv(tcp, buffer, RecvFlags::TRUNC);
        Some(discarded.map(|(_, len)| len).map_err(io::Error::from))
    }

    /// Whether less may be taken at a time than the kernel has room for.
    pub(crate) fn is_buffered(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether the kernel has not taken yet what was written.
    pub(crate) fn is_behind(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Tls(session) => session.tls.wants_write(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer),
            Self::Tls(session) => session.read(buffer),
        }
    }
}

impl Write for Wire {
    /// What is taken under TLS may still have to be flushed.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(bytes),
            Self::Tls(session) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.flush(),
            Self::Tls(session) => session.flush(),
        }
    }
}

impl Session {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            // Whoever has room for all that one call decrypts is told by the next event of the socket.
            self.tls.read_tls(&mut self.tcp)?;
            self.tls
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let taken = self.tls.writer().write(bytes)?;
        match self.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(taken),
            done => done.map(|()| taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }
}
