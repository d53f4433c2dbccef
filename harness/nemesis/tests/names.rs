//! Which address a process gets from libc for the server's name while the server moves, and what that address
//! answers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::{PATIENCE, Stage, servers};
use crate::netns::{ClientNetns, NAME, names_available};

const BY_NAME: &str = "[client]\nfound_by = \"name\"\n";

/// Sets up a scenario with a name for the server, on every kind of server; empty, with a message, if names are not
/// available.
async fn stages(scenario: &str) -> Vec<Stage> {
    if let Err(reason) = names_available().await {
        println!("skipped: {reason}");
        return Vec::new();
    }
    let scenario = format!("schema = 1\ntitle = \"t\"\n{scenario}");
    let mut stages = Vec::new();
    for source in servers().await {
        stages.push(Stage::set_on(Some(ClientNetns::Own), &source, &scenario).await);
    }
    stages
}

/// Returns the addresses that a process in the client's namespace gets for the name.
async fn addresses(stage: &Stage) -> Vec<IpAddr> {
    let mut command = Command::new("getent");
    command.args(["ahostsv4", NAME]).stdin(Stdio::null()).kill_on_drop(true);
    let kernel = stage.environment.kernel.as_ref().unwrap();
    kernel.home().unwrap().enter_as_user(&mut command, None).unwrap();
    let output = timeout(PATIENCE, command.output()).await.expect("no end").unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.contains("STREAM"));
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

/// Connects from the client's namespace; `None` if there is no answer within two seconds.
async fn dial(stage: &Stage, address: IpAddr) -> Option<io::Result<()>> {
    let kernel = stage.environment.kernel.as_ref().unwrap();
    let dialled = kernel.dial(SocketAddr::from((address, 5432)));
    timeout(Duration::from_secs(2), dialled).await.ok().map(|dialled| dialled.map(drop))
}

#[tokio::test]
async fn a_server_that_moves_leaves_silence_and_a_name_that_lags_behind() {
    let fault = "[[fault]]\nkind = \"dns-stale\"\nat = \"2s\"\nfor = \"1s\"\n";
    for mut stage in stages(&format!("{BY_NAME}{fault}")).await {
        let old = stage.environment.gateway.address().ip();
        assert_eq!(addresses(&stage).await, [old]);
        assert!(dial(&stage, old).await.unwrap().is_ok());
        stage.inject(0).await;
        assert_eq!(addresses(&stage).await, [old], "the name lags behind");
        assert!(dial(&stage, old).await.is_none(), "no host is there to refuse");
        stage.heal(0).await;
        let new = addresses(&stage).await;
        assert!(new.len() == 1 && new != [old], "{new:?}");
        assert!(dial(&stage, new[0]).await.unwrap().is_ok());
        assert!(dial(&stage, old).await.is_none(), "for good");
        let evidence = stage.evidence(0).await;
        let count = |what: &str| evidence.iter().find(|found| found.what.contains(what)).unwrap().count;
        assert!(count("packets to the old address dropped") >= 2, "{evidence:?}");
        assert_eq!((count("with the old address"), count("with the new address")), (1, 1));
        stage.close().await;
    }
}

#[tokio::test]
async fn a_name_follows_the_primary() {
    let fault = "[[fault]]\nkind = \"promote-standby\"\nat = \"2s\"\nfor = \"1s\"\n";
    for mut stage in stages(&format!("[server]\nstandby = true\n{BY_NAME}{fault}")).await {
        let old = stage.environment.gateway.address().ip();
        stage.inject(0).await;
        assert_eq!(addresses(&stage).await, [old]);
        assert_eq!(dial(&stage, old).await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        stage.heal(0).await;
        let new = addresses(&stage).await;
        assert!(new.len() == 1 && new != [old], "{new:?}");
        assert!(dial(&stage, new[0]).await.unwrap().is_ok());
        assert!(dial(&stage, old).await.unwrap().is_err(), "the old primary stays dead");
        stage.close().await;
    }
}
