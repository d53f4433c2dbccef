#!/usr/bin/env bash
# Every scenario on several servers: the reference client against each, and one table of what came of it: verdict, the
# SQLSTATEs that the server gave the client, time-to-recover. Fails unless every run passes or is skipped with a reason.
#
#   ci/servers.sh [SERVER…]        default: local docker:pgsquall/postgres:15 docker:pgsquall/postgres:17
#
# The images are built by ci/postgres-image.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- local docker:pgsquall/postgres:15 docker:pgsquall/postgres:17
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo build --release
for server in "$@"; do
    echo "$server" >&2
    # Containers cost more than processes: an engine with a dozen requests at once answers late.
    jobs=()
    [[ $server != docker* ]] || jobs=(--jobs 4)
    # Its verdicts are read below, and why scenarios were skipped.
    folder=$out/${server//\//_}
    target/release/pgsquall run --server "$server" "${jobs[@]}" --out "$folder" --report "json=$folder.json" >/dev/null || true
done
python3 ci/servers.py "$out" "$@"
