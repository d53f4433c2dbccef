#!/usr/bin/env bash
# Known bugs of released libraries, found by what is shipped: of each, the version that has it must fail a shipped scenario
# by the check that is there for it, and one that has not must pass, each three times (seeds 1, 2, 3). Prints a line for each.
#
#   ci/known-bugs.sh [PAIR…]                    default: all of them, a quarter of an hour on two cores
#   PGSQUALL=program AT_ONCE=2 ci/known-bugs.sh  with that program (else it is built); so many runs at once, else 3
#
# Versions are downloaded with pip and cargo into target/known-bugs, and stay there. Clients are the shipped adapters, with
# another version of the library; where that asks for another client or other packages, what is in ci/known-bugs/NAME.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=$PWD/target/known-bugs
wanted=("$@")
pairs=()
failed=0

# pair NAME SCENARIO CHECK INSTALLER ADAPTER[:PROFILE] LIBRARY VERSION-WITH VERSION-WITHOUT
pair() { pairs+=("$*"); }

# Release notes of psycopg_pool 3.1.2, and psycopg, issue 370: a pool that has given up while it grew never grows again.
pair psycopg-pool-3.1.2 outage-outlasting recovered pip psycopg-pool:tuned psycopg-pool 3.1.1 3.1.2

# Release notes of psycopg_pool 3.2.1, and psycopg, issue 709: a connection that fails its check is replaced without a pause,
# and without an end.
pair psycopg-pool-3.2.1 connection-reset-at-request reconnect-storm pip psycopg-pool:tuned psycopg-pool 3.2.0 3.2.1

# Release notes of asyncpg 0.29.0, "Remove connection parameter caching in Pool" (pull request 1053): once one address has
# worked, the pool tries no other.
pair asyncpg-0.29.0 failover-next-address recovered pip asyncpg-pool:tuned asyncpg 0.28.0 0.29.0

# SQLx, issue 2921 and pull request 2684: PgListener does not take the end of its connection for one.
pair sqlx-0.7.3 listen-closed subscription cargo sqlx sqlx 0.7.2 0.7.3

# diesel_async, issue 198: a call that is cancelled at BEGIN gives its connection back as if there were no transaction.
pair diesel-async-0.5.2 slow-network-with-deadline stale-read cargo diesel-async diesel-async 0.5.1 0.5.2

# Release notes of bb8 0.8.4, and bb8, issue 167 and pull request 194: who waits for a connection is not woken when a broken
# one is thrown away.
pair bb8-0.8.4 connection-reset-with-waiters hung-operation cargo bb8-postgres bb8 0.8.3 0.8.4

# An environment with `$2` (name==version) and what the adapter $1 needs beside it; prints its folder.
with_pip() {
    local folder=$home/$2
    [ -x "$folder/bin/python3" ] || python3 -m venv "$folder" >&2
    "$folder/bin/python3" -m pip install -q --disable-pip-version-check \
        -r "scenarios/adapters/python/$1/requirements.txt" "$2" >&2
    echo "$folder"
}

# The adapter $1, built with version $3 of the crate $2; prints its command.
with_cargo() {
    local folder=$home/$2-$3 shipped=scenarios/adapters/rust/$1 own=ci/known-bugs/$1
    local client=$own/client.rs package=$own/package.toml
    [ -e "$client" ] || client=$shipped/client.rs
    [ -e "$package" ] || package=$shipped/package.toml
    mkdir -p "$folder"
    cp scenarios/adapters/rust/*.rs "$client" "$folder"
    # In a line of its own, or in a table of its own.
    sed -E -e "s/^($2 = (\{ version = )?)\"[^\"]*\"/\1\"=$3\"/" \
        -e "/^\[dependencies\.$2\]/,/^version/ s/^version = .*/version = \"=$3\"/" "$package" >"$folder/Cargo.toml"
    grep -qF "\"=$3\"" "$folder/Cargo.toml"
    (cd "$folder" && cargo build -q --target-dir "${CARGO_TARGET_DIR:-$home/rust-target}") >&2
    cp "${CARGO_TARGET_DIR:-$home/rust-target}/debug/pgsquall-$1" "$folder/client"
    echo "$folder/client"
}

# Asks scenario $2 of client $3 with each seed, with $4 as PATH; keeps what comes of it in folder $1.
ask() {
    rm -rf "$1"
    mkdir -p "$1"
    # Verdicts are read below. The budget is three times what a version without the bug needs.
    printf '%s\n' 1 2 3 | PATH=$4 xargs -P "${AT_ONCE:-3}" -I '{}' \
        timeout 600 "$pgsquall" run "$2" --client "$3" --seed '{}' --budget 20s --out "$1/{}" >"$1/said" 2>&1 || true
}

# Runs one pair, if it is wanted, and prints what came of it.
compare() {
    local name=$1 scenario=$2 check=$3 installer=$4 adapter=$5 library=$6 version
    [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
    for version in "$7" "$8"; do
        local out=$home/runs/$name/$version got
        case $installer in
            pip) got=$(with_pip "${adapter%:*}" "$library==$version") && ask "$out" "$scenario" "$adapter" "$got/bin:$PATH" ;;
            cargo) got=$(with_cargo "$adapter" "$library" "$version") && ask "$out" "$scenario" "$got default" "$PATH" ;;
        esac
    done
    python3 ci/known_bugs.py "$home/runs/$name" "$library" "$check" "$7" "$8" || failed=1
}

known=" $(printf '%s\n' "${pairs[@]}" | cut -d' ' -f1 | tr '\n' ' ')"
for name in "${wanted[@]}"; do
    [[ $known == *" $name "* ]] || { echo "$name is none of:$known" >&2; exit 64; }
done
pgsquall=${PGSQUALL:-}
if [ -z "$pgsquall" ]; then
    cargo build --release
    pgsquall=${CARGO_TARGET_DIR:-target}/release/pgsquall
fi
pgsquall=$(realpath "$pgsquall")
for line in "${pairs[@]}"; do
    read -ra words <<<"$line"
    compare "${words[@]}"
done
exit "$failed"
