#!/usr/bin/env bash
# The oracle, tested at large: the reference client must pass every scenario in every repeat, and every planted defect
# must fail every scenario that ci/oracle.toml has for it, by the check that is named there. Prints the matrix clients ×
# scenarios with the checks that failed.
#
#   ci/oracle.sh [REPEATS] [SERVER]        default: 20 repeats of the reference client, server auto
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

repeats=${1:-20}
server=${2:-auto}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo build --release
pgsquall() { target/release/pgsquall "$@"; }

echo "reference, $repeats repeats"
pgsquall run --repeat "$repeats" --server "$server" --out "$out/reference"

defects=$(pgsquall list | awk '$2 == "planted" { print $1 }')
for client in $defects; do
    echo "$client"
    read -ra scenarios < <(python3 ci/oracle.py --scenarios "$client")
    # Its verdicts are read below; a fail is what is wanted here.
    pgsquall run "${scenarios[@]}" --client "$client" --budget 5s --server "$server" --out "$out/$client" >/dev/null 2>&1 || true
done
for client in $(python3 ci/oracle.py --well-behaved); do
    echo "$client"
    read -ra scenarios < <(python3 ci/oracle.py --scenarios "$client")
    pgsquall run "${scenarios[@]}" --client "$client" --server "$server" --out "$out/$client" >/dev/null 2>&1 || true
done
python3 ci/oracle.py "$out"
