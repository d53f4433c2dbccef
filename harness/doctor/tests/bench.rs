//! Real servers, healthy but for what a test asks for. Where no Postgres is installed the tests say so and pass.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::doctor::{Diagnosis, Examination, Finding, Level, Topic, examine};
use crate::run_folder::RunFolder;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};
use crate::server::{Binaries, LocalServer, Readiness, Server, Session};

/// How long a slow, busy machine may take for what takes milliseconds; no test waits for it unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const PASSWORD: &str = "test-password";

/// With these, and with [`CALM`], nothing at all is found but that the server was started a moment ago.
const HEALTHY: [(&str, &str); 3] = [
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("client_connection_check_interval", "10s"),
];

/// A client that asks for what it should ask for.
pub const CALM: &str = "connect_timeout=10&keepalives_idle=60&keepalives_interval=10&keepalives_count=5";

/// A server that runs, in a folder of its own. Fields are dropped in this order.
pub struct Bench {
    pub server: LocalServer,
    folder: RunFolder,
}

impl Bench {
    /// A server with these settings too; `None`, with a word about it, where no Postgres is installed.
    pub async fn new(settings: &[(&str, &str)]) -> Option<Bench> {
        Bench::prepared(settings, |_| Vec::new()).await
    }

    /// The same, with files put into its folder before it starts, which give further settings.
    pub async fn prepared(
        settings: &[(&str, &str)],
        prepare: impl FnOnce(&Path) -> Vec<(String, String)>,
    ) -> Option<Bench> {
        let binaries = match Binaries::find() {
            Ok(binaries) => binaries,
            Err(error) => {
                eprintln!("skipped: {error}");
                return None;
            }
        };
        let folder = RunFolder::create().unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut all: Vec<_> = HEALTHY.iter().chain(settings).map(owned).collect();
        let files = folder.path().join("files");
        fs::create_dir(&files).unwrap();
        fs::set_permissions(&files, fs::Permissions::from_mode(0o755)).unwrap();
        all.extend(prepare(&files));
        let server = LocalServer::create(&binaries, &folder, &all).await.unwrap();
        // By what the server owns its account is known.
        let owner = fs::metadata(folder.path().join("data")).unwrap();
        for entry in fs::read_dir(&files).unwrap() {
            let path = entry.unwrap().path();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        server.start().await.unwrap();
        server.wait(Readiness::AcceptingQueries, PATIENCE).await.unwrap();
        let bench = Bench { server, folder };
        let session = bench.superuser().await;
        set_password(&session, ROLE, PASSWORD).await.unwrap();
        session.batch(&format!("GRANT pg_monitor TO {ROLE}")).await.unwrap();
        Some(bench)
    }

    pub async fn superuser(&self) -> Session {
        self.server.superuser().connect().await.unwrap()
    }

    /// A superuser's session, open while nobody else has one: those that prepared the server have ended by then.
    pub async fn alone(&self) -> Session {
        let session = self.superuser().await;
        let others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' \
                      AND pid <> pg_backend_pid()";
        let ended = async {
            while session.rows(others, &[]).await.unwrap()[0].get::<_, i64>(0) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("others stay");
        session
    }

    pub fn url(&self, parameters: &str) -> String {
        self.url_at("127.0.0.1", parameters)
    }

    pub fn url_at(&self, host: &str, parameters: &str) -> String {
        let port = self.server.address().port();
        format!("postgres://{ROLE}:{PASSWORD}@{host}:{port}/{DATABASE}?{CALM}&{parameters}")
    }

    /// A file outside the server's reach.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub async fn examined(&self) -> Diagnosis {
        examined(&self.url("")).await
    }
}

pub async fn examined(url: &str) -> Diagnosis {
    examined_within(url, PATIENCE).await
}

pub async fn examined_within(url: &str, patience: Duration) -> Diagnosis {
    let examination = Examination { target: url.parse().unwrap(), idle_timeout: None, patience };
    let diagnosis = examine(&examination).await;
    let (json, text) = (diagnosis.to_json().unwrap(), diagnosis.to_string());
    for text in [json, text] {
        assert!(!text.contains(PASSWORD), "a password is in:\n{text}");
    }
    diagnosis
}

/// The only finding that is not in order, beside the server's youth.
#[track_caller]
pub fn only(diagnosis: &Diagnosis) -> &Finding {
    let found: Vec<_> = wrong(diagnosis);
    assert_eq!(found.len(), 1, "{diagnosis}");
    found[0]
}

/// Findings that are not in order, beside the server's youth.
pub fn wrong(diagnosis: &Diagnosis) -> Vec<&Finding> {
    let findings = diagnosis.findings.iter();
    findings.filter(|finding| finding.level > Level::Ok && finding.topic != Topic::Server).collect()
}

/// One finding with this level that says all this, and has a source and advice.
#[track_caller]
pub fn says(finding: &Finding, topic: Topic, level: Level, texts: &[&str]) {
    assert_eq!((finding.topic, finding.level), (topic, level), "{finding:?}");
    let all = format!("{} {}", finding.value, finding.advice.as_deref().unwrap_or_default());
    for text in texts {
        assert!(all.contains(text), "{text:?} is not in {finding:?}");
    }
    assert!(!finding.source.is_empty() && finding.advice.is_some(), "{finding:?}");
}
