#!/usr/bin/env bash
# Many short runs on the kernel plane, some of them killed at a random moment, then one more: nothing may be left of them,
# neither processes, namespaces, interfaces, rules, folders nor containers.
#
#   ci/killed-runs.sh [RUNS] [SEED]        default: 200 runs, some four minutes; every tenth is killed
#
# It looks at the whole machine, so no other run may be under way on it. Where python3 has psycopg, that is the adapter;
# for an adapter in another language; without it the adapter is the built-in client.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release
exec python3 ci/killed_runs.py --binary target/release/pgsquall --runs "${1:-200}" --seed "${2:-1}"
