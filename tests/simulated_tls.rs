//! Simulates a user's clients that speak TLS: rustls on the streams and with the clock of a `Net`.
#![cfg(all(feature = "simulation", feature = "tls"))]

use std::sync::{Arc, OnceLock};

use pgsquall::judge::{Check, VerdictKind};
use pgsquall::model::history::ClientFacts;
use pgsquall::simulation::{Net, Simulation, Stream};
use pgsquall::{Address, Client, OpError, Run};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

const INSERT: &str = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
const SELECT: &str = "SELECT 1 FROM pgsquall_ledger WHERE id = $1";

/// A client that connects for each operation.
struct Anew {
    net: Net,
    address: Address,
    /// `Some` for a client that reads its certificates only once: what it read.
    once: Option<OnceLock<MakeRustlsConnect>>,
}

impl Anew {
    fn tls(&self) -> Result<MakeRustlsConnect, OpError> {
        let found = self.address.current_certificates()?.expect("the scenario has certificates");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(found.root.as_bytes())?)?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider, self.net.time_provider())
            .with_protocol_versions(DEFAULT_VERSIONS)?
            .with_root_certificates(roots);
        let config = match found.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }

    async fn connect(&self) -> Result<tokio_postgres::Client, OpError> {
        let Address { hosts, user, database, .. } = &self.address;
        let mut tls = match &self.once {
            Some(once) => match once.get() {
                Some(read) => read.clone(),
                None => once.get_or_init(|| self.tls().unwrap()).clone(),
            },
            None => self.tls()?,
        };
        let Ok(tls) = MakeTlsConnect::<Stream>::make_tls_connect(&mut tls, &hosts[0].host);
        let mut config = Config::new();
        config.user(user).dbname(database).password(self.address.current_password()?).ssl_mode(SslMode::Require);
        let (client, connection) = config.connect_raw(self.net.connect(&hosts[0]).await?, tls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Client for Anew {
    async fn write(&self, key: i64) -> Result<(), OpError> {
        self.connect().await?.execute(INSERT, &[&key]).await?;
        Ok(())
    }

    async fn read(&self, key: i64) -> Result<bool, OpError> {
        Ok(!self.connect().await?.query(SELECT, &[&key]).await?.is_empty())
    }

    fn facts(&self) -> ClientFacts {
        ClientFacts {
            name: "anew".into(),
            version: String::new(),
            concurrency: 4,
            capabilities: vec!["tls".into()],
            timeout: None,
        }
    }
}

fn ask(scenario: &str, once: bool) -> Run {
    let client = move |net, address| async move { Ok(Anew { net, address, once: once.then(OnceLock::new) }) };
    Simulation::scenario(scenario).unwrap().client(client).run().unwrap()
}

#[test]
fn rereading_certificates_recovers() {
    for scenario in ["client-certificate-expired", "server-certificate-expired", "certificate-renewed"] {
        ask(scenario, false).assert_pass();
    }
}

#[test]
fn caching_certificates_does_not_recover() {
    let run = ask("client-certificate-expired", true);
    assert_eq!(run.verdict.verdict, VerdictKind::Fail, "{run}");
    assert!(run.verdict.failures().any(|(check, _)| check == Check::Recovered), "{run}");
}

#[test]
fn certificates_use_virtual_time() {
    let client = |net: Net, address| async move {
        let begun = net.now();
        tokio::time::sleep(std::time::Duration::from_secs(7)).await;
        assert_eq!(net.now().duration_since(begun)?.as_secs(), 7);
        Ok(Anew { net, address, once: None })
    };
    Simulation::scenario("certificate-renewed").unwrap().client(client).run().unwrap().assert_pass();
}
