//! A standby in a second container: copied from its primary by `pg_basebackup` over a network of their own.
//!
//! Asks no more of the image than the rest does: that it has Postgres's programs in its PATH, a user `postgres` whose
//! home folder is that user's, and an entrypoint that runs other commands than `postgres` as they are.

use std::sync::Arc;

use testcontainers::ImageExt;

use super::container::Container;
use super::network::Network;
use super::{DockerServer, USER, launch};
use crate::server::{Server, ServerError};

/// Lets the superuser replicate from other containers. Appended from within, for nobody else can write the file; `md5`
/// takes a password that is stored as SCRAM too, and images differ in that.
const LET_REPLICATE: &str = "COPY (SELECT 'host replication postgres all md5') TO PROGRAM 'cat >>pg_hba.conf'";

/// Copies the primary `$1` into a folder that the image has no volume for, and becomes a server there, with the
/// remaining arguments. Started again, it goes on with what it has.
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

/// Where the standby keeps its cluster: in the home folder of the user `postgres`.
const DATA: &str = "/var/lib/postgresql/standby";

impl DockerServer {
    /// A standby of this server, which follows it as soon as it runs queries.
    pub(crate) async fn create_standby(
        &mut self,
        run: &str,
        settings: &[(String, String)],
    ) -> Result<DockerServer, ServerError> {
        let docker = self.container.docker.clone();
        let network = Arc::new(Network::create(&docker, run).await?);
        let primary = network.admit(&self.container.id).await?;
        self.network = Some(Arc::clone(&network));
        let session = self.superuser().connect().await?;
        session.batch(LET_REPLICATE).await?;
        session.batch("SELECT pg_reload_conf()").await?;

        // The default of 5 s would hold up every commit for that long after a restart of the primary.
        let retry = ("wal_retrieve_retry_interval".to_owned(), "200ms".to_owned());
        // The folder for sockets is made by the image's entrypoint, and only for a server that begins as root.
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
        standby.born().await?;
        Ok(standby)
    }
}
