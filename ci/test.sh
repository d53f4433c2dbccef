#!/usr/bin/env bash
# Everything that must hold, from nothing but a Rust toolchain: installs what the tests need (Debian, as root or with
# sudo), builds the container image, and runs formatting, lints, docs, tests and doctests. It lists what it skips.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# With the seconds since the beginning: what takes long is to be seen.
step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
skip() { printf 'skipped: %s\n' "$*"; skipped+=("$*"); }
skipped=()
# Nothing is built a second time there.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

# --- what the tests need -------------------------------------------------------------------------------------------
step "packages"
as_root=()
[ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && as_root=(sudo -n); }
install() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    # Debian starts a service when its package is installed. None is wanted here: tests start their own.
    local policy=/usr/sbin/policy-rc.d installed=0 ours=
    if [ ! -e "$policy" ] && printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null; then
        ours=1
        trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
        "${as_root[@]}" chmod +x "$policy"
    fi
    "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qy --no-install-recommends "${missing[@]}" || installed=1
    if [ -n "$ours" ]; then
        "${as_root[@]}" rm -f "$policy"
        trap - EXIT
    fi
    return "$installed"
}
if ! command -v apt-get >/dev/null; then
    skip "installing packages: this is no Debian; what is missing here is skipped below"
elif ! install postgresql pgbouncer haproxy chromium mmdebstrap python3-venv libssl-dev pkg-config nftables iproute2; then
    skip "installing packages: apt-get failed (as root or with sudo it should not)"
fi
# What the adapters name in their manifests.
mapfile -t adapter_packages < <(sed -n 's/^install = ".*apt install \([^"]*\)"$/\1/p' scenarios/adapters/*/*/adapter.toml |
    tr ' ' '\n' | sort -u)
# Debian's modules for Node do not install beside a Node that is not Debian's; then they are unpacked.
if command -v apt-get >/dev/null; then
    mapfile -t others < <(printf '%s\n' "${adapter_packages[@]}" | grep -vx -e nodejs -e node-pg)
    install "${others[@]}" || skip "installing what adapters need: apt-get failed"
    if ! install nodejs node-pg && command -v node >/dev/null; then
        echo "unpacking node-pg"
        mkdir -p target/ci-node
        (cd target/ci-node && apt-get download -q node-pg node-async node-split2 node-xtend node-readable-stream \
            node-inherits node-string-decoder node-safe-buffer node-util-deprecate node-core-util-is node-isarray \
            node-process-nextick-args node-through2 &&
            for deb in *.deb; do dpkg -x "$deb" .; done) || skip "node-pg cannot be unpacked"
        export NODE_PATH=$PWD/target/ci-node/usr/share/nodejs
    fi
fi
command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

step "container images"
images=
image_log=target/ci-images.log
if docker info >/dev/null 2>&1; then
    mkdir -p target
    # While they are built, which is mostly waiting for packages, the lints run.
    (ci/postgres-image.sh 15 && ci/postgres-image.sh 17) >"$image_log" 2>&1 &
    images=$!
    echo "built beside the lints, see $image_log"
else
    skip "tests on containers: no Docker engine that this user may use"
fi

step "Python libraries"
python=target/ci-python/bin/python3
if [ ! -x "$python" ]; then
    python3 -m venv target/ci-python || skip "Python adapters: no python3 with venv"
fi
if [ -x "$python" ] && printf -- '-r %s\n' scenarios/adapters/python/*/requirements.txt |
    xargs "$python" -m pip install -q --disable-pip-version-check; then
    export PATH="$PWD/target/ci-python/bin:$PATH" PGSQUALL_TEST_ADAPTERS=1
else
    skip "Python adapters: their libraries cannot be installed"
fi
# Adapters that are compiled are built there, and nothing is left in the user's own cache.
export XDG_CACHE_HOME=$PWD/target/ci-cache

# --- what must hold ------------------------------------------------------------------------------------------------
step "format";           cargo fmt --check
step "lints";            cargo clippy --all-targets -- -D warnings
step "lints, light";     cargo clippy --lib --no-default-features -- -D warnings
step "light build";      ci/light.sh
step "docs";             RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
if [ -n "$images" ]; then
    step "container images"
    wait "$images" || { cat "$image_log"; exit 1; }
    grep -E 'built|there already' "$image_log"
fi
step "build"
# All of it at once: for the program alone, half of its dependencies would be built a second time with fewer features.
cargo nextest run --no-run
pgsquall=${CARGO_TARGET_DIR:-target}/debug/pgsquall
step "kernel plane"
# `list` ends with an error if there is no server, and prints the state of the plane all the same.
plane=$("$pgsquall" list | sed -n 's/^ *kernel plane *//p' || true)
case $plane in
    "available: "*) echo "$plane" ;;
    *) skip "some tests of the kernel plane: $plane" ;;
esac
# While the tests run, which wait a good deal, the adapters are built that have to be, and the clients of Toxiproxy.
(for manifest in $(grep -l '^build' scenarios/adapters/*/*/adapter.toml); do
    nice -n 19 "$pgsquall" init "$(basename "$(dirname "$manifest")")" --build || true
done
if pkg-config --exists openssl; then
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/toxiproxy-clients \
        nice -n 19 cargo build -q --manifest-path ci/toxiproxy-clients/Cargo.toml || true
fi) >target/ci-adapters.log 2>&1 &
building=$!
step "tests";            cargo nextest run
step "doctests";         cargo test --doc
step "adapters"
# ci/adapters.sh reports an adapter that could not be built.
wait "$building"
ci/adapters.sh "$pgsquall" || { [ $? -eq 3 ] || exit 1; skip "some adapters: see above"; }
step "what users copy"
ci/users.sh "$pgsquall" || { [ $? -eq 3 ] || exit 1; skip "some of what users copy: see above"; }
step "Toxiproxy clients"
ci/toxiproxy-clients.sh "$pgsquall" || { [ $? -eq 3 ] || exit 1; skip "some client libraries of Toxiproxy: see above"; }

step "done"
for what in "${skipped[@]}"; do printf 'skipped: %s\n' "$what"; done
