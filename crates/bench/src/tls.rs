//! A certificate for one server, and a client that trusts no other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rustls::{ClientConfig, RootCertStore};

pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one, in this folder.
    pub(crate) fn write(folder: &Path) -> Result<Self> {
        let (chain, key) = (folder.join("bench-cert.pem"), folder.join("bench-key.pem"));
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(&chain, certified.cert.pem())?;
        fs::write(&key, certified.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { chain, key, client: Arc::new(client) })
    }
}
