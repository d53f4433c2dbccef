#!/usr/bin/env bash
# All shipped adapters, with their libraries' defaults and tuned, against the whole catalogue: one table.
#
#   ci/matrix.sh [OUT]                 default: target/matrix; the table is OUT/report.md
#   PROFILES="default" ci/matrix.sh    one profile alone
#
# It takes hours on two cores; when it is stopped, the same command goes on with it. What the adapters need is installed by
# ci/test.sh; their own environment must be the same (target/ci-python/bin first on PATH).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:-target/matrix}
cargo build --release
pgsquall=${CARGO_TARGET_DIR:-target}/release/pgsquall
[ ! -d target/ci-python/bin ] || export PATH="$PWD/target/ci-python/bin:$PATH"
clients=(--client reference)
for name in $("$pgsquall" init | sed -n 's/^  \([a-z0-9-]*\) .*/\1/p'); do
    for profile in ${PROFILES:-default tuned}; do
        clients+=(--client "$name:$profile")
    done
done
"$pgsquall" run --out "$out" --resume "${clients[@]}"
