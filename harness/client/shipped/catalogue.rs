//! The files of the shipped adapters, embedded from `scenarios/adapters/`.

use super::{Manifest, Shipped};

/// A file's name and its text.
type File = (&'static str, &'static str);

/// A language: its name, the files that its adapters share, and the name and own files of each adapter.
type Language = (&'static str, &'static [File], &'static [(&'static str, &'static [File])]);

macro_rules! languages {
    ($($language:literal [$($shared:literal)*] {$($name:literal [$($file:literal)*])*})*) => {
        const LANGUAGES: &[Language] = &[$((
            $language,
            &[$(($shared, include_str!(concat!("../../../scenarios/adapters/", $language, "/", $shared)))),*],
            &[$((
                $name,
                &[$((
                    $file,
                    include_str!(concat!("../../../scenarios/adapters/", $language, "/", $name, "/", $file))
                )),*],
            )),*],
        )),*];
    };
}

languages! {
    "c" ["adapter.c" "adapter.h"] {
        "libpq" ["adapter.toml" "client.c"]
    }
    "go" ["adapter.go"] {
        "lib-pq" ["adapter.toml" "client.go"]
        "pgx" ["adapter.toml" "client.go"]
    }
    "java" ["Adapter.java" "Jdbc.java"] {
        "hikaricp" ["Client.java" "adapter.toml" "classpath.txt"]
        "pgjdbc" ["Client.java" "adapter.toml" "classpath.txt"]
    }
    "node" ["adapter.js"] {
        "node-pg" ["adapter.toml" "client.js"]
    }
    "perl" ["Adapter.pm"] {
        "dbd-pg" ["adapter.toml" "client.pl"]
    }
    "php" ["adapter.php"] {
        "pdo-pgsql" ["adapter.toml" "client.php"]
    }
    "python" ["adapter.py" "libpq.py"] {
        "asyncpg-pool" ["adapter.toml" "client.py" "requirements.txt"]
        "pg8000" ["adapter.toml" "client.py" "requirements.txt"]
        "psycopg" ["adapter.toml" "client.py" "requirements.txt"]
        "psycopg-pool" ["adapter.toml" "client.py" "requirements.txt"]
        "psycopg-pool-async" ["adapter.toml" "client.py" "requirements.txt"]
        "psycopg2-pool" ["adapter.toml" "client.py" "requirements.txt"]
        "sqlalchemy" ["adapter.toml" "client.py" "requirements.txt"]
        "sqlalchemy-async" ["adapter.toml" "client.py" "requirements.txt"]
    }
    "ruby" ["adapter.rb"] {
        "ruby-pg" ["adapter.toml" "client.rb"]
    }
    "rust" ["adapter.rs" "database.rs" "subscription.rs"] {
        "bb8-postgres" ["adapter.toml" "client.rs" "package.toml"]
        "deadpool-postgres" ["adapter.toml" "client.rs" "package.toml"]
        "diesel-async" ["adapter.toml" "client.rs" "package.toml"]
        "sqlx" ["adapter.toml" "client.rs" "package.toml"]
        "tokio-postgres" ["adapter.toml" "client.rs" "package.toml"]
    }
    "shell" ["adapter.sh"] {
        "psql" ["adapter.toml" "client.sh"]
    }
}

/// The file that describes each adapter.
pub(super) const MANIFEST: &str = "adapter.toml";

/// Every shipped adapter, grouped by language.
pub fn adapters() -> Vec<Shipped> {
    let mut found = Vec::new();
    for (language, shared, adapters) in LANGUAGES {
        for (name, own) in *adapters {
            let files: Vec<File> = [*shared, *own].concat();
            let manifest = own.iter().find(|(file, _)| *file == MANIFEST);
            // An adapter without a valid manifest is left out here; a test reports it.
            let Some(Ok(manifest)) = manifest.map(|(_, text)| Manifest::read(text)) else { continue };
            found.push(Shipped { name, language, files, manifest });
        }
    }
    found
}
