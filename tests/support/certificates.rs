//! An authority, a server's certificate and clients' certificates, made for one test.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use resplite::ServerBuilder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::path::PathBuf;
use std::sync::Arc;

/// A certificate and its key in PEM format.
#[derive(Clone)]
pub struct Pair {
    pub cert: String,
    pub key: String,
}

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub cert: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), cert }
    }

    /// A certificate for this machine, valid through this year.
    pub fn sign_until(&self, year: i32) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        params.not_after = date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    pub fn sign(&self) -> Pair {
        self.sign_until(4000)
    }
}

/// The files of a server with TLS, in a directory of their own.
pub struct Files {
    pub authority: Authority,
    directory: tempfile::TempDir,
}

impl Files {
    pub fn new() -> Self {
        let files = Files { authority: Authority::new("tests"), directory: tempfile::tempdir().unwrap() };
        files.write("ca.crt", &files.authority.cert);
        files.renew("server");
        files
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes a new certificate and its key, and returns the certificate.
    pub fn renew(&self, name: &str) -> String {
        let pair = self.authority.sign();
        self.write(&format!("{name}.crt"), &pair.cert);
        self.write(&format!("{name}.key"), &pair.key);
        pair.cert
    }

    /// A server that asks clients for a certificate or not, and has no other port.
    pub fn builder(&self, auth_clients: &str) -> ServerBuilder {
        let builder = super::builder().no_port().tls(0, self.path("server.crt"), self.path("server.key"));
        let builder = builder.setting("tls-auth-clients", auth_clients).unwrap();
        builder.setting("tls-ca-cert-file", &self.text("ca.crt")).unwrap()
    }

    /// A client that trusts the authority, and shows a certificate or not.
    pub fn client(&self, pair: Option<&Pair>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.cert.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots);
        Arc::new(match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let cert = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![cert], key).unwrap()
            }
        })
    }
}
