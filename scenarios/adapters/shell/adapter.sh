# shellcheck shell=bash
# The adapter protocol for bash: JSON lines on stdin and stdout, a process for each operation, and no client.
# Lines are short, and one printf or jq is one write, so that those of several processes never mix.

readonly CONCURRENCY=4 LAST_WORDS=1.5 # seconds for operations to end; one that hangs is ended

say_hello() { # name, version, capabilities, timeout_ms or nothing
    jq -nc --arg name "$1" --arg version "$2" --arg capabilities "$3" --argjson timeout_ms "${4-null}" \
        --argjson concurrency $CONCURRENCY \
        '{hello: {$name, $version, $concurrency, capabilities: ($capabilities | split(" ")), $timeout_ms}}'
}

say_ok() { printf '{"id":%d,"ok":true}\n' "$1"; }

say_found() { printf '{"id":%d,"ok":true,"found":%s}\n' "$1" "$2"; }

say_error() { # id, message, sqlstate or nothing, kind or nothing
    jq -nc --argjson id "$1" --arg message "${2:0:900}" --arg sqlstate "${3-}" --arg kind "${4-}" \
        '{$id, error: ({$message} + if $sqlstate == "" then {} else {$sqlstate} end
                                  + if $kind == "" then {} else {$kind} end)}'
}

say_gap() { printf '{"gap":true}\n'; }

say_notification() { jq -nc --arg payload "$1" '{notification: {$payload}}'; }

# Hands each request to `perform id op key deadline_ms`, which says the answer, or to `listen`, for good.
serve() {
    local id op key deadline requests until listener=""
    while read -r id op key deadline; do
        if [[ $op == listen ]]; then
            listen &
            listener=$!
        else
            perform "$id" "$op" "$key" "${deadline-}" &
        fi
    done < <(jq --unbuffered -r '"\(.id) \(.op) \(.key // 0) \(.deadline_ms // "")"')
    requests=$!
    wait "$requests" || exit 1 # a line that is no request
    [[ -n $listener ]] && kill "$listener"
    until=$(date -d "+$LAST_WORDS seconds" +%s%N)
    while [[ -n $(jobs -rp) && $(date +%s%N) -lt $until ]]; do
        sleep 0.05
    done
    exit 0
}
