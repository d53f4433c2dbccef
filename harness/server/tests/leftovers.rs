//! The next run removes the leftovers of a killed run. The killed run is this test binary, started again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use super::*;
use crate::environment::leftovers;
use crate::server::process_tree;

/// Environment variable that makes the test `victim` act as the run that is killed; its value is a state.
const VICTIM: &str = "PGSQUALL_TEST_VICTIM";

/// Acts as the run that is killed: starts a server, puts it into a state, prints its folder, and waits. Passes at once
/// without the variable.
#[tokio::test]
async fn victim() {
    let Ok(state) = std::env::var(VICTIM) else { return };
    let bench = ServerBench::new().await.unwrap();
    let _client = bench.client().await.unwrap();
    match state.as_str() {
        "followed" => {
            let standby = bench.server.create_standby(&bench.folder, &[]).await.unwrap();
            standby.start().await.unwrap();
            standby.wait(Readiness::AcceptingQueries, PATIENCE).await.unwrap();
            println!("\nvictim in {}", bench.folder.path().display());
            return sleep(PATIENCE).await;
        }
        "frozen" => bench.server.pause().await.unwrap(),
        "recovering" => recovery::hold(&bench).await,
        "orphaned" => {
            // Only the postmaster dies. Its frozen children cannot notice that, and stay.
            let pid_file = fs::read_to_string(bench.data().join("postmaster.pid")).unwrap();
            bench.server.pause().await.unwrap();
            process_tree::signal_all(&[pid_file.lines().next().unwrap().parse().unwrap()], Signal::SIGKILL);
        }
        _ => {}
    }
    println!("\nvictim in {}", bench.folder.path().display());
    sleep(PATIENCE).await;
}

/// The process of the victim; killed when dropped.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn victim_in(state: &str) -> (Victim, PathBuf) {
    let name = format!("{}::victim", module_path!().split_once("::").unwrap().1);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &name, "--nocapture"]).env(VICTIM, state).stdout(Stdio::piped());
    let mut victim = Victim(command.spawn().unwrap());
    let output = BufReader::new(victim.0.stdout.take().unwrap());
    let folder =
        output.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("victim in ").map(PathBuf::from));
    (victim, folder.expect("the victim printed no folder"))
}

/// Kills a run in this state, and removes its leftovers; returns their description. `servers` are the names of the data
/// folders.
///
/// Another run on this machine may find the leftovers first; it describes them, and this takes another victim.
async fn description_of_removed(state: &str, servers: &[&str]) -> String {
    const VICTIMS: usize = 5;
    for _ in 0..VICTIMS {
        let (victim, folder) = victim_in(state);
        let remains: Vec<_> = servers.iter().map(|name| Remains::within(&folder, name)).collect();
        leftovers::remove().await;
        let is_whole = folder.exists() && remains.iter().all(|server| !server.processes().is_empty());
        assert!(is_whole, "leftovers of a live run were removed");
        drop(victim);
        let began = Instant::now();
        let removed = in_time(leftovers::remove()).await;
        eprintln!("{state}: {:?}: {removed:?}", began.elapsed());
        let description = removed.into_iter().find(|text| text.contains(folder.to_str().unwrap()));
        if description.is_none() {
            in_time(async {
                while folder.exists() {
                    sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
        }
        remains.iter().for_each(Remains::assert_nothing);
        if let Some(description) = description {
            return description;
        }
    }
    panic!("other runs removed the leftovers of {VICTIMS} killed runs before this test could");
}

#[tokio::test]
async fn leftovers_of_killed_runs_are_removed_and_live_runs_stay() {
    let Some(alive) = ServerBench::new().await else { return };
    for state in ["running", "frozen", "recovering", "orphaned"] {
        let description = description_of_removed(state, &["data"]).await;
        assert!(description.contains("server") && !description.contains("in part"), "{description}");
    }
    one(&alive.client().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn standby_is_removed_with_its_primary() {
    if ServerBench::new().await.is_none() {
        return;
    }
    let description = description_of_removed("followed", &["data", "standby-data"]).await;
    assert!(description.contains("its servers"), "{description}");
}
