//! Shared by the tests of the binary: a workspace to run it in, its output, its stored results and its processes.
//!
//! Tests look for verdicts, figures, checks, skips and evidence in stored results (`report`), not in output: snapshots
//! (`cli/snapshots`) keep the wording of output, and other assertions look only for texts that the user typed or has to
//! type.

#![allow(dead_code, reason = "every test crate that includes this uses a part of it")]

pub mod busy_machine;
pub mod postgres;
mod processes;
mod report;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use busy_machine::was_overloaded;
use nix::unistd::{User, geteuid};
pub use processes::{Running, ended, lives, processes_of, signal, until};
pub use report::{Report, Verdict};
use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_pgsquall");

/// Time limit for steps that take seconds on an idle machine. Shorter than the two minutes after which nextest kills a
/// test, so that the message names the step.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A scenario: a reset soon after the start, and five seconds to recover. A run takes about three seconds.
pub const RESET: &str = r#"
schema = 1
title = "A short reset"
[budget]
from = "inject"
time_to_recover = "5s"
stability = "500ms"
[[fault]]
kind = "reset"
at = "500ms"
"#;

/// A scenario: all packets are lost for half a second. A run takes about three seconds. `ci/killed_runs.py` uses it
/// too.
pub const SHORT_BLACKHOLE: &str = include_str!("short-blackhole.toml");

/// A scenario: the server is frozen for longer than any test lasts.
pub const FROZEN: &str = r#"
schema = 1
title = "A long freeze"
[[fault]]
kind = "freeze"
at = "500ms"
for = "10m"
"#;

