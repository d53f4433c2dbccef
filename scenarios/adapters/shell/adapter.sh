# shellcheck shell=bash
# The adapter protocol for bash: JSON lines on stdin and stdout, a process for each operation, independent of any client.
# Lines are short, and one printf is one write, so that those of several processes never mix.

readonly CONCURRENCY=4 LAST_WORDS=1.5 # seconds for operations to end; a hung one is killed

say_hello() { # name, version, capabilities, timeout_ms or nothing
    jq -nc --arg name "$1" --arg version "$2" --arg capabilities "$3" --argjson timeout_ms "${4-null}" \
        --argjson concurrency $CONCURRENCY \
        '{hello: {$name, $version, $concurrency, capabilities: ($capabilities | split(" ")), $timeout_ms}}'
}

say_ok() { printf '{"id":%d,"ok":true}\n' "$1"; }

say_found() { printf '{"id":%d,"ok":true,"found":%s}\n' "$1" "$2"; }

say_error() { # id, message, sqlstate or nothing, kind or nothing
    local error
    printf -v error '"message":%s' "$(quoted "${2:0:900}")"
    [[ -n ${3-} ]] && error+=",\"sqlstate\":\"$3\""
    [[ -n ${4-} ]] && error+=",\"kind\":\"$4\""
    printf '{"id":%d,"error":{%s}}\n' "$1" "$error"
}

say_gap() { printf '{"gap":true}\n'; }

say_notification() { printf '{"notification":{"payload":%s}}\n' "$(quoted "$1")"; }

quoted() { # text, as a string of JSON; without jq, which would cost a process for each line
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//$'\r'/\\r}
    printf '"%s"' "${text//$'\t'/\\t}"
}

# Passes each request to `perform id op key deadline_ms`, which prints the answer, or to `listen`.
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
    wait "$requests" || exit 1 # a line that is not a request
    [[ -n $listener ]] && kill "$listener"
    until=$(date -d "+$LAST_WORDS seconds" +%s%N)
    while [[ -n $(jobs -rp) && $(date +%s%N) -lt $until ]]; do
        sleep 0.05
    done
    exit 0
}
