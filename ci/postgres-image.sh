#!/usr/bin/env bash
# Builds the image pgsquall/postgres:<major> from Debian's packages, for machines that cannot pull the official one.
#
# usage: ci/postgres-image.sh [--force] [13|15|17]       (default 15; as root, on Debian, with Docker running)
# Does nothing where the image is there already, unless forced.
set -euo pipefail

force=
if [[ ${1:-} == --force ]]; then
    force=yes
    shift
fi
major=${1:-15}
case $major in
    13) release=bullseye ;;
    15) release=bookworm ;;
    17) release=trixie ;;
    *)
        echo "usage: $0 [--force] [13|15|17]: the versions that a Debian release carries" >&2
        exit 64
        ;;
esac

here=$(cd "$(dirname "$0")/postgres-image" && pwd)
image=pgsquall/postgres:$major
base=pgsquall/base:$major
if [[ -z $force ]] && docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image is there already"
    exit 0
fi

if ! command -v mmdebstrap >/dev/null; then
    apt-get update
    apt-get install --yes --no-install-recommends mmdebstrap arch-test debian-archive-keyring
fi

trap 'docker image rm "$base" >/dev/null 2>&1 || true' EXIT

# Left out: documentation, translations, and the JIT compiler, whose LLVM would be most of the image. Postgres goes
# without JIT where llvmjit.so is missing. The package's own cluster is not made: the entrypoint makes one.
# shellcheck disable=SC2016 # $1 is for mmdebstrap's hooks to expand
mmdebstrap --variant=essential --include="postgresql-$major" \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/i18n/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' \
    --dpkgopt='path-exclude=/usr/lib/*/libz3.so*' \
    --dpkgopt='path-exclude=/usr/lib/postgresql/*/lib/llvmjit*' \
    --dpkgopt='path-exclude=/usr/lib/postgresql/*/lib/bitcode/*' \
    --dpkgopt='path-exclude=/usr/lib/*/perl/*/auto/Encode/??/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common"' \
    --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
    "$release" - | docker import - "$base" >/dev/null

# Where it is rebuilt, the old one must not stay behind without a name.
docker image rm --force "$image" >/dev/null 2>&1 || true
docker build --quiet --build-arg BASE="$base" --build-arg MAJOR="$major" --tag "$image" \
    "$here" >/dev/null
echo "built $image, $(docker image inspect --format '{{.Size}}' "$image" | numfmt --to=si)B"
