#!/usr/bin/env bash
# The speed of the gateway beside HAProxy (tcp), nginx (stream) and a direct connection: the same local Postgres, the
# same run, samples interleaved. Prints Markdown tables of medians of per-round ratios, and a verdict per target.
#
#   cargo build --release && ci/bench-gateway.sh         everything; 13 minutes on an idle machine, 46 at most
#   ci/bench-gateway.sh --only select,copy --rounds 3    parts of it
#   ci/bench-gateway.sh --help                           all options
#
# On Debian, as root or with sudo, installs what it needs. Starts its own server and proxies, and ends them again.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

for argument in "$@"; do
    case $argument in -h | --help) exec python3 -B "$here/bench-gateway" "$@" ;; esac
done

missing=()
for package in haproxy nginx libnginx-mod-stream postgresql; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && as_root=(sudo -n); }
    # Debian starts a service when its package is installed. None is wanted here: they would only take port 80.
    policy=/usr/sbin/policy-rc.d
    if command -v apt-get >/dev/null && [ ! -e "$policy" ] &&
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null 2>&1; then
        trap '"${as_root[@]}" rm -f "$policy"' EXIT
        "${as_root[@]}" chmod +x "$policy"
    fi
    if ! { "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qy --no-install-recommends "${missing[@]}"; } >&2; then
        printf 'missing, and not to be installed by this user: %s\n' "${missing[*]}" >&2
    fi
    # The exec below runs no EXIT trap.
    if [ -n "$(trap -p EXIT)" ]; then
        "${as_root[@]}" rm -f "$policy"
        trap - EXIT
    fi
fi

# exec, so that a signal to this script is one to the process that ends the server and the proxies.
exec python3 -B "$here/bench-gateway" "$@"
