#!/bin/bash
# psql in a shell script: one psql for each operation, and one more that listens.
# https://www.postgresql.org/docs/15/app-psql.html. Deadlines are those of coreutils' timeout: its SIGINT is
# Ctrl-C for psql, which sends a cancel request, and its SIGKILL follows if that does not help.
set -u
# shellcheck source=../adapter.sh
source ./adapter.sh

readonly INSERT="INSERT INTO pgsquall_ledger (id) VALUES (:key);"
readonly SELECT="SELECT 1 FROM pgsquall_ledger WHERE id = :key;"
readonly LISTEN_PAUSE=1 # seconds, before it listens again
readonly POLL=0.5       # seconds: psql reads notifications after each command
readonly KILL_AFTER=1   # seconds from SIGINT to SIGKILL

url=$DATABASE_URL
if [[ ${*: -1} == tuned ]]; then
    url+="&connect_timeout=5"                                          # seconds, for each host
    url+="&keepalives_idle=2&keepalives_interval=1&keepalives_count=3" # seconds, seconds, probes
    url+="&tcp_user_timeout=5000"                                      # ms that bytes may stay unacknowledged
    url+="&target_session_attrs=read-write"                            # after a failover: never a standby
    url+="&options=-c%20statement_timeout%3D5s"                        # the server's timer
fi

# Debian's psql is a script that looks for the program of the newest cluster, and takes longer than a statement does.
program=psql
for installed in /usr/lib/postgresql/*/bin/psql; do
    if [[ -x $installed ]]; then program=$installed; fi
done

# Without a start-up file, quiet, rows alone, ended by the first error, and errors with their SQLSTATE.
psql=("$program" "$url" -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=verbose)

perform() { # id, op, key, deadline_ms or nothing
    local id=$1 op=$2 key=$3 deadline=$4 command sql output status
    command=("${psql[@]}" -v key="$key")
    case $op in
        read) sql=$SELECT ;;
        write) sql=$INSERT ;;
        *) sql="SELECT 1; $INSERT" command+=(--single-transaction -f -) ;;
    esac
    if [[ -n $deadline ]]; then
        printf -v deadline "%d.%03d" $((deadline / 1000)) $((deadline % 1000)) # seconds
        command=(timeout --signal=INT --kill-after="$KILL_AFTER" "$deadline" "${command[@]}")
    fi
    output=$(exec "${command[@]}" <<<"$sql" 2>&1)
    status=$?
    if [[ -n $deadline && ($status == 124 || $status == 137) ]]; then
        say_error "$id" "the deadline has passed: $output" "" deadline
    elif [[ $status != 0 ]]; then
        describe "$id" "$output"
    elif [[ $op == read ]]; then
        # Besides the row there may be a warning from a server that is shutting down.
        say_found "$id" "$([[ $'\n'$output$'\n' == *$'\n1\n'* ]] && echo true || echo false)"
    else
        say_ok "$id"
    fi
}

describe() { # id, psql's output
    local sqlstate="" kind=""
    if [[ $2 =~ (ERROR|FATAL|PANIC):\ +([0-9A-Z]{5}): ]]; then
        sqlstate=${BASH_REMATCH[2]}
    else
        case $2 in
            *refused*) kind=refused ;;
            *"reset by peer"*) kind=reset ;;
            *closed*) kind=closed ;;
            *"timeout expired"* | *"timed out"*) kind=timeout ;;
        esac
    fi
    say_error "$1" "$2" "$sqlstate" "$kind"
}

listen() {
    local before="" here line
    while kill -0 $$ 2>/dev/null; do
        here=""
        while read -r line; do
            # psql prints notifications after any command, so also before the row that confirms the subscription.
            if [[ -z $here && ($line == listening || $line == "Asynchronous notification "*) ]]; then
                if [[ -n $before ]]; then say_gap; else say_ok 0; fi
                before=yes here=yes
            fi
            if [[ $line == "Asynchronous notification "* ]]; then
                line=${line#*with payload \"}
                say_notification "${line%\" received from server process*}"
            fi
        done < <(poll | LC_ALL=C "${psql[@]}")
        echo "not listening" >&2
        sleep $LISTEN_PAUSE
    done
}

# The commands of the listening psql, for as long as this script runs.
poll() {
    echo "LISTEN pgsquall_news; SELECT 'listening';"
    while sleep $POLL && kill -0 $$ 2>/dev/null; do
        echo "SELECT;"
    done
}

read -r _ _ version _ < <("$program" --version)
say_hello psql "$version" "transaction listen deadline multi_host tls"
serve
