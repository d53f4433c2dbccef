//! Runs the README's snippet for library authors, and checks that README.md contains it and the one of
//! `benches/recovery.rs`. Also tests two limits of such a client: scenarios with `listen`, and supervision.

// README: begin
use pgsquall::{Address, Client, Experiment, OpError};
use tokio_postgres::{NoTls, connect};

struct MyClient(Address); // yours: a pool, made once

impl Client for MyClient {
    async fn write(&self, key: i64) -> Result<(), OpError> {
        let (client, connection) = connect(&self.0.url(), NoTls).await?;
        tokio::spawn(connection);
        client.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", &[&key]).await?;
        Ok(())
    }

    async fn read(&self, key: i64) -> Result<bool, OpError> {
        let (client, connection) = connect(&self.0.url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(client.query_opt("SELECT FROM pgsquall_ledger WHERE id = $1", &[&key]).await?.is_some())
    }
}

#[tokio::test]
async fn comes_back_after_a_maintenance_restart() {
    let question = Experiment::scenario("restart-fast").unwrap();
    let run = question.client(|address| async move { Ok(MyClient(address)) }).run().await.unwrap();
    run.assert_pass(); // else: which rule broke, when, the evidence, and how to repeat it
}
// README: end

#[tokio::test]
async fn clients_without_listen_skip_scenarios_that_listen() {
    let text = "schema = 1\ntitle = \"t\"\n[load]\nlisten = true\n[[fault]]\nkind = \"reset\"\nat = \"1s\"\n";
    let scenario = pgsquall::scenario::Scenario::parse("mine", "file", "mine.toml", text).unwrap();
    let question = Experiment::new(scenario).client(|address| async move { Ok(MyClient(address)) });
    match question.run().await.err().unwrap() {
        error @ pgsquall::Error::NotExpressible { .. } => {
            let text = error.to_string();
            assert!(text.contains(" mine ") && text.contains("\"listen\""), "{text}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn in_process_client_cannot_be_supervised() {
    let question = Experiment::scenario("restart-fast").unwrap().supervise();
    let error = question.client(|address| async move { Ok(MyClient(address)) }).run().await.err().unwrap().to_string();
    assert!(error.contains("cannot supervise"), "{error}");
}

#[test]
fn readme_contains_the_snippet() {
    let snippet = include_str!("library.rs").split("// README: begin\n").nth(1).unwrap();
    let snippet = snippet.split("// README: end\n").next().unwrap();
    assert!(include_str!("../README.md").contains(snippet), "README.md does not hold the snippet of tests/library.rs");
}

#[test]
fn readme_contains_the_benchmark() {
    let snippet = include_str!("../benches/recovery.rs").split("    // README: begin\n").nth(1).unwrap();
    let snippet = snippet.split("    // README: end\n").next().unwrap();
    let snippet: Vec<_> = snippet.lines().map(|line| line.trim_start()).collect();
    assert!(include_str!("../README.md").contains(&snippet.join("\n")), "README.md does not hold this snippet");
}
