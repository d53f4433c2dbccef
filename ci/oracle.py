"""Reads the verdicts of ci/oracle.sh, prints the matrix, and fails unless the reference and each row of ci/oracle.toml came out as they must.

With --scenarios CLIENT instead of a folder: prints the scenarios that have a row for that client.
With --well-behaved: prints the clients without a planted defect.
"""

import collections
import json
import pathlib
import sys
import tomllib

with open(pathlib.Path(__file__).with_name("oracle.toml"), "rb") as file:
    table = tomllib.load(file)
FAILS, PASSES = table["fails"], table["passes"]

if sys.argv[1] == "--scenarios":
    print(*FAILS.get(sys.argv[2], PASSES.get(sys.argv[2], [])))
    sys.exit()
if sys.argv[1] == "--well-behaved":
    print(*PASSES)
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
for client, fails in FAILS.items():
    for scenario, check in fails.items():
        runs = cells[client].get(scenario, [])
        if not runs or any(check not in failed or kind != "fail" for kind, failed, _ in runs):
            wrong.append(f"{client} must fail {scenario} by {check}")
for client, passes in PASSES.items():
    for scenario in passes:
        if any(plane == "kernel" and kind != "pass" for kind, _, plane in cells[client].get(scenario, [])):
            wrong.append(f"{client} must pass {scenario} on the kernel plane")
for client in cells:
    if client != "reference" and client not in FAILS and client not in PASSES:
        wrong.append(f"{client} has no row in ci/oracle.toml")

total = sum(len(runs) for row in cells.values() for runs in row.values())
print(f"\n{total} runs; {len(wrong)} surprises")
for line in wrong:
    print(f"  {line}")
sys.exit(1 if wrong else 0)
