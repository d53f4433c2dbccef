//! Runs the README's snippet for simulations, and checks that README.md contains this text.
#![cfg(feature = "simulation")]

// README: begin
use pgsquall::simulation::{Net, Simulation};
use pgsquall::{Address, Client, OpError};
use tokio_postgres::{Config, NoTls};

struct MyDriver(Net, Address); // yours, given its streams: here one for each operation

impl MyDriver {
    async fn connect(&self) -> Result<tokio_postgres::Client, OpError> {
        let stream = self.0.connect(&self.1.hosts[0]).await?;
        let (client, connection) = self.1.url().parse::<Config>()?.connect_raw(stream, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Client for MyDriver {
    async fn write(&self, key: i64) -> Result<(), OpError> {
        self.connect().await?.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", &[&key]).await?;
        Ok(())
    }

    async fn read(&self, key: i64) -> Result<bool, OpError> {
        let found = self.connect().await?.query("SELECT 1 FROM pgsquall_ledger WHERE id = $1", &[&key]).await?;
        Ok(!found.is_empty())
    }
}

#[test]
fn survives_a_blackhole() {
    let question = Simulation::scenario("blackhole").unwrap();
    let run = question.client(|net, address| async { Ok(MyDriver(net, address)) }).run().unwrap();
    run.assert_pass(); // some ten seconds of virtual time, in some milliseconds
}
// README: end

#[test]
fn readme_contains_the_snippet() {
    let snippet = include_str!("simulated_driver.rs").split("// README: begin\n").nth(1).unwrap();
    let snippet = snippet.split("// README: end\n").next().unwrap();
    assert!(include_str!("../README.md").contains(snippet), "README.md does not hold this snippet");
}
