"""Reads the verdicts of ci/oracle.sh, prints the matrix, and fails unless every check did its duty.

With --meant CLIENT instead of a folder: prints the scenarios that bring that client's defect out.
"""

import collections
import json
import pathlib
import sys

# Each planted defect, the scenarios that bring it out, and the check that is there for it.
MEANT = {
    "never-reconnects": {
        "one-way-blackhole": "recovered",
        "connection-reset": "recovered",
        "connection-flapping": "recovered",
        "half-open": "recovered",
        "outage-outlasting": "recovered",
        "connect-hang": "recovered",
        "dns-timeout": "recovered",
        "blackhole": "recovered",
        "packet-loss": "recovered",
        "firewall-drop": "recovered",
        "firewall-drop-new": "recovered",
        "firewall-reject-icmp": "recovered",
        "firewall-reject-reset": "recovered",
        "firewall-terminate": "recovered",
        "idle-close": "recovered",
        "idle-reset": "recovered",
        "idle-drop": "recovered",
        "backend-crashed": "recovered",
        "restart-while-idle": "recovered",
        "out-of-memory": "recovered",
        "pgbouncer-restart": "recovered",
        "haproxy-idle": "recovered",
        "failover-same-address": "recovered",
        "server-certificate-expired": "recovered",
        "certificate-renewed": "recovered",
        "idle-session-timeout": "recovered",
        "listen-closed": "subscription",
        "listen-reset": "subscription",
        "listen-restart": "subscription",
    },
    "loses-a-slot": {
        "connection-reset": "full-capacity",
        "connection-reset-mid-query": "full-capacity",
        "reply-truncated": "full-capacity",
        "stall-established": "full-capacity",
        "idle-reset": "full-capacity",
        "idle-drop": "full-capacity",
        "pgbouncer-idle": "full-capacity",
    },
    "hangs": {
        "blackhole-long": "hung-operation",
        "firewall-outbound": "error-surface",
        "stall": "hung-operation",
        "stall-established": "hung-operation",
        "startup-stall": "recovered",
        "tls-stall": "recovered",
        "auth-stall": "recovered",
        "dead-address-first": "recovered",
        "idle-drop": "recovered",
    },
    "no-keepalive": {"idle-server-push": "subscription", "listen-idle-drop": "subscription"},
    "keepalive-alone": {"stall-established": "hung-operation"},
    "no-connect-timeout": {"dead-address-first": "recovered"},
    "impatient": {"slow-network": "undisturbed", "resource-pressure": "undisturbed"},
    "retries-unsafely": {
        "server-frozen": "duplicated-write",
        "commit-reply-lost": "duplicated-write",
    },
    "acknowledges-early": {
        "restart-fast": "lost-write",
        "connection-reset-in-transaction": "lost-write",
        "failover-same-address": "lost-write",
        "disk-full": "lost-write",
        "wal-full": "lost-write",
    },
    "storms": {
        "connections-exhausted": "reconnect-storm",
        "connection-reset-at-request": "reconnect-storm",
        "reserved-slots-only": "reconnect-storm",
        "role-connection-limit": "reconnect-storm",
        "wrong-password": "reconnect-storm",
        "wrong-user": "reconnect-storm",
        "wrong-database": "reconnect-storm",
        "not-permitted": "reconnect-storm",
        "connect-not-granted": "reconnect-storm",
        "firewall-denied": "reconnect-storm",
        "firewall-range": "reconnect-storm",
    },
    "leaks-connections": {
        "connection-reset": "connection-leak",
        "pgbouncer-restart": "connection-leak",
        "blackhole-long": "connection-leak",
    },
    "reads-old-snapshot": {"connection-reset": "stale-read"},
    "slows-down": {"connection-reset": "throughput"},
    "panics": {"connection-reset": "process"},
    "swallows-errors": {
        "wrong-password": "error-surface",
        "server-certificate-wrong-host": "error-surface",
        "certificate-authority-changed": "error-surface",
        "client-certificate-unknown": "error-surface",
        "client-certificate-revoked": "error-surface",
        "not-yet-valid": "error-surface",
        "tls-required": "error-surface",
        "wrong-user": "error-surface",
        "wrong-database": "error-surface",
        "wrong-host": "error-surface",
        "wrong-port": "error-surface",
        "not-permitted": "error-surface",
        "connect-not-granted": "error-surface",
        "firewall-denied": "error-surface",
        "firewall-range": "error-surface",
    },
    "caches-password": {"password-rotated": "recovered"},
    "caches-address": {"dns-stale": "recovered", "failover-dns": "recovered"},
    "gives-up": {
        "restart-fast": "error-surface",
        "firewall-terminate": "error-surface",
        "pgbouncer-server-lost": "error-surface",
    },
    "stays-on-standby": {"failover-wrong-node": "recovered", "failover-demoted-primary": "recovered"},
    "believes-cancelled": {"failover-old-primary-reachable": "stale-read"},
    "first-address-only": {
        "dead-address-first": "recovered",
        "refusing-address-first": "recovered",
        "dns-dead-address-first": "recovered",
        "standby-listed-first": "recovered",
        "failover-multi-host": "recovered",
        "failover-next-address": "recovered",
    },
    "gives-up-for-ever": {
        "dns-unresolvable": "recovered",
        "dns-failure": "recovered",
        "dns-timeout": "recovered",
        "restart-smart": "recovered",
        "role-connection-limit": "recovered",
        "thundering-herd": "recovered",
    },
    "backoff-never-resets": {"repeated-restarts": "recovered"},
    "caches-certificates": {"client-certificate-expired": "recovered"},
    "cancels-late": {"stall-with-deadline": "deadline"},
    "keeps-cancelled": {"slow-network-with-deadline": "stale-read"},
    "starves-waiters": {"connection-reset-with-waiters": "hung-operation"},
}

