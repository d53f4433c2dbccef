#!/usr/bin/env bash
# Real client libraries of Toxiproxy against `pgsquall proxy`: from PyPI toxiproxy-python, from crates.io toxiproxy_rust
# and noxious-client. Usage: ci/toxiproxy-clients.sh [PGSQUALL]; without one, it is built. A library whose needs are not
# met here is skipped with a message (exit code 3).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
skipped=0
skip() { printf 'skipped: %s\n' "$*"; skipped=3; }

pgsquall=${1:-}
if [ -z "$pgsquall" ]; then
    cargo build -q --no-default-features --features cli
    pgsquall=$target/debug/pgsquall
fi

said=$(mktemp)
proxy=
leave() {
    if [ -n "$proxy" ]; then
        kill "$proxy" 2>/dev/null || true
        wait "$proxy" || true
    fi
    rm -f "$said"
}
trap leave EXIT
"$pgsquall" proxy --api 127.0.0.1:0 >"$said" &
proxy=$!
api=
for _ in $(seq 100); do
    api=$(sed -n 's|.*http://\([0-9.]*:[0-9]*\).*|\1|p' "$said")
    [ -z "$api" ] || break
    kill -0 "$proxy"
    sleep 0.1
done
[ -n "$api" ]

python=$target/ci-toxiproxy/bin/python3
[ -x "$python" ] || python3 -m venv "$target/ci-toxiproxy" || true
if [ -x "$python" ] && "$python" -m pip install -q --disable-pip-version-check toxiproxy-python==0.1.1; then
    "$python" ci/toxiproxy-clients/client.py "${api%:*}" "${api##*:}"
else
    skip "toxiproxy-python: it cannot be installed"
fi

if pkg-config --exists openssl; then
    CARGO_TARGET_DIR=$target/toxiproxy-clients \
        cargo run -q --manifest-path ci/toxiproxy-clients/Cargo.toml -- "$api"
else
    skip "toxiproxy_rust and noxious-client: they need OpenSSL's headers (Debian: libssl-dev, pkg-config)"
fi

# It must leave in order.
kill "$proxy"
wait "$proxy"
proxy=
exit "$skipped"
