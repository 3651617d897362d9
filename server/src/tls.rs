//! What the `tls-*` settings come to: certificates, keys, protocols and ciphers as rustls takes them; nothing of sockets.

use crate::config::{Settings, TlsAuthClients};
use parking_lot::{Mutex, RwLock};
use resplite_storage::clock::Clock;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, StoresServerSessions, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
};
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What new connections to the TLS port are met with.
#[derive(Default)]
pub(crate) struct Tls {
    config: RwLock<Option<Arc<ServerConfig>>>,
}

impl Tls {
    /// What the next connection is met with; `None` as long as there is no TLS port.
    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        self.config.read().clone()
    }

    /// Reads certificates and keys again, for the connections to come; on an error those stay that are in use.
    pub(crate) fn load(&self, settings: &Settings, clock: &Clock) -> Result<(), String> {
        if settings.tls.port.is_some() {
            *self.config.write() = Some(Arc::new(configure(settings, clock)?));
        }
        Ok(())
    }
}

fn configure(settings: &Settings, clock: &Clock) -> Result<ServerConfig, String> {
    let tls = &settings.tls;
    if tls.cert_file.is_empty() {
        return Err("No tls-cert-file configured!".into());
    }
    if tls.key_file.is_empty() {
        return Err("No tls-key-file configured!".into());
    }
    let provider = Arc::new(CryptoProvider { cipher_suites: suites(settings)?, ..ring::default_provider() });
    let time = Arc::new(Time(clock.clone()));
    let builder = ServerConfig::builder_with_details(provider.clone(), time)
        .with_protocol_versions(&protocols(&tls.protocols)?)
        .map_err(|error| format!("Failed to configure ciphers: {error}"))?;
    let builder = match tls.auth_clients {
        TlsAuthClients::No => builder.with_no_client_auth(),
        others => builder.with_client_cert_verifier(verifier(settings, &provider, others)?),
    };
    let key = certified_key(settings, &provider)?;
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.ignore_client_order = tls.prefer_server_ciphers;
    config.session_storage = if tls.session_caching {
        Arc::new(Sessions::new(tls.session_cache_size, tls.session_cache_timeout, clock.clone()))
    } else {
        Arc::new(NoServerSessionStorage {})
    };
    Ok(config)
}

/// The server's certificate, with those between it and its authority, and the key that belongs to it.
fn certified_key(settings: &Settings, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let (cert_file, key_file) = (&settings.tls.cert_file, &settings.tls.key_file);
    let no_cert = |reason: String| format!("Failed to load certificate: {cert_file}: {reason}");
    let no_key = |reason: String| format!("Failed to load private key: {key_file}: {reason}");
    let chain = certificates(&settings.path(cert_file)).map_err(no_cert)?;
    if chain.is_empty() {
        return Err(no_cert("it holds no certificate in PEM format".into()));
    }
    let key = match PrivateKeyDer::from_pem_file(settings.path(key_file)) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => {
            return Err(no_key("it holds no private key in PEM format, or one that is encrypted".into()));
        }
        Err(error) => return Err(no_key(reason(error))),
    };
    let key = provider.key_provider.load_private_key(key).map_err(|error| no_key(error.to_string()))?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(no_key(format!("it is not the key of {cert_file}")))
        }
        // What else there is to say against a certificate is for clients to say.
        _ => Ok(key),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).map_err(reason)?;
    found.collect::<Result<_, _>>().map_err(reason)
}

fn reason(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => crate::config::file::reason(&error),
        other => other.to_string(),
    }
}

