//! Sign-in: TLS request, startup packet, authentication and authorisation, with the checks in the order of Postgres.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Buf;
use tokio::time::timeout;

use super::report::{self, Report, protocol_violation};
use super::scram::{Exchange, Secret};
use super::serving::Serving;
use super::session::{End, Session};
use super::settings::SignIn;
use super::tls::{Acceptor, Encrypted};
use super::wire::backend;
use super::wire::startup::{Packet, Startup, packet, password};
use super::world::{Activity, Admission, Role, Server, Taken};
use crate::gateway::transport::Leg;

/// The default of Postgres's `authentication_timeout`.
pub(super) const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(60);

/// The next step after the first packets of a client.
pub(super) enum Next {
    /// The client is signed in.
    Converse,
    /// The server has accepted TLS, and the handshake follows.
    Encrypt(Acceptor),
}

/// Signs the client in, or agrees on TLS.
///
/// *Errors*: the sign-in is refused; or it ends without a message, on a timeout or if the server ends.
pub(super) async fn sign_in<S: Leg>(serving: &mut Serving<S>, peer: SocketAddr) -> Result<Next, End> {
    let mailbox = serving.session.mailbox.clone();
    tokio::select! {
        biased;
        _ = mailbox.ended() => Err(End::Silent),
        done = timeout(AUTHENTICATION_TIMEOUT, steps(serving, peer)) => done.unwrap_or(Err(End::Silent)),
    }
}

async fn steps<S: Leg>(serving: &mut Serving<S>, peer: SocketAddr) -> Result<Next, End> {
    let settings = match startup(serving).await? {
        Begun::Encryption(acceptor) => return Ok(Next::Encrypt(acceptor)),
        Begun::Session(settings) => settings,
    };
    let encrypted = serving.encrypted;
    serving.session.check_server(peer, encrypted)?;
    if let Some(secret) = serving.session.needs_proof() {
        prove(serving, &secret).await?;
    }
    backend::authentication_ok(&mut serving.session.out);
    let session = &mut serving.session;
    session.enter(encrypted)?;
    session.begin_with(&settings).map_err(|report| End::Told(report.made_fatal()))?;
    session.introduce();
    let key = session.world.lock()[session.index].backends.get(&session.pid).map_or(0, |backend| backend.key);
    backend::key_data(&mut session.out, session.pid, key);
    session.ready();
    serving.flush().await?;
    Ok(Next::Converse)
}

/// The outcome of the first packets of a client.
enum Begun {
    /// The client requests a session with these settings.
    Session(Vec<(String, String)>),
    /// The client requests TLS, and the server accepts.
    Encryption(Acceptor),
}

/// Waits for the startup packet, and answers encryption and cancel requests before it.
///
/// *Errors*: a malformed packet, a cancel request (which ends the connection), or an unsupported setting.
async fn startup<S: Leg>(serving: &mut Serving<S>) -> Result<Begun, End> {
    loop {
        let length = match packet(&serving.input)? {
            None => {
                serving.fill().await?;
                continue;
            }
            Some((Packet::Tls, length)) => match serving.acceptor() {
                Some(acceptor) => {
                    serving.input.advance(length);
                    // Data sent before the handshake could be mistaken for data that TLS protects (CVE-2021-23222).
                    if !serving.input.is_empty() {
                        let text = "received unencrypted data after SSL request";
                        return Err(End::Told(protocol_violation(text).made_fatal()));
                    }
                    serving.session.out.extend_from_slice(b"S");
                    serving.flush().await?;
                    return Ok(Begun::Encryption(acceptor));
                }
                None => {
                    serving.session.out.extend_from_slice(b"N");
                    length
                }
            },
            Some((Packet::Gssapi, length)) => {
                serving.session.out.extend_from_slice(b"N");
                length
            }
            Some((Packet::Cancel { pid, key }, _)) => {
                serving.session.pass_on_cancel(pid, key);
                return Err(End::Silent);
            }
            Some((Packet::Startup(startup), length)) => {
                let settings = serving.session.take_startup(&startup)?;
                serving.input.advance(length);
                return Ok(Begun::Session(settings));
            }
        };
        serving.input.advance(length);
        serving.flush().await?;
    }
}