# Clients in which no defect is planted, and the scenarios that they pass, where there is a kernel plane.
WELL_BEHAVED = {"tcp-timeouts": ["stall-established"], "keeps-alive": ["idle-keepalive"]}

if sys.argv[1] == "--meant":
    print(*MEANT.get(sys.argv[2], WELL_BEHAVED.get(sys.argv[2], [])))
    sys.exit()
if sys.argv[1] == "--well-behaved":
    print(*WELL_BEHAVED)
    sys.exit()

root = pathlib.Path(sys.argv[1])
cells = collections.defaultdict(lambda: collections.defaultdict(list))
for path in sorted(root.rglob("verdict.json")):
    verdict = json.loads(path.read_text())
    failed = [name for name, check in verdict["checks"].items() if check["result"] == "fail"]
    cells[path.relative_to(root).parts[0]][verdict["scenario"]].append((verdict["verdict"], failed, verdict["plane"]))

scenarios = sorted({scenario for row in cells.values() for scenario in row})
wrong = []
for client, row in cells.items():
    print(f"\n{client}")
    for scenario in scenarios:
        runs = row.get(scenario, [])
        if not runs and client != "reference":
            continue
        kinds = collections.Counter(kind for kind, _, _ in runs)
        checks = sorted({check for _, failed, _ in runs for check in failed})
        count = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())) or "missing"
        print(f"  {scenario:32} {count:16} {', '.join(checks)}")
        if client == "reference" and set(kinds) != {"pass"}:
            wrong.append(f"reference must pass {scenario}, but: {count}")
for client, meant in MEANT.items():
    for scenario, check in meant.items():
        runs = cells[client].get(scenario, [])
        if not runs or any(check not in failed or kind != "fail" for kind, failed, _ in runs):
            wrong.append(f"{client} must be failed by {check} in {scenario}")
for client, passed in WELL_BEHAVED.items():
    for scenario in passed:
        if any(plane == "kernel" and kind != "pass" for kind, _, plane in cells[client].get(scenario, [])):
            wrong.append(f"{client} must pass {scenario} on the kernel plane")
for client in cells:
    if client != "reference" and client not in MEANT and client not in WELL_BEHAVED:
        wrong.append(f"{client} has no check that is meant for it")

total = sum(len(runs) for row in cells.values() for runs in row.values())
print(f"\n{total} runs; {len(wrong)} surprises")
for line in wrong:
    print(f"  {line}")
sys.exit(1 if wrong else 0)