/// Who decides which certificates of clients are good.
fn verifier(
    settings: &Settings,
    provider: &Arc<CryptoProvider>,
    auth_clients: TlsAuthClients,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let (file, directory) = (&settings.tls.ca_cert_file, &settings.tls.ca_cert_dir);
    if file.is_empty() && directory.is_empty() {
        return Err(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or \
            tls-auth-clients are enabled!"
                .into(),
        );
    }
    let failed =
        |name: &str, reason: String| format!("Failed to configure CA certificate(s) file/directory: {name}: {reason}");
    let mut roots = RootCertStore::empty();
    if !file.is_empty() {
        for certificate in certificates(&settings.path(file)).map_err(|reason| failed(file, reason))? {
            roots.add(certificate).map_err(|error| failed(file, error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed(file, "it holds no certificate in PEM format".into()));
        }
    }
    if !directory.is_empty() {
        let entries = std::fs::read_dir(settings.path(directory));
        let entries = entries.map_err(|error| failed(directory, crate::config::file::reason(&error)))?;
        // Such directories hold other things too: lists of what is revoked, read-me files.
        let found = entries.filter_map(|entry| certificates(&entry.ok()?.path()).ok()).flatten();
        roots.add_parsable_certificates(found);
        if roots.is_empty() {
            return Err(failed(directory, "no file there holds a certificate in PEM format".into()));
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match auth_clients {
        TlsAuthClients::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map_err(|error| failed(file, error.to_string()))
}

fn protocols(words: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut versions = Vec::new();
    for word in words.split_ascii_whitespace() {
        versions.push(match word.to_ascii_lowercase().as_str() {
            "tlsv1.2" => &TLS12,
            "tlsv1.3" => &TLS13,
            "tlsv1" | "tlsv1.1" => {
                return Err(format!("tls-protocols: {word} is not supported: it is not safe any more."));
            }
            _ => return Err("Invalid tls-protocols specified. Use a combination of 'TLSv1.2' and 'TLSv1.3'.".into()),
        });
    }
    if versions.is_empty() {
        versions = vec![&TLS13, &TLS12];
    }
    Ok(versions)
}

/// Ciphers of TLS 1.2 by the names that OpenSSL has for them.
const CIPHERS: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];
/// Ciphers of TLS 1.3.
const CIPHERSUITES: [(&str, CipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
];
/// OpenSSL's words for groups of ciphers that all of ours belong to.
const ALL: [&str; 5] = ["DEFAULT", "HIGH", "ALL", "ECDHE", "EECDH"];
/// OpenSSL's words for groups of ciphers that none of ours belongs to: there is nothing to exclude.
const NONE: [&str; 16] = [
    "MEDIUM", "LOW", "EXPORT", "EXP", "NULL", "aNULL", "eNULL", "MD5", "RC4", "DES", "3DES", "PSK", "SRP", "DSS",
    "SSLv3", "CAMELLIA",
];

/// The ciphers that the settings name, the first ones preferred.
fn suites(settings: &Settings) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen = choose(&settings.tls.ciphersuites, &CIPHERSUITES)
        .map_err(|word| format!("Failed to configure ciphersuites: {word}"))?;
    chosen.extend(
        choose(&settings.tls.ciphers, &CIPHERS).map_err(|word| format!("Failed to configure ciphers: {word}"))?,
    );
    let all = ring::ALL_CIPHER_SUITES;
    Ok(chosen.iter().filter_map(|name| all.iter().find(|suite| suite.suite() == *name).copied()).collect())
}

/// Reads a list as OpenSSL writes them, in as far as it can be fulfilled; an error is the word that cannot.
fn choose(list: &str, known: &[(&str, CipherSuite)]) -> Result<Vec<CipherSuite>, String> {
    let mut chosen: Vec<CipherSuite> = Vec::new();
    let mut banned = Vec::new();
    let list = if list.is_empty() { "ALL" } else { list };
    for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        let find = |name: &str| known.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, suite)| *suite);
        if let Some(name) = word.strip_prefix(['!', '-']) {
            match find(name) {
                Some(suite) => banned.push(suite),
                None if NONE.contains(&name) => {}
                None => return Err(word.to_owned()),
            }
        } else if ALL.contains(&word) {
            chosen.extend(known.iter().map(|(_, suite)| *suite));
        } else {
            chosen.push(find(word).ok_or_else(|| word.to_owned())?);
        }
    }
    chosen.retain(|suite| !banned.contains(suite));
    Ok(chosen)
}

/// The server's clock, for certificates that are not valid yet or any more.
#[derive(Debug)]
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.millis())))
    }
}

/// Sessions that clients may take up again: so many, so long.
#[derive(Debug)]
struct Sessions {
    most: usize,
    millis: u64,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// When each one ends, and what is to be known of it.
    by_key: HashMap<Vec<u8>, (u64, Vec<u8>)>,
    /// The keys in the order in which they came; some may be gone already.
    order: VecDeque<Vec<u8>>,
}

