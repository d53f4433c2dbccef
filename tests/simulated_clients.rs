//! Simulates a user's clients: the pools deadpool and bb8 over tokio-postgres with simulated streams.
#![cfg(feature = "simulation")]

use std::io;

use pgsquall::judge::{Check, VerdictKind};
use pgsquall::simulation::{Net, Simulation};
use pgsquall::{Address, Client, OpError};
use tokio_postgres::{Config, NoTls};

const INSERT: &str = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
const SELECT: &str = "SELECT 1 FROM pgsquall_ledger WHERE id = $1";

/// Makes connections, for either pool.
struct Manager(Net, Address);

impl Manager {
    async fn open(&self) -> Result<tokio_postgres::Client, OpError> {
        let Manager(net, address) = self;
        let stream = net.connect(&address.hosts[0]).await?;
        let mut config: Config = address.url().parse()?;
        // Reads the password for each connection, because a scenario may change it.
        config.password(address.current_password()?);
        let (client, connection) = config.connect_raw(stream, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl deadpool::managed::Manager for Manager {
    type Type = tokio_postgres::Client;
    type Error = OpError;

    async fn create(&self) -> Result<tokio_postgres::Client, OpError> {
        self.open().await
    }

    async fn recycle(
        &self,
        client: &mut tokio_postgres::Client,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<OpError> {
        if client.is_closed() { Err(deadpool::managed::RecycleError::message("closed")) } else { Ok(()) }
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = tokio_postgres::Client;
    type Error = OpError;

    async fn connect(&self) -> Result<tokio_postgres::Client, OpError> {
        self.open().await
    }

    async fn is_valid(&self, client: &mut tokio_postgres::Client) -> Result<(), OpError> {
        client.simple_query("").await?;
        Ok(())
    }

    fn has_broken(&self, client: &mut tokio_postgres::Client) -> bool {
        client.is_closed()
    }
}

fn lost(error: impl std::fmt::Display) -> OpError {
    io::Error::other(error.to_string()).into()
}

struct Deadpool(deadpool::managed::Pool<Manager>);

impl Client for Deadpool {
    async fn write(&self, key: i64) -> Result<(), OpError> {
        self.0.get().await.map_err(lost)?.execute(INSERT, &[&key]).await?;
        Ok(())
    }

    async fn read(&self, key: i64) -> Result<bool, OpError> {
        Ok(!self.0.get().await.map_err(lost)?.query(SELECT, &[&key]).await?.is_empty())
    }
}

struct Bb8(bb8::Pool<Manager>);

impl Client for Bb8 {
    async fn write(&self, key: i64) -> Result<(), OpError> {
        self.0.get().await.map_err(op_error)?.execute(INSERT, &[&key]).await?;
        Ok(())
    }

    async fn read(&self, key: i64) -> Result<bool, OpError> {
        Ok(!self.0.get().await.map_err(op_error)?.query(SELECT, &[&key]).await?.is_empty())
    }
}

fn op_error(error: bb8::RunError<OpError>) -> OpError {
    match error {
        bb8::RunError::User(error) => error,
        bb8::RunError::TimedOut => lost("no connection in time"),
    }
}

async fn deadpool_of(net: Net, address: Address) -> Result<Deadpool, OpError> {
    deadpool::managed::Pool::builder(Manager(net, address)).max_size(4).build().map(Deadpool).map_err(lost)
}

async fn bb8_of(net: Net, address: Address) -> Result<Bb8, OpError> {
    bb8::Pool::builder().max_size(4).build(Manager(net, address)).await.map(Bb8)
}

fn simulation(scenario: &str) -> Simulation {
    Simulation::scenario(scenario).unwrap()
}

#[test]
fn pools_recover_from_closed_connections() {
    for scenario in ["connection-reset", "restart-fast", "server-killed", "long-recovery", "idle-close"] {
        simulation(scenario).client(deadpool_of).run().unwrap().assert_pass();
        simulation(scenario).client(bb8_of).run().unwrap().assert_pass();
    }
}

#[test]
fn pools_without_a_timeout_hang_in_a_stall() {
    let runs = [simulation("stall").client(deadpool_of).run(), simulation("stall").client(bb8_of).run()];
    for run in runs.map(Result::unwrap) {
        assert_eq!(run.verdict.verdict, VerdictKind::Fail, "{run}");
        assert!(run.verdict.failures().any(|(check, _)| check == Check::HungOperation), "{run}");
    }
}

#[test]
fn rereading_the_password_survives_its_rotation() {
    let rotated = || simulation("password-rotated");
    rotated().client(deadpool_of).run().unwrap().assert_pass();
    rotated().client(bb8_of).run().unwrap().assert_pass();
    let keeps_the_first = |net, address: Address| {
        let Address { hosts, user, password, database, .. } = &address;
        deadpool_of(net, Address::plain(hosts[0].clone(), user, password, database))
    };
    let run = rotated().client(keeps_the_first).run().unwrap();
    assert!(run.verdict.fails(Check::Recovered), "{run}");
}
