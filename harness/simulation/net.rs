//! The client's side of the simulated network: connections ([`Stream`]) and the wall clock.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

#[cfg(feature = "tls")]
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::credentials::address::Place;
use crate::credentials::wall_clock::WallClock;
use crate::gateway::transport::SocketOptions;
use crate::simnet::{SimHost, SimSocket};

/// The client's machine on a simulated network. Clones refer to the same machine.
#[derive(Clone, Debug)]
pub struct Net {
    host: SimHost,
    pub(super) clock: WallClock,
}

impl Net {
    pub(super) fn new(host: SimHost, clock: WallClock) -> Net {
        Net { host, clock }
    }

    /// The wall clock, which advances with virtual time; the validity of certificates is checked against it.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The wall clock as a rustls time provider: with it a client sees certificates expire when the server does.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use pgsquall::model::history::ClientFacts;
    /// use pgsquall::simulation::{Net, Simulation, Stream};
    /// use pgsquall::{Address, Client, OpError};
    /// use rustls::pki_types::pem::PemObject;
    /// use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    /// use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, crypto::ring};
    /// use tokio_postgres::Config;
    /// use tokio_postgres::config::SslMode;
    /// use tokio_postgres::tls::MakeTlsConnect;
    /// use tokio_postgres_rustls::MakeRustlsConnect;
    ///
    /// /// Connects anew for each operation, over TLS.
    /// struct Anew(Net, Address);
    ///
    /// impl Anew {
    ///     /// Reads its certificates each time: they may have been renewed.
    ///     fn tls(&self) -> Result<MakeRustlsConnect, OpError> {
    ///         let found = self.1.current_certificates()?.expect("a scenario with certificates");
    ///         let mut roots = RootCertStore::empty();
    ///         roots.add(CertificateDer::from_pem_slice(found.root.as_bytes())?)?;
    ///         let (certificate, key) = found.certificate.expect("a client with a certificate");
    ///         let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    ///         let provider = Arc::new(ring::default_provider());
    ///         let config = ClientConfig::builder_with_details(provider, self.0.time_provider())
    ///             .with_protocol_versions(DEFAULT_VERSIONS)?
    ///             .with_root_certificates(roots)
    ///             .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
    ///         Ok(MakeRustlsConnect::new(config))
    ///     }
    ///
    ///     async fn connect(&self) -> Result<tokio_postgres::Client, OpError> {
    ///         let Anew(net, Address { hosts, user, database, .. }) = self;
    ///         let tls = MakeTlsConnect::<Stream>::make_tls_connect(&mut self.tls()?, &hosts[0].host)?;
    ///         let mut config = Config::new();
    ///         config.user(user).dbname(database).password(self.1.current_password()?).ssl_mode(SslMode::Require);
    ///         let (client, connection) = config.connect_raw(net.connect(&hosts[0]).await?, tls).await?;
    ///         tokio::spawn(connection);
    ///         Ok(client)
    ///     }
    /// }
    ///
    /// impl Client for Anew {
    ///     async fn write(&self, key: i64) -> Result<(), OpError> {
    ///         self.connect().await?.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", &[&key]).await?;
    ///         Ok(())
    ///     }
    ///
    ///     async fn read(&self, key: i64) -> Result<bool, OpError> {
    ///         let found = self.connect().await?.query("SELECT 1 FROM pgsquall_ledger WHERE id = $1", &[&key]).await?;
    ///         Ok(!found.is_empty())
    ///     }
    ///
    ///     fn facts(&self) -> ClientFacts {
    ///         let (name, version) = ("anew".into(), "1".into());
    ///         ClientFacts { name, version, concurrency: 4, capabilities: vec!["tls".into()], timeout: None }
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = |net, address| async { Ok(Anew(net, address)) };
    /// Simulation::scenario("client-certificate-expired")?.client(client).run()?.assert_pass();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn time_provider(&self) -> Arc<dyn TimeProvider> {
        Arc::new(self.clock)
    }

    /// Connects to one of the hosts of an [`Address`](crate::Address).
    ///
    /// *Errors*: those of Linux: refused, unreachable, timed out after 131 s without an answer. `Unsupported` for a
    /// host name, because a simulation has no DNS.
    pub async fn connect(&self, place: &Place) -> io::Result<Stream> {
        let named = |_| {
            let why = format!("{}: nothing resolves names in a simulation", place.host);
            io::Error::new(io::ErrorKind::Unsupported, why)
        };
        let ip: IpAddr = place.host.parse().map_err(named)?;
        self.connect_with((ip, place.port), SocketOptions::default()).await
    }

    /// Connects with keepalive and TCP_USER_TIMEOUT, if set in `options`.
    ///
    /// *Errors*: as [`connect`](Net::connect).
    pub async fn connect_with(&self, to: impl Into<SocketAddr>, options: SocketOptions) -> io::Result<Stream> {
        self.host.connect(to.into(), options).await.map(Stream)
    }
}

/// A TCP connection of the client. Dropping it closes it as close(2) does.
///
/// Usable only on the thread of its simulation and until the simulation ends; any other use returns an error.
#[derive(Debug)]
pub struct Stream(SimSocket);

impl Stream {
    pub(super) fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.0.set_user_timeout(limit)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