/// Authenticates the client by SCRAM. `secret`: `None` for a role without one.
///
/// *Errors*: 28P01 for a wrong password, 08P01 for a malformed message.
async fn prove<S: Leg>(serving: &mut Serving<S>, secret: &Option<Secret>) -> Result<(), End> {
    backend::authentication_sasl(&mut serving.session.out);
    let body = answer(serving).await?;
    let (world, index) = (serving.session.world.clone(), serving.session.index);
    let (exchange, secret) = {
        let rng = &mut world.lock()[index].rng;
        // As in Postgres, an unknown role must send a password too, which is rejected.
        let made_up = || Secret::new("", rng);
        let known = secret.is_some();
        let secret = secret.clone().unwrap_or_else(made_up);
        (Exchange::begin(&body, &secret, rng).map_err(End::Told)?, known.then_some(secret))
    };
    backend::authentication_continue(&mut serving.session.out, &exchange.answer);
    let body = answer(serving).await?;
    let proof = secret.map(|secret| exchange.finish(&body, &secret)).transpose().map_err(End::Told)?;
    match proof.flatten() {
        Some(answer) => {
            backend::authentication_final(&mut serving.session.out, &answer);
            Ok(())
        }
        None => Err(End::Told(report::wrong_password(&serving.session.role))),
    }
}

/// Flushes, and waits for a password message.
async fn answer<S: Leg>(serving: &mut Serving<S>) -> Result<Vec<u8>, End> {
    serving.flush().await?;
    loop {
        if let Some((body, length)) = password(&serving.input)? {
            let body = body.to_vec();
            serving.input.advance(length);
            return Ok(body);
        }
        serving.fill().await?;
    }
}

fn refused(text: String) -> Report {
    Report::fatal("28000", text)
}

impl Session {
    /// Cancels the running statement of the backend with this pid and key.
    fn pass_on_cancel(&self, pid: i32, key: i32) {
        let servers = self.world.lock();
        let found = servers[self.index].backends.get(&pid).filter(|backend| backend.key == key);
        if let Some(backend) = found {
            backend.mailbox.cancel();
        }
    }

    /// Stores role and database; returns the requested settings.
    ///
    /// *Errors*: 0A000 for a replication connection, 08P01 for malformed `options`.
    fn take_startup(&mut self, startup: &Startup<'_>) -> Result<Vec<(String, String)>, End> {
        (self.role, self.database) = (startup.user.to_owned(), startup.database.to_owned());
        if let Some(own) = self.world.lock()[self.index].backends.get_mut(&self.pid) {
            (own.role, own.database) = (self.role.clone(), self.database.clone());
        }
        if startup.newer || !startup.unknown.is_empty() {
            backend::negotiate_version(&mut self.out, &startup.unknown);
        }
        let mut settings = Vec::new();
        for (name, value) in &startup.settings {
            match *name {
                "replication" if !matches!(*value, "false" | "off" | "no" | "0") => {
                    let text = "the simulated server does not know the replication protocol";
                    return Err(End::Told(Report::fatal("0A000", text)));
                }
                "replication" => {}
                "options" => settings.extend(options(value).map_err(End::Told)?),
                name => settings.push((name.to_owned(), (*value).to_owned())),
            }
        }
        Ok(settings)
    }

    /// Performs the checks that precede authentication.
    ///
    /// *Errors*: 57P03 if sign-ins are refused now, 53300 if no slot is free, 28000 if pg_hba.conf does not admit the
    /// client.
    fn check_server(&mut self, peer: SocketAddr, encrypted: Option<Encrypted>) -> Result<(), End> {
        let servers = self.world.lock();
        let server = &servers[self.index];
        let major = self.major;
        if let Some(why) = server.not_now() {
            return Err(End::Told(report::not_now(why, major)));
        }
        if server.taken == Taken::All || server.in_use() > server.settings.max_connections {
            return Err(End::Told(report::too_many_clients()));
        }
        let how = match (encrypted.is_some(), major) {
            (false, 14..) => "no encryption",
            (false, _) => "SSL off",
            (true, 14..) => "SSL encryption",
            (true, _) => "SSL on",
        };
        let (role, database) = (&self.role, &self.database);
        let who = || format!("host \"{}\", user \"{role}\", database \"{database}\", {how}", peer.ip());
        match server.admission {
            Admission::Everybody => Ok(()),
            Admission::From(range) if matches!(peer.ip(), IpAddr::V4(ip) if range.holds(ip)) => Ok(()),
            Admission::TlsOnly { certificate } if let Some(encrypted) = encrypted => {
                match certificate && !encrypted.with_certificate {
                    true => Err(End::Told(refused("connection requires a valid client certificate".into()))),
                    false => Ok(()),
                }
            }
            Admission::From(_) | Admission::Nobody | Admission::TlsOnly { .. } => {
                Err(End::Told(refused(format!("no pg_hba.conf entry for {}", who()))))
            }
            Admission::Rejected => Err(End::Told(refused(format!("pg_hba.conf rejects connection for {}", who())))),
        }
    }

