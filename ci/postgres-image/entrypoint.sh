#!/bin/bash
# Starts Postgres as PID 1, and makes its cluster first where there is none.
#
# Follows the official image as far as the harness uses it: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, PGDATA, and
# arguments for postgres. Not followed: *_FILE variables, POSTGRES_INITDB_ARGS, scripts in /docker-entrypoint-initdb.d.
set -euo pipefail

if [[ ${1:-} == -* ]]; then
    set -- postgres "$@"
fi
if [[ ${1:-} != postgres ]]; then
    exec "$@"
fi

if [[ $(id -u) == 0 ]]; then
    install -d -o postgres -g postgres -m 0700 "$PGDATA"
    # /run may be a fresh tmpfs.
    install -d -o postgres -g postgres -m 2775 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then
    if [[ -z ${POSTGRES_PASSWORD:-} ]]; then
        echo "no cluster in $PGDATA, and POSTGRES_PASSWORD is not set: cannot make one" >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}

    # --no-sync: the container has nothing to lose yet, and its first start is waited for.
    initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-sync >/dev/null
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    if [[ $database != postgres ]]; then
        echo "CREATE DATABASE \"${database//\"/\"\"}\"" | postgres --single -F -j postgres >/dev/null
    fi
fi

unset POSTGRES_PASSWORD
exec "$@"
