//! Real servers, healthy except for the settings under test. Without Postgres the tests print that and pass.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::doctor::{Diagnosis, Examination, Finding, Level, Topic, examine};
use crate::run_folder::RunFolder;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};
use crate::server::{Binaries, LocalServer, Readiness, Server, Session};

/// Time limit of steps that take milliseconds on an idle machine; reached only if a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const PASSWORD: &str = "test-password";

/// With these settings and [`CALM`], the only concern is the server's recent start.
const HEALTHY: [(&str, &str); 3] = [
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("client_connection_check_interval", "10s"),
];

/// URL parameters of a well-configured client.
pub const CALM: &str = "connect_timeout=10&keepalives_idle=60&keepalives_interval=10&keepalives_count=5";

/// A running server with a folder of its own. Fields are dropped in this order.
pub struct DoctorBench {
    pub server: LocalServer,
    folder: RunFolder,
}

impl DoctorBench {
    /// A server with these further settings; `None`, with a message, if no Postgres is installed.
    pub async fn new(settings: &[(&str, &str)]) -> Option<DoctorBench> {
        DoctorBench::prepared(settings, |_| Vec::new()).await
    }

    /// A server with files in its folder, written before the start by `prepare`, which returns further settings.
    pub async fn prepared(
        settings: &[(&str, &str)],
        prepare: impl FnOnce(&Path) -> Vec<(String, String)>,
    ) -> Option<DoctorBench> {
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
        // The owner of the data folder is the server's account.
        let owner = fs::metadata(folder.path().join("data")).unwrap();
        for entry in fs::read_dir(&files).unwrap() {
            let path = entry.unwrap().path();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        server.start().await.unwrap();
        server.wait(Readiness::AcceptingQueries, PATIENCE).await.unwrap();
        let bench = DoctorBench { server, folder };
        let session = bench.superuser().await;
        set_password(&session, ROLE, PASSWORD).await.unwrap();
        session.batch(&format!("GRANT pg_monitor TO {ROLE}")).await.unwrap();
        Some(bench)
    }

    pub async fn superuser(&self) -> Session {
        self.server.superuser().connect().await.unwrap()
    }

    /// Opens a superuser's session, and waits until it is the only client session.
    pub async fn exclusive_session(&self) -> Session {
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

    /// Writes a file that the server does not use.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub async fn examined(&self) -> Diagnosis {
        examine_url(&self.url("")).await
    }
}

pub async fn examine_url(url: &str) -> Diagnosis {
    examine_url_within(url, PATIENCE).await
}

pub async fn examine_url_within(url: &str, patience: Duration) -> Diagnosis {
    let examination = Examination { target: url.parse().unwrap(), idle_timeout: None, patience };
    let diagnosis = examine(&examination).await;
    let (json, text) = (diagnosis.to_json().unwrap(), diagnosis.to_string());
    for text in [json, text] {
        assert!(!text.contains(PASSWORD), "a password is in:\n{text}");
    }
    diagnosis
}

/// The only finding of [`concerns`].
#[track_caller]
pub fn only_concern(diagnosis: &Diagnosis) -> &Finding {
    let found: Vec<_> = concerns(diagnosis);
    assert_eq!(found.len(), 1, "{diagnosis}");
    found[0]
}

/// Findings above `ok`, without those about the server (its recent start).
pub fn concerns(diagnosis: &Diagnosis) -> Vec<&Finding> {
    let findings = diagnosis.findings.iter();
    findings.filter(|finding| finding.level > Level::Ok && finding.topic != Topic::Server).collect()
}

/// Expects this topic and level, these texts in value or advice, and a source and an advice.
#[track_caller]
pub fn assert_finding(finding: &Finding, topic: Topic, level: Level, texts: &[&str]) {
    assert_eq!((finding.topic, finding.level), (topic, level), "{finding:?}");
    let all = format!("{} {}", finding.value, finding.advice.as_deref().unwrap_or_default());
    for text in texts {
        assert!(all.contains(text), "{text:?} is not in {finding:?}");
    }
    assert!(!finding.source.is_empty() && finding.advice.is_some(), "{finding:?}");
}
