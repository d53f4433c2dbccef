"""Reads the files in ci/users for ci/users.sh.

users_yaml.py FILE agree                    values that occur twice agree, and run.sh has the settings that it needs
users_yaml.py FILE texts FOLDER             write each shell text to a script in FOLDER
users_yaml.py FILE settings|artifacts VERB  variables (NAME=VALUE) or uploaded paths of the job that calls run.sh VERB
"""

import pathlib
import re
import sys

import yaml

path, what, *option = sys.argv[1:]
text, script = pathlib.Path(path).read_text(), pathlib.Path("ci/users/run.sh").read_text()
documents = list(yaml.safe_load_all(text))
# Each job: its definition, its environment, its shell texts, the paths that it uploads.
github, kubernetes, jobs = "jobs" in documents[0], "apiVersion" in documents[0], []
if github:
    for job in documents[0]["jobs"].values():
        uploads = " ".join(each["with"]["path"] for each in job["steps"] if "upload-artifact" in each.get("uses", ""))
        texts = [each["run"] for each in job["steps"] if "run" in each]
        jobs.append((job, documents[0]["env"] | job.get("env", {}), texts, uploads.split()))
elif kubernetes:
    (settings,) = [each["data"] for each in documents if each["kind"] == "ConfigMap"]
    for job in [each["spec"] for each in documents if each["kind"] == "Job"]:
        (container,) = job["template"]["spec"]["containers"]
        jobs.append((job | container, settings, [" ".join(container["command"])], []))
else:
    for job in [job for job in documents[0].values() if "script" in job]:
        uploads = job["artifacts"]["paths"] + list(job["artifacts"].get("reports", {}).values())
        jobs.append((job, documents[0]["variables"] | job.get("variables", {}), job["script"], uploads))


def demand(condition, problem):
    condition or sys.exit(f"error: {path}: {problem}")


def calling(verb):
    """The one job that calls run.sh with this verb."""
    found = [job for job in jobs if any(re.fullmatch(rf"bash \S+/run\.sh {verb}", line.strip()) for line in job[2])]
    demand(len(found) == 1, f"{len(found)} jobs call run.sh {verb}, not 1")
    return found[0]


def agree():
    (shard, settings, _, uploads), (report, of_report, *_) = calling("shard"), calling("report")
    there = settings | of_report | ({"PGSQUALL_SHARD": "from the index"} if kubernetes else {})
    for name in re.findall(r"PGSQUALL_\w+", " ".join(re.findall(r"need (PGSQUALL.*)", script))):
        demand(name in there, f"{name} is not set, but run.sh needs it")
    for name in settings:
        demand(re.search(rf"(#   |\$|env\.){name}\b", script + text), f"nothing reads {name}")
    shards, results = settings["PGSQUALL_SHARDS"], settings["PGSQUALL_RESULTS"]
    if github:
        matrix = shard["strategy"]["matrix"]["shard"]
        demand(matrix == list(range(1, int(shards) + 1)), f"PGSQUALL_SHARDS is {shards}, the matrix {matrix}")
        demand(settings["PGSQUALL_SHARD"] == "${{ matrix.shard }}", "PGSQUALL_SHARD is not the shard of the matrix")
        (download,) = [step["with"] for step in report["steps"] if "download-artifact" in step.get("uses", "")]
        folders = [download["path"], *(str(pathlib.Path(name).parent) for name in uploads)]
        demand(set(folders) == {results}, f"PGSQUALL_RESULTS is {results}, the shards' artifacts use {folders}")
        demand(all("timeout-minutes" in job[0] for job in jobs), "a job has no timeout-minutes")
    elif kubernetes:
        demand(shards == str(shard["completions"]), f"PGSQUALL_SHARDS is {shards}, completions {shard['completions']}")
        for job in (shard, report):
            mounts, image = job["volumeMounts"], pathlib.Path("ci/users/Dockerfile").read_text()
            demand(results in [mount["mountPath"] for mount in mounts], f"PGSQUALL_RESULTS, {results}, is no volume")
            demand(f"COPY run.sh {job['command'][1]}\n" in image, f"the image has no {job['command'][1]}")
    else:
        demand(shard["allow_failure"]["exit_codes"] == [1, 2], "verdicts of a shard are not allowed to fail")


if what == "texts":
    for number, line in enumerate(line for job in jobs for line in job[2]):
        pathlib.Path(option[0], f"{number}.sh").write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{line}\n")
elif what == "settings":
    print(*(f"{name}={value}" for name, value in calling(*option)[1].items()), sep="\n")
elif what == "artifacts":
    print(*calling(*option)[3], sep="\n")
else:
    agree()
