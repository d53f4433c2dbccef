#!/usr/bin/env bash
# Every shipped adapter, with its library's defaults and tuned, must speak the protocol right: pgsquall conformance.
#
#   ci/adapters.sh PGSQUALL            what fails is shown, the rest is counted; exit 3: some adapters lack what they need
#
# What they need is installed by ci/test.sh, and named by each adapter's manifest. Cases have limits of time, and adapters share
# the machine's cores: a case that fails beside others runs once more alone, and must pass.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pgsquall=${1:?the program}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

# Asks these clients, so many at once; leaves what failed in the log, and how it ended in `status`.
ask() {
    local at_once=$1 clients=() name
    shift
    for name in "$@"; do clients+=(--client "$name"); done
    status=0
    timeout 900 "$pgsquall" conformance --jobs "$at_once" "${clients[@]}" >"$log" || status=$?
    awk '
        /^[^ ]/ { client = $1; clients++ }
        /^  pass/ { passed++ }
        /^  skip/ { skipped++ }
        /^  FAIL/ { failed++; print client ":" $0 }
        END { printf "%d adapters and profiles: %d cases passed, %d failed, %d skipped\n", clients, passed, failed, skipped }
    ' "$log"
}

names=()
for name in $("$pgsquall" init | sed -n 's/^  \([a-z0-9-]*\) .*/\1/p'); do
    names+=("$name" "$name:tuned")
done
# They wait more than they work: two for each core.
ask "$((2 * $(nproc)))" "${names[@]}"
if [ "$status" -eq 1 ]; then
    mapfile -t failed < <(awk '/^[^ ]/ { client = $1 } /^  FAIL/ { print client }' "$log" | uniq)
    echo "asked again alone: ${failed[*]}"
    ask 1 "${failed[@]}"
fi
[ "$status" -ne 69 ] || exit 3
exit "$status"
