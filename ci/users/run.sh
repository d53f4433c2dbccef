#!/usr/bin/env bash
# Runs pgsquall in CI. Copy this script together with the file that calls it: github.yml, gitlab.yml or kubernetes.yaml.
#
#   run.sh shard    runs one shard of the scenarios and stores its results in RESULTS/shard-N
#   run.sh report   merges the results of all shards into RESULTS/report: report.html, report.json, junit.xml
#
# RESULTS is the folder PGSQUALL_RESULTS. All settings are environment variables:
#
#   PGSQUALL_CLIENT          command line of your adapter, or the name of an adapter that pgsquall ships
#   PGSQUALL_SCENARIOS       names of scenarios, separated by spaces; if empty, all scenarios
#   PGSQUALL_SEED            seed of the run, the same for all shards
#   PGSQUALL_SHARD           number of this shard, from 1; if not set, Kubernetes' JOB_COMPLETION_INDEX + 1
#   PGSQUALL_SHARDS          number of shards
#   PGSQUALL_SHARD_VERDICTS  count: "run.sh shard" exits with 1 or 2 if a verdict is fail or unknown; ignore: with 0
#   PGSQUALL_RESULTS         folder for the results
#   PGSQUALL_BASELINE        a report.json of an earlier run; if this file exists, only what is worse than there is a fail
#   PGSQUALL_PACK            yes: also write shard-N.tar.gz and report.tar.gz (optional)
#   PGSQUALL_RESUME          yes: RESULTS is kept between runs. Use a folder per seed in it, continue a shard that was
#                            interrupted, and run only scenarios that have no verdict yet (optional)
#
# If GitHub sets GITHUB_STEP_SUMMARY, "run.sh report" writes a summary to that file.
#
# Exit codes: 0 pass · 1 fail · 2 unknown, or a shard is missing · 64 bad setting or argument · 69 a program, a server or the
# results of all shards are missing · 70 internal error of pgsquall. Only "run.sh report" judges all shards.
set -euo pipefail

fail() { # EXIT-CODE MESSAGE
    printf 'error: %s\n' "$2" >&2
    exit "$1"
}

need() { # NAME…: these variables must be set
    local name
    for name in "$@"; do
        [ -n "${!name:-}" ] || fail 64 "cannot use $name: it is empty or not set; see the list of settings in run.sh"
    done
}

enabled() { # NAME: yes, or no
    case ${!1:-no} in
        yes) true ;;
        no) false ;;
        *) fail 64 "cannot use $1=${!1}: it is yes or no" ;;
    esac
}

shard() {
    local number=${PGSQUALL_SHARD:-${JOB_COMPLETION_INDEX:+$((JOB_COMPLETION_INDEX + 1))}}
    need PGSQUALL_CLIENT PGSQUALL_SEED PGSQUALL_SHARDS PGSQUALL_SHARD_VERDICTS
    [ -n "$number" ] || need PGSQUALL_SHARD
    case $PGSQUALL_SHARD_VERDICTS in
        count | ignore) ;;
        *) fail 64 "cannot use PGSQUALL_SHARD_VERDICTS=$PGSQUALL_SHARD_VERDICTS: it is count or ignore" ;;
    esac
    local out=$results/shard-$number status=0 scenarios resume=()
    read -ra scenarios <<<"${PGSQUALL_SCENARIOS:-}"
    if enabled PGSQUALL_RESUME; then resume=(--resume); fi
    mkdir -p "$results"
    pgsquall run "${scenarios[@]}" --client "$PGSQUALL_CLIENT" --seed "$PGSQUALL_SEED" \
        --shard "$number/$PGSQUALL_SHARDS" --out "$out" "${resume[@]}" || status=$?
    if [ -d "$out" ]; then pack "shard-$number"; fi
    if [ "$PGSQUALL_SHARD_VERDICTS" = ignore ]; then
        # Only verdicts are ignored. All other exit codes are errors of this shard.
        case $status in 1 | 2) status=0 ;; esac
    fi
    return "$status"
}

report() {
    need PGSQUALL_BASELINE
    local packed stored status=0 options=()
    shopt -s nullglob
    for packed in "$results"/shard-*.tar.gz; do tar -xzf "$packed" -C "$results"; done
    stored=("$results"/shard-*/report.json)
    [ ${#stored[@]} -gt 0 ] || fail 69 "cannot write a report: no shard stored results in $results; read the shards' logs"
    if [ -e "$PGSQUALL_BASELINE" ]; then options+=(--baseline "$PGSQUALL_BASELINE"); fi
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then options+=(--report markdown="$GITHUB_STEP_SUMMARY"); fi
    pgsquall report merge "${stored[@]%/report.json}" --out "$results/report" --report junit="$results/report/junit.xml" \
        "${options[@]}" || status=$?
    if [ -d "$results/report" ]; then pack report; fi
    return "$status"
}

pack() { # FOLDER in RESULTS
    if enabled PGSQUALL_PACK; then tar -czf "$results/$1.tar.gz" -C "$results" "$1"; fi
}

case "$# ${1:-}" in
    "1 shard" | "1 report") ;;
    *) fail 64 'cannot read the arguments: they are not "shard" or "report"' ;;
esac
need PGSQUALL_RESULTS
results=$PGSQUALL_RESULTS
if enabled PGSQUALL_RESUME; then
    need PGSQUALL_SEED
    results=$results/$PGSQUALL_SEED
fi
enabled PGSQUALL_PACK || true
command -v pgsquall >/dev/null || fail 69 "cannot start pgsquall: it is not in a folder of PATH; install it, or add its folder"
"$1"
