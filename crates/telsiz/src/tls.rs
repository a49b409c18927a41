//! TLS, and the transports of this crate.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::tcp::Tcp;

/// TCP, with or without TLS.
pub struct Transport(Inner);

enum Inner {
    Tcp(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

impl Transport {
    fn tcp(&self) -> &Tcp {
        match &self.0 {
            Inner::Tcp(tcp) => tcp,
            Inner::Tls(tls) => tls.get_ref().0,
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().local_addr()
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// Those of the operating system; most likely the connection is lost.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }

    /// Whether TLS protects it.
    pub fn is_tls(&self) -> bool {
        matches!(self.0, Inner::Tls(_))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("peer_addr", &self.peer_addr().ok())
            .field("is_tls", &self.is_tls())
            .finish()
    }
}

impl From<TcpStream> for Transport {
    fn from(tcp: TcpStream) -> Self {
        Tcp::Tokio(tcp).into()
    }
}

impl From<Tcp> for Transport {
    fn from(tcp: Tcp) -> Self {
        Self(Inner::Tcp(tcp))
    }
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Inner::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Inner::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Inner::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// TLS material cannot be used: the caller's fault.
#[derive(Debug)]
pub struct TlsError(String);

impl TlsError {
    fn new(what: &str, error: impl fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// Whom a client trusts.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

impl ClientTls {
    /// The certificate authorities of the operating system.
    ///
    /// # Errors
    ///
    /// If it has none.
    pub fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        match (added, found.errors.first()) {
            (0, Some(error)) => Err(TlsError::new("the system's certificates", error)),
            (0, None) => Err(TlsError("the system has no certificates".into())),
            _ => Self::from_roots(roots),
        }
    }

    /// Only the certificate authorities in `pem`.
    ///
    /// # Errors
    ///
    /// If there is none, or one cannot be read.
    pub fn authorities(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem.as_ref())? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::new("a certificate authority", error))?;
        }
        Self::from_roots(roots)
    }

    fn from_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("TLS", error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config).into()))
    }

    pub(crate) async fn connect(&self, host: &str, tcp: TcpStream) -> io::Result<Transport> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let tls = self.0.connect(name, Tcp::Tokio(tcp)).await?;
        Ok(Transport(Inner::Tls(Box::new(tls.into()))))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// The certificate and key of a server. Clones are the same.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    proof: Arc<Proof>,
}

/// What a server proves itself with, as it is now.
#[derive(Debug)]
struct Proof(RwLock<Arc<CertifiedKey>>);

impl Proof {
    fn get(&self) -> Arc<CertifiedKey> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Proof {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl ServerTls {
    /// The certificate chain and the private key in PEM.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read, or they do not belong together.
    pub fn new(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let chain = certificates(chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|error| TlsError::new("the private key", error))?;
        let provider = Arc::new(ring::default_provider());
        let certified = CertifiedKey::from_der(chain, key, &provider)
            .map_err(|error| TlsError::new("certificate and key", error))?;
        let proof = Arc::new(Proof(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("TLS", error))?
            .with_no_client_auth()
            .with_cert_resolver(proof.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = Arc::new(config).into();
        Ok(Self { acceptor, proof })
    }

    /// Proves itself as `other` does, from the next handshake on: for a certificate that was
    /// renewed. Open connections stay, and may be resumed.
    pub fn replace_with(&self, other: &Self) {
        let other = other.proof.get();
        *self.proof.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    pub(crate) async fn accept(&self, tcp: Tcp) -> io::Result<Transport> {
        let tls = self.acceptor.accept(tcp).await?;
        Ok(Transport(Inner::Tls(Box::new(tls.into()))))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| TlsError::new("a certificate", error))?;
    match chain.is_empty() {
        true => Err(TlsError("there is no certificate in the PEM".into())),
        false => Ok(chain),
    }
}
