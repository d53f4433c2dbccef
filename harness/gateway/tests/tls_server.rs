//! TLS terminated by the gateway, between libpq and a real server.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Output;

use super::bench::recorder;
use super::*;
use crate::credentials::certificate::Authority;
use crate::credentials::origin::Origin;
use crate::gateway::{Gateway, RuleKind, Termination};
use crate::model::fault::{CutPoint, Point, Strike};
use crate::model::seed::Seed;
use crate::run_folder::RunFolder;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};
use crate::server::{Binaries, LocalServer, Readiness, Server};

const PASSWORD: &str = "test-password";

/// Writes a file that only the owner of `like`, the server's user, may read.
fn secret(path: &Path, text: &str, like: &Path) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(like).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

#[tokio::test]
async fn libpq_verifies_everything_and_a_commit_loses_its_reply() {
    let binaries = match Binaries::find() {
        Ok(binaries) => binaries,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let folder = RunFolder::create().unwrap();
    let [certificate, key, root] = ["server.crt", "server.key", "root.crt"].map(|name| folder.path().join(name));
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = [
        setting("ssl", "on"),
        setting("ssl_cert_file", certificate.to_str().unwrap()),
        setting("ssl_key_file", key.to_str().unwrap()),
    ];
    let server = in_time(LocalServer::create(&binaries, &folder, &settings)).await.unwrap();
    let authority = Authority::new(Origin::Machine, "authority").unwrap();
    let issued = authority.issue(&["localhost"]).unwrap();
    let data = folder.path().join("data");
    secret(&certificate, &issued.chain, &data);
    secret(&key, &issued.key, &data);
    fs::write(&root, &authority.certificate).unwrap();
    server.start().await.unwrap();
    in_time(server.wait(Readiness::AcceptingQueries, PATIENCE)).await.unwrap();
    let superuser = server.superuser().in_database(DATABASE).connect().await.unwrap();
    set_password(&superuser, ROLE, PASSWORD).await.unwrap();

    let recorder = recorder();
    let gateway = Gateway::open(server.address(), Seed(0), Arc::new(recorder.clone())).unwrap();
    let trusted = Some(authority.certificate.as_bytes());
    let (chain, key) = (issued.chain.as_bytes(), issued.key.as_bytes());
    gateway.terminate(Termination::new(chain, key, trusted, "localhost").unwrap());
    // Channel binding succeeds only if the gateway presents the server's own certificate.
    let psql = async |statements: &str| -> Output {
        let target = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user={ROLE} dbname={DATABASE} sslmode=verify-full \
             sslrootcert={} channel_binding=require",
            gateway.address().port(),
            root.display()
        );
        let mut psql = tokio::process::Command::new("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &target, "-c", statements]).env("PGPASSWORD", PASSWORD);
        in_time(psql.output()).await.unwrap()
    };
    let output = psql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "t", "{failed}");

    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    let rule = gateway.install("commit-reply-lost", RuleKind::CutPoint(cut)).await;
    let output = psql("BEGIN; INSERT INTO pgsquall_ledger (id) VALUES (7); COMMIT").await;
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && failed.contains("server closed the connection unexpectedly"), "{failed}");
    assert_eq!(rule.tally.strikes(), 1);
    let rows = superuser.rows("SELECT count(*) FROM pgsquall_ledger WHERE id = 7", &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>(0), 1, "the server executed it");
    gateway.remove(&rule).await;

    let output = psql("SELECT 1/0").await;
    assert!(!output.status.success());
    let seen = recorder.look(|history| format!("{:?}", history.events));
    assert!(seen.contains("22012") && !seen.contains("Opaque"), "{seen}");
    gateway.close().await;
    server.remove().await.unwrap();
}
