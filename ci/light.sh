#!/usr/bin/env bash
# As a dev-dependency without default features, pgsquall must stay light: few crates to compile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit=85
count=$(cargo tree -e normal --prefix none --no-default-features | grep -v '(\*)' | sort -u | wc -l)
echo "$count crates without default features; the limit is $limit"
[ "$count" -le "$limit" ]
