//! Crashes a server in a container, and holds its recovery by stopping the startup process as soon as it appears.
//!
//! One shell script inside the container does both, because a round trip through the engine (50 ms and more) may take
//! longer than the recovery. It needs sh and grep, which every image has, Alpine's too.

use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecResults};

use super::container::Container;
use super::engine::call;
use crate::server::ServerError;

/// Kills the backend `$1` and stops the startup process that follows. Prints `held PID`, or the reason of a failure.
///
/// The pattern is anchored, because the titles of this script and of grep contain the word too; `cluster_name` may
/// precede the word. SIGSTOP takes effect when the process is next scheduled, so the script polls until its state is T.
const CRASH: &str = r#"
kill -KILL "$1" || exit 1
read -r now _ </proc/uptime; deadline=$((${now%.*} + 10))
while [ "${now%.*}" -lt "$deadline" ]; do
    for file in $(grep -alsE '^postgres: (.*: )?startup' /proc/[0-9]*/cmdline); do
        pid=${file#/proc/}; pid=${pid%/cmdline}
        kill -STOP "$pid" || continue
        while read -r stat <"/proc/$pid/stat"; do
            case $stat in
                *') T '*) echo "held $pid"; exit 0 ;;
                *') Z '* | *') X '*) break ;;
            esac
        done
        echo "recovery (process $pid) was over before it could be held"; exit 1
    done
    read -r now _ </proc/uptime
done
echo "no startup process within 10 s; processes: $(cat /proc/[0-9]*/cmdline | tr '\000' ' ')"; exit 1
"#;

/// Longest wait for a script; longer than the 10 s deadline inside [`CRASH`].
const SCRIPT_WITHIN: Duration = Duration::from_secs(20);

impl Container {
    /// Crashes the server by killing a backend, and holds its recovery; returns the pid of the held process.
    ///
    /// *Errors*: the backend does not exist, or recovery ended before it was held.
    pub async fn crash(&self, backend: i32) -> Result<i32, ServerError> {
        let failed = |reason| ServerError::Control { doing: "crash", reason };
        if backend <= 1 {
            return Err(failed(format!("{backend} is not the pid of a backend")));
        }
        let output = shell(self, CRASH, backend).await?;
        let pid = output.lines().find_map(|line| line.strip_prefix("held ")).and_then(|pid| pid.parse().ok());
        pid.ok_or_else(|| failed(output))
    }

    /// Kills one process inside the container.
    pub async fn kill_process(&self, pid: i32) -> Result<(), ServerError> {
        let output = if pid > 1 { shell(self, r#"kill -KILL "$1" && echo killed"#, pid).await? } else { String::new() };
        match output.as_str() {
            "killed" => Ok(()),
            _ => Err(ServerError::Control { doing: "crash", reason: format!("cannot kill process {pid}: {output}") }),
        }
    }

    /// Resumes the held process.
    pub async fn release(&self, held: i32) -> Result<(), ServerError> {
        let output = shell(self, r#"kill -CONT "$1" && echo released"#, held).await?;
        match output.as_str() {
            "released" => Ok(()),
            _ => Err(ServerError::Control { doing: "release the recovery of", reason: output }),
        }
    }
}

/// Runs a script with one argument as root inside the container; returns its output. The exit code is ignored.
async fn shell(Container { docker, id, .. }: &Container, script: &str, pid: i32) -> Result<String, ServerError> {
    let pid = pid.to_string();
    let options = CreateExecOptions {
        cmd: Some(vec!["sh", "-c", script, "sh", &pid]),
        user: Some("0"),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..Default::default()
    };
    let work = async {
        let exec = docker.create_exec(id, options).await?;
        let mut printed = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = docker.start_exec(&exec.id, None).await? {
            while let Some(chunk) = output.next().await {
                printed.extend(chunk?.into_bytes());
            }
        }
        Ok::<_, testcontainers::bollard::errors::Error>(String::from_utf8_lossy(&printed).trim().to_owned())
    };
    call("run a script in the server's container", SCRIPT_WITHIN, work).await
}