impl Sessions {
    fn new(most: u32, seconds: u32, clock: Clock) -> Self {
        let most = if most == 0 { usize::MAX } else { most as usize };
        Sessions { most, millis: u64::from(seconds) * 1000, clock, kept: Mutex::default() }
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let now = self.clock.millis();
        let mut kept = self.kept.lock();
        let Kept { by_key, order } = &mut *kept;
        let is_over = |key: &Vec<u8>| by_key.get(key).is_none_or(|(ends, _)| *ends <= now);
        let over = order.iter().take_while(|key| is_over(key)).count();
        for key in order.drain(..over) {
            by_key.remove(&key);
        }
        while order.len() >= self.most
            && let Some(oldest) = order.pop_front()
        {
            by_key.remove(&oldest);
        }
        if by_key.insert(key.clone(), (now.saturating_add(self.millis), value)).is_none() {
            order.push_back(key);
        }
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept.lock();
        let (ends, value) = kept.by_key.get(key)?;
        (self.clock.millis() < *ends).then(|| value.clone())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let (ends, value) = self.kept.lock().by_key.remove(key)?;
        (self.clock.millis() < ends).then_some(value)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_few_and_end() {
        let clock = Clock::manual(Duration::from_secs(1_700_000_000));
        let sessions = Sessions::new(2, 10, clock.clone());
        let put = |key: &str| assert!(sessions.put(key.into(), key.into()));
        put("a");
        put("b");
        assert_eq!(sessions.get(b"a"), Some(b"a".to_vec()));
        put("c");
        assert_eq!(sessions.get(b"a"), None, "there is room for two");
        assert_eq!(sessions.take(b"b"), Some(b"b".to_vec()));
        assert_eq!(sessions.take(b"b"), None);
        clock.advance(Duration::from_secs(9));
        assert_eq!(sessions.get(b"c"), Some(b"c".to_vec()));
        clock.advance(Duration::from_secs(1));
        assert_eq!((sessions.get(b"c"), sessions.take(b"c")), (None, None));
        for number in 0..100 {
            put(&number.to_string());
        }
        let kept = sessions.kept.lock();
        assert_eq!((kept.by_key.len(), kept.order.len()), (2, 2));
    }

    #[test]
    fn a_session_that_was_taken_up_is_put_again_once() {
        let sessions = Sessions::new(0, 10, Clock::manual(Duration::from_secs(1)));
        for _ in 0..1000 {
            assert!(sessions.put(b"k".to_vec(), Vec::new()));
            assert!(sessions.take(b"k").is_some());
        }
        assert!(sessions.kept.lock().order.len() <= 2);
    }

    #[test]
    fn lists_of_ciphers_are_read_as_openssl_writes_them() {
        let count = |list: &str| choose(list, &CIPHERS).map(|chosen| chosen.len());
        assert_eq!(count(""), Ok(6));
        assert_eq!(count("DEFAULT:!MEDIUM:!aNULL"), Ok(6));
        assert_eq!(count("HIGH:!ECDHE-RSA-CHACHA20-POLY1305"), Ok(5));
        assert_eq!(
            choose("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384", &CIPHERS),
            Ok(vec![CIPHERS[1].1, CIPHERS[0].1])
        );
        for word in ["AES256-SHA", "!AES256", "kRSA", "@STRENGTH"] {
            assert_eq!(count(word), Err(word.to_owned()));
        }
        assert_eq!(choose("TLS_AES_128_CCM_SHA256", &CIPHERSUITES), Err("TLS_AES_128_CCM_SHA256".to_owned()));
        // Each name has a cipher that is there.
        assert_eq!(suites(&Settings::default()).unwrap().len(), CIPHERS.len() + CIPHERSUITES.len());
    }

    #[test]
    fn protocols_that_are_not_safe_are_refused_by_name() {
        let versions = |words: &str| protocols(words).map(|found| found.len());
        assert_eq!(versions(""), Ok(2));
        assert_eq!(versions("tlsv1.2 TLSv1.3"), Ok(2));
        assert_eq!(versions("TLSv1.3"), Ok(1));
        assert!(versions("TLSv1.1 TLSv1.2").unwrap_err().contains("TLSv1.1 is not supported"));
        assert!(versions("TLSv1.9").unwrap_err().starts_with("Invalid tls-protocols specified."));
    }
}
