//! A standby in a second container, copied from its primary by `pg_basebackup` over a private network.
//!
//! Requires of the image: Postgres's programs in PATH, a user `postgres` with its own home folder, and an entrypoint
//! that runs commands other than `postgres` unchanged.

use std::sync::Arc;

use testcontainers::ImageExt;

use super::container::Container;
use super::network::Network;
use super::{DockerServer, USER, launch};
use crate::server::{Server, ServerError};

/// Lets the superuser replicate from other containers. The server itself appends the rule, because it owns the file.
/// `md5` also accepts passwords stored as SCRAM; images differ in how they store them.
const LET_REPLICATE: &str = "COPY (SELECT 'host replication postgres all md5') TO PROGRAM 'cat >>pg_hba.conf'";

/// Copies the primary `$1` into a folder that is not a volume of the image, and executes `postgres` there with the
/// remaining arguments. After a restart, the script uses the existing copy.
const FOLLOW: &str = r#"
primary=$1; shift
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA"
    pg_basebackup --host="$primary" --username=postgres --pgdata="$PGDATA" --checkpoint=fast --wal-method=stream \
        --write-recovery-conf --no-sync || exit 1
fi
unset PGPASSWORD
exec postgres "$@"
"#;

/// The standby's data folder, in the home folder of the user `postgres`.
const DATA: &str = "/var/lib/postgresql/standby";

impl DockerServer {
    /// Creates a standby of this server; returns once the standby runs queries. `control::follow` then waits until it
    /// follows.
    ///
    /// *Errors*: the network or the container cannot be created, or the standby does not start.
    pub(crate) async fn create_standby(
        &mut self,
        run: &str,
        settings: &[(String, String)],
    ) -> Result<DockerServer, ServerError> {
        let docker = self.container.docker.clone();
        let network = Arc::new(Network::create(&docker, run).await?);
        let primary = network.connect(&self.container.id).await?;
        self.network = Some(Arc::clone(&network));
        let session = self.superuser().connect().await?;
        session.batch(LET_REPLICATE).await?;
        session.batch("SELECT pg_reload_conf()").await?;

        // The default of 5 s would delay every commit by that long after a restart of the primary.
        let retry = ("wal_retrieve_retry_interval".to_owned(), "200ms".to_owned());
        // The image's entrypoint creates the folder for sockets only for servers that start as root.
        let sockets = ("unix_socket_directories".to_owned(), String::new());
        let arguments = launch::arguments(settings.iter().chain([&retry, &sockets]));
        let command = ["sh", "-c", FOLLOW, "sh", &primary].map(str::to_owned).into_iter().chain(arguments);
        let request = launch::bare(&self.image, run, false)
            .with_cmd(command)
            .with_user(USER)
            .with_env_var("PGDATA", DATA)
            .with_env_var("PGPASSWORD", &self.password)
            .with_network(network.name());
        let container = Container::new(docker.clone(), launch::start(&docker, &self.image, request).await?);
        let standby = DockerServer {
            container,
            image: self.image.clone(),
            version: self.version.clone(),
            password: self.password.clone(),
            held: Default::default(),
            network: Some(network),
            has_small_disk: false,
        };
        standby.await_creation().await?;
        Ok(standby)
    }
}