/// An adapter that acknowledges everything without using Postgres, keeps running when its stdin ends, and has a
/// child. It writes the run's folder, its own pid and its child's to the file `adapter` in its working directory.
pub const YES_MAN: &str = r#"
sleep 1000 & echo "$PGSQUALL_RUN $$ $!" > adapter
echo '{"hello":{"name":"yes-man","version":"1","concurrency":2}}'
while read -r line; do
  id=${line#*:}; echo "{\"id\":${id%%,*},\"ok\":true,\"found\":true}"
done
wait
"#;

/// A folder to run the binary in.
pub struct Workspace(TempDir);

impl Workspace {
    pub fn new() -> Workspace {
        Workspace(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Reads the `report.json` of a folder of results, or a file of `--report json=FILE`.
    #[track_caller]
    pub fn report(&self, name: &str) -> Report {
        let is_file = self.path().join(name).is_file();
        Report::parse(&self.read(&if is_file { name.to_owned() } else { format!("{name}/report.json") }))
    }

    /// Reads the `verdict.json` of a run's folder.
    #[track_caller]
    pub fn verdict(&self, folder: &str) -> Verdict {
        Verdict::parse(&self.read(&format!("{folder}/verdict.json")))
    }

    pub fn holds(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// Returns a command that runs in this folder, with captured output and without the caller's database settings.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // COLUMNS sets the width of help.
        for name in ["DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "COLUMNS"] {
            command.env_remove(name);
        }
        command.current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Returns a command of the binary. As root, it runs as this user: other runs on the machine do not remove that
    /// user's leftovers. `group` gives access to files that the user could not read otherwise.
    pub fn as_user(&self, name: &str, group: Option<u32>) -> Command {
        if !is_root() {
            return self.command(BINARY);
        }
        let user = User::from_name(name).unwrap().unwrap_or_else(|| panic!("no user {name}"));
        // That user may have no access to the folder of the build.
        let binary = self.path().join("pgsquall");
        if !binary.exists() {
            fs::set_permissions(self.path(), fs::Permissions::from_mode(0o777)).unwrap();
            fs::copy(BINARY, &binary).unwrap();
            fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = self.command("setpriv");
        let group = group.unwrap_or(user.gid.as_raw());
        command.args(["--reuid", name, "--regid", &group.to_string(), "--clear-groups", "--no-new-privs"]);
        command.arg(binary).env("HOME", self.path()).env_remove("XDG_CACHE_HOME");
        command
    }

    /// Starts the binary with these arguments.
    pub fn start(&self, words: &[&str]) -> Running {
        let mut command = self.command(BINARY);
        command.args(words);
        Running::start(command)
    }

    /// Runs the binary with these arguments to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        let mut command = self.command(BINARY);
        command.args(words);
        output_of(command)
    }

    /// Reads the file of [`YES_MAN`]: the run's folder, its pid and its child's.
    pub fn adapter(&self) -> (PathBuf, [u32; 2]) {
        self.adapter_of("adapter")
    }

    /// Reads the file of a [`YES_MAN`] that uses another file.
    pub fn adapter_of(&self, file: &str) -> (PathBuf, [u32; 2]) {
        let text = self.read(file);
        let mut words = text.split_whitespace();
        let run = words.next().unwrap().into();
        (run, [0, 1].map(|_| words.next().unwrap().parse().unwrap()))
    }

    /// Waits until a history in this folder contains a text; panics if the child ends first.
    pub fn wait_for(&self, history: &str, text: &str, child: &mut Child) {
        let holds = || fs::read_to_string(self.path().join(history)).is_ok_and(|history| history.contains(text));
        until(&format!("{text} in {history}"), || {
            assert!(child.try_wait().unwrap().is_none(), "it ended early:\n{}", Output::of(child));
            holds()
        });
    }
}

/// A program's output and exit code.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Which clients can use the kernel plane, from the output of `pgsquall list`.
pub struct KernelPlane {
    pub in_process: bool,
    pub process: bool,
    /// The line of the output.
    pub line: String,
}

impl KernelPlane {
    /// Whether no client can use it; prints the reason.
    pub fn is_missing(&self) -> bool {
        let is_missing = !self.in_process && !self.process;
        if is_missing {
            println!("skipped: no kernel plane: {}", self.line);
        }
        is_missing
    }
}

/// Runs a command to its end; kills it after [`PATIENCE`]. Repeats a command whose verdict is unknown because of an
/// overloaded machine, up to three times in all.
pub fn output_of(command: Command) -> Output {
    let mut command = assert_cmd::Command::from_std(command);
    let mut times = 1..3;
    loop {
        let output = command.timeout(PATIENCE).output().unwrap();
        let output = Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        let is_answer = output.code != Some(2) || !was_overloaded(&output.stdout);
        if is_answer || times.next().is_none() {
            return output;
        }
        println!("repeated, because the machine was overloaded: {output}");
    }
}

impl Output {
    /// Waits for a child's end and reads its output, which must fit into the pipes.
    pub fn of(child: &mut Child) -> Output {
        use std::io::Read;
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let status = ended(child);
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Output { code: status, stdout, stderr }
    }

    pub fn succeeds(&self) -> &Output {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Returns the first line of stdout that begins with this word.
    #[track_caller]
    pub fn line(&self, word: &str) -> &str {
        let line = self.stdout.lines().map(str::trim).find(|line| line.split_whitespace().next() == Some(word));
        line.unwrap_or_else(|| panic!("{word:?} begins no line of:\n{self}"))
    }

    /// Returns the first line of stderr that names a run's folder.
    #[track_caller]
    pub fn line_about(&self, run: &Path) -> &str {
        let run = run.display().to_string();
        self.stderr
            .lines()
            .find(|line| line.contains(&run))
            .unwrap_or_else(|| panic!("{run} is not on stderr of:\n{self}"))
    }

    /// Parses the line about the kernel plane. Only this function parses that text.
    #[track_caller]
    pub fn kernel_plane(&self) -> KernelPlane {
        let line = self.line("kernel").strip_prefix("kernel plane").expect("a line of the kernel plane").trim();
        let starts = |with: &[&str]| with.iter().any(|with| line.starts_with(with));
        let everywhere = starts(&["available: "]);
        let found = KernelPlane {
            in_process: everywhere || starts(&["available for clients in this process"]),
            process: everywhere || starts(&["available for clients in their own process"]),
            line: line.to_owned(),
        };
        assert!(found.in_process || found.process || starts(&["not available: "]), "cannot parse: {line}");
        found
    }

    /// Asserts this exit code, one error and all these texts on stderr, an empty stdout, and no stack trace.
    #[track_caller]
    pub fn refuses(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        let errors: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(errors.len(), 1, "{self}");
        assert_eq!(self.stdout, "", "a refused command prints nothing on stdout");
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{self}");
        }
        for trace in ["panicked", "backtrace", "Err(", "Error {"] {
            assert!(!self.stderr.contains(trace), "{self}");
        }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether Docker and the image for tests are available; prints a message otherwise.
pub fn docker_is_here() -> bool {
    let image = || Command::new("docker").args(["image", "inspect", IMAGE]).output();
    let found = cfg!(feature = "docker") && image().is_ok_and(|out| out.status.success());
    if !found {
        println!(
            "skipped: no Docker here that has the image {IMAGE} (ci/postgres-image.sh 15 builds it), or not in this build"
        );
    }
    found
}

/// The image for tests, which `ci/postgres-image.sh` builds.
pub const IMAGE: &str = "pgsquall/postgres:15";
