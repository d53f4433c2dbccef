"""Reads what ci/servers.sh has run, and prints scenario × server as Markdown."""

import json
import pathlib
import sys

root, servers = pathlib.Path(sys.argv[1]), sys.argv[2:]


def seconds(measures):
    recovery = measures["time_to_recover"]
    match recovery["state"]:
        case "recovered":
            return f"{recovery['ttr_us'] / 1e6:.2f} s"
        case "censored":
            return f"> {recovery['beyond_us'] / 1e6:.1f} s"
    return "–"


def codes(history):
    """What the server logged for the client's role, by SQLSTATE."""
    found = {}
    for line in history.open():
        event = json.loads(line)
        found.update(event.get("server-errors", {}))
    return " ".join(sorted(found)) or "none"


def cell(folder):
    verdict = json.loads((folder / "verdict.json").read_text())
    return verdict["verdict"], f"{verdict['verdict']}, {codes(folder / 'history.jsonl')}, {seconds(verdict['measures'])}"


rows, wrong = {}, []
for server in servers:
    folder = root / server.replace("/", "_")
    for path in folder.glob("*/verdict.json"):
        kind, text = cell(path.parent)
        rows.setdefault(path.parent.name, {})[server] = text
        if kind != "pass":
            wrong.append(f"{path.parent.name} on {server}: {text}")
    for run in json.loads(pathlib.Path(f"{folder}.json").read_text())["runs"]:
        if run["ending"]["state"] == "skipped":
            rows.setdefault(run["scenario"], {})[server] = f"skipped: {run['ending']['reason']}"

print("| scenario | " + " | ".join(servers) + " |")
print("|---" * (len(servers) + 1) + "|")
for name in sorted(rows):
    cells = [rows[name].get(server, "missing") for server in servers]
    wrong.extend(f"{name} on {server}: missing" for server, text in zip(servers, cells) if text == "missing")
    print(f"| {name} | " + " | ".join(cells) + " |")
print(f"\n{len(rows)} scenarios on {len(servers)} servers; {len(wrong)} surprises")
for line in wrong:
    print(f"  {line}")
sys.exit(1 if wrong else 0)