    /// The secret to authenticate against; `Some(None)`: the role has none, and authentication fails; `None`: none
    /// needed.
    fn needs_proof(&self) -> Option<Option<Secret>> {
        let servers = self.world.lock();
        let server = &servers[self.index];
        let role = server.role(&self.role);
        // A real superuser of a run signs in through a Unix socket, for which pg_hba.conf has `trust`.
        let is_believed = server.settings.sign_in == SignIn::Trust || role.is_some_and(|role| role.is_superuser);
        (!is_believed).then(|| role.and_then(|role| role.secret.clone()))
    }

    /// Performs the checks that follow authentication, and marks the backend as signed in.
    ///
    /// *Errors*: as [`admits`](Server::admits).
    fn enter(&mut self, encrypted: Option<Encrypted>) -> Result<(), End> {
        let mut servers = self.world.lock();
        let server = &mut servers[self.index];
        // The role may have changed during authentication.
        let is_superuser = server.admits(&self.role, &self.database, self.pid).map_err(End::Told)?;
        if let Some(own) = server.backends.get_mut(&self.pid) {
            (own.is_superuser, own.activity) = (is_superuser, Activity::Active);
        }
        if server.acceptor.is_some() {
            let how = encrypted
                .map_or_else(String::new, |encrypted| format!(" SSL enabled (protocol={})", encrypted.protocol));
            let text = format!("connection authorized: user={} database={}{how}", self.role, self.database);
            server.note(self.pid, &self.role, "00000", &text);
        }
        Ok(())
    }

    /// Applies the role's settings, then those of the startup packet, which override them.
    ///
    /// *Errors*: a setting that is unknown, invalid or fixed.
    fn begin_with(&mut self, settings: &[(String, String)]) -> Result<(), Report> {
        let of_role = {
            let servers = self.world.lock();
            servers[self.index].role(&self.role).map(|role| role.settings.clone()).unwrap_or_default()
        };
        for (name, value) in of_role.iter().chain(settings.iter().map(|(name, value)| (name, value))) {
            self.guc.begin_with(name, value)?;
        }
        Ok(())
    }
}

impl Server {
    /// The role of this name; `None`: it is absent.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name).filter(|role| role.present)
    }

    /// Slots in use by backends and by [`Taken::Some`]; callers check the other variants of [`Taken`] themselves.
    fn in_use(&self) -> usize {
        let others = if let Taken::Some(taken) = self.taken { taken } else { 0 };
        self.backends.len() + others
    }

    /// Checks that the role may have a session in the database; returns whether the role is a superuser.
    ///
    /// *Errors*: the reason why not, as Postgres reports it: 28000, 53300, 3D000, 55000, 42501 or 53200.
    fn admits(&self, name: &str, database: &str, pid: i32) -> Result<bool, Report> {
        let Some(role) = self.role(name) else { return Err(refused(format!("role \"{name}\" does not exist"))) };
        if !role.may_log_in {
            return Err(refused(format!("role \"{name}\" is not permitted to log in")));
        }
        let held =
            self.backends.range(..pid).filter(|(_, own)| own.role == name && own.activity != Activity::SigningIn);
        let held = held.count() + self.backends.range(pid + 1..).filter(|(_, own)| own.role == name).count();
        if !role.is_superuser && role.limit.is_some_and(|limit| held >= limit) {
            return Err(Report::fatal("53300", format!("too many connections for role \"{name}\"")));
        }
        let free = self.settings.max_connections.saturating_sub(self.in_use());
        if self.taken == Taken::All {
            return Err(report::too_many_clients());
        }
        if !role.is_superuser && (self.taken == Taken::Ordinary || free < self.settings.superuser_reserved_connections)
        {
            return Err(report::reserved_slots(self.settings.major));
        }
        let missing = || Report::fatal("3D000", format!("database \"{database}\" does not exist"));
        let found = self.databases.get(database).filter(|found| found.present).ok_or_else(missing)?;
        if !found.accepts {
            let text = format!("database \"{database}\" is not currently accepting connections");
            return Err(Report::fatal("55000", text));
        }
        if !found.may_connect && !role.is_superuser {
            return Err(Report::fatal("42501", format!("permission denied for database \"{database}\""))
                .detail("User does not have CONNECT privilege."));
        }
        if self.memory_short && !role.is_superuser {
            return Err(report::out_of_memory().made_fatal());
        }
        Ok(role.is_superuser)
    }
}

/// Parses `-c name=value` and `--name=value` options.
///
/// *Errors*: 08P01 for any other text.
fn options(text: &str) -> Result<Vec<(String, String)>, Report> {
    let mut settings = Vec::new();
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let setting = match word {
            "-c" => words.next(),
            word => word.strip_prefix("--").or_else(|| word.strip_prefix("-c")),
        };
        let pair = setting.and_then(|setting| setting.split_once('='));
        let (name, value) =
            pair.ok_or_else(|| protocol_violation("invalid command-line argument for server process").made_fatal())?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}
