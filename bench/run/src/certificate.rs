//! The certificate of the servers that serve TLS, made for one run.

use std::fs;
use std::path::{Path, PathBuf};

use load::{SERVER_NAME, Tls};

use crate::Error;

/// A certificate that signs itself, and its key, as files (PEM); removed when this is dropped.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// What the load trusts.
    pub(crate) trust: Tls,
}

impl Certificate {
    /// Writes the files into a folder: ECDSA on P-256, which all servers can do.
    pub(crate) fn create(folder: &Path) -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
        let own = std::process::id();
        let file = |name: &str| folder.join(format!("bench-{own}-{name}.pem"));
        let certificate = Self {
            chain: file("certificate"),
            key: file("key"),
            trust: Tls::trusting(made.cert.der())?,
        };
        fs::write(&certificate.chain, made.cert.pem())?;
        fs::write(&certificate.key, made.signing_key.serialize_pem())?;
        Ok(certificate)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // What is left behind does no harm: nobody trusts it.
        let _ = fs::remove_file(&self.chain);
        let _ = fs::remove_file(&self.key);
    }
}
