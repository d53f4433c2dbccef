"""Reads what ci/known-bugs.sh has run of one pair, prints a line, and fails unless the verdicts tell the two versions apart.

known_bugs.py FOLDER LIBRARY CHECK VERSION-WITH VERSION-WITHOUT
"""

import json
import pathlib
import re
import sys

SEEDS = 3  # runs of each version

root, (library, check, broken, fixed) = pathlib.Path(sys.argv[1]), sys.argv[2:]


def verdicts(version):
    return [json.loads(path.read_text()) for path in sorted((root / version).glob("*/*/verdict.json"))]


def findings(verdict):
    """What the check that is meant for the bug has found."""
    return verdict["checks"][check].get("findings", []) if verdict["verdict"] == "fail" else []


def others(runs):
    """Verdicts that must not occur, with the checks that failed and the doubts."""
    for run in runs:
        failed = [name for name, told in run["checks"].items() if told["result"] == "fail"]
        yield f"    seed {run['seed']}: {run['verdict']}: {', '.join(failed) or '; '.join(run['doubts']) or 'nothing'}"


bad, good = verdicts(broken), verdicts(fixed)
found = [findings(run) for run in bad]
caught = sum(map(bool, found))
passed = sum(run["verdict"] == "pass" for run in good)
first = re.split("[:;]", next((f[0]["what"] for f in found if f), "nothing"))[0]
print(
    f"{root.name}: {library} {broken} fails by {check} {caught}/{SEEDS} ({first}); {fixed} passes {passed}/{SEEDS}",
    flush=True,
)
if caught == passed == SEEDS:
    sys.exit()
for version, runs in ((broken, bad), (fixed, good)):
    print(f"  not told apart; {version}, see {root / version}", *others(runs), sep="\n")
sys.exit(1)
