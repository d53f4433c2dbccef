"""Reads the verdicts of ci/oracle.sh, prints the matrix, and fails unless every check did its duty.

With --meant CLIENT instead of a folder: prints the scenarios that bring that client's defect out.
"""

import collections
import json
import pathlib
import sys
import tomllib

# ci/oracle.toml says what is meant.
with open(pathlib.Path(__file__).with_name("oracle.toml"), "rb") as file:
    table = tomllib.load(file)
MEANT, WELL_BEHAVED = table["meant"], table["well-behaved"]

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
