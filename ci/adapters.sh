#!/usr/bin/env bash
# Every shipped adapter, with its library's defaults and tuned, must speak the protocol right: pgsquall conformance.
#
#   ci/adapters.sh PGSQUALL            what fails is shown, the rest is counted; exit 3: some adapters lack what they need
#
# What they need is installed by ci/test.sh, and named by each adapter's manifest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pgsquall=${1:?the program}
clients=()
for name in $("$pgsquall" init | sed -n 's/^  \([a-z0-9-]*\) .*/\1/p'); do
    clients+=(--client "$name" --client "$name:tuned")
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
# They wait more than they work: two for each core.
timeout 900 "$pgsquall" conformance --jobs "$((2 * $(nproc)))" "${clients[@]}" >"$log" || status=$?
awk '
    /^[^ ]/ { client = $1; clients++ }
    /^  pass/ { passed++ }
    /^  skip/ { skipped++ }
    /^  FAIL/ { failed++; print client ":" $0 }
    END { printf "%d adapters and profiles: %d cases passed, %d failed, %d skipped\n", clients, passed, failed, skipped }
' "$log"
[ "$status" -ne 69 ] || exit 3
exit "$status"
