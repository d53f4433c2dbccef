"""What ci/users.sh needs to know of the files in ci/users: their shell texts, and what becomes of these.

users.py check FILE…          numbers that must agree do, and pgsquall has every option that is written there
users.py shell FOLDER FILE…   writes every shell text to a file of its own, for shellcheck
users.py run FOLDER FILE…     runs the texts of shards and reports as their machinery would

For the options and for `run`, the program's name is in PGSQUALL.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import jsonschema
import yaml

SCHEMA = jsonschema.Draft202012Validator(json.loads(pathlib.Path("harness/report/report.schema.json").read_text()))
SHARDS = 2
SCENARIOS = ["connection-reset", "connection-closed"]
SEED = "4711"
# A client, and how the report on it must end. The second fails soon: nobody waits whether it recovers.
CLIENTS = {"reference": 0, "reads-old-snapshot": 1}


class Wrong(Exception):
    pass


def demand(condition, text):
    if not condition:
        raise Wrong(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        documents = list(yaml.safe_load_all(file))
    # YAML 1.1 takes the key `on` for a truth value.
    if "jobs" in documents[0]:
        return GitHub(path, documents[0])
    return Kubernetes(path, documents) if "apiVersion" in documents[0] else GitLab(path, documents[0])


class Text:
    """A shell text: where it stands, how its machinery starts bash for it, what it finds in its environment."""

    def __init__(self, name, text, options, environment):
        self.name, self.text, self.options, self.environment = name, text, options, environment

    def run(self, folder, environment):
        """Returns the exit code, and what was said."""
        words = ["bash", "--noprofile", "--norc", *self.options, "-c", self.text]
        path = f"{PROGRAM.name}:{os.environ['PATH']}"
        # Nothing else of this machine: a variable that is missing is to be missed.
        kept = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            words,
            cwd=folder,
            env={**kept, "PATH": path, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout


class GitHub:
    def __init__(self, path, workflow):
        self.path, self.workflow, self.name = path, workflow, "github"

    def evaluate(self, text, known):
        """`${{ … }}` by what is known."""

        def value(found):
            demand(found[1] in known, f"{self.path}: nothing is known of ${{{{ {found[1]} }}}}")
            return known[found[1]]

        return re.sub(r"\$\{\{ (.*?) \}\}", value, str(text))

    def environment(self, job, known):
        return {
            name: self.evaluate(value, known)
            for block in (self.workflow.get("env", {}), job.get("env", {}))
            for name, value in block.items()
        }

    def texts(self, shard=1):
        known = {"inputs.seed || github.run_id": SEED, "matrix.shard": str(shard)}
        for job_name, job in self.workflow["jobs"].items():
            for number, step in enumerate(job["steps"]):
                if "run" in step:
                    # What is put into a text could end a word in it; in the environment it cannot.
                    demand("${{" not in step["run"], f"{self.path}: an expression in a text of {job_name}")
                    yield Text(
                        f"{self.name}-{job_name}-{step.get('id', number)}",
                        step["run"],
                        ["-e", "-o", "pipefail"],
                        self.environment(job, known),
                    )

    def check(self):
        shards = self.workflow["jobs"]["shard"]["strategy"]["matrix"]["shard"]
        said = int(self.workflow["env"]["PGSQUALL_SHARDS"])
        demand(shards == list(range(1, said + 1)), f"{self.path}: PGSQUALL_SHARDS is {said}, the matrix {shards}")
        for job in self.workflow["jobs"].values():
            demand("timeout-minutes" in job, f"{self.path}: a job without timeout-minutes")

    def step(self, job, action):
        """The one step of a job that uses this action."""
        (step,) = [step for step in self.workflow["jobs"][job]["steps"] if step.get("uses", "").startswith(action)]
        return step["with"]

    def text(self, name, shard=1):
        (found,) = [text for text in self.texts(shard) if text.name == f"{self.name}-{name}"]
        return found

    def run(self, folder, variables):
        """Each job in a folder of its own; what they hand on goes by the patterns of the steps that hand it on."""
        upload = self.step("shard", "actions/upload-artifact")
        download = self.step("report", "actions/download-artifact")
        workspace = folder / "report"
        handed = workspace / download["path"]
        handed.mkdir(parents=True)

        def one(shard):
            place = folder / f"machine-{shard}"
            place.mkdir()
            ended = self.text("shard-run", shard).run(place, variables)
            for file in place.glob(upload["path"]):
                demand(":" not in file.name, f"{file.name} would be refused as an artifact")
                shutil.copy(file, handed)
            return ended

        yield from shards(one)
        summary = workspace / "summary.md"
        summary.touch()
        yield "report", *self.text("report-merge").run(workspace, {**variables, "GITHUB_STEP_SUMMARY": str(summary)})
        demand("connection-reset" in summary.read_text(), "nothing is in the summary")
        kept = self.step("report", "actions/upload-artifact")["path"].split()
        for name in kept:
            demand((workspace / name).is_file(), f"{name} was not written")
        self.report, self.junit = workspace / "report", workspace / "junit.xml"

    def again(self, variables, baseline):
        """The report once more, beside a baseline."""
        workspace = self.report.parent
        shutil.copy(baseline, workspace / "pgsquall-baseline.json")
        summary = {"GITHUB_STEP_SUMMARY": str(workspace / "summary.md")}
        return self.text("report-merge").run(workspace, {**variables, **summary})


class GitLab:
    def __init__(self, path, pipeline):
        self.path, self.pipeline, self.name = path, pipeline, "gitlab"

    def texts(self):
        for name, job in self.pipeline.items():
            if "script" in job:
                # One shell for all lines of a job.
                yield Text(
                    f"gitlab-{name}",
                    "\n".join(job["script"]),
                    ["-e", "-o", "pipefail"],
                    {name: str(value) for name, value in self.pipeline["variables"].items()},
                )

    def check(self):
        pass

    def run(self, folder, variables):
        jobs = {text.name: text for text in self.texts()}
        allowed = self.pipeline["pgsquall"]["allow_failure"]["exit_codes"]
        workspace = folder / "report"
        workspace.mkdir(parents=True)

        def one(shard):
            place = folder / f"machine-{shard}"
            place.mkdir()
            node = {"CI_NODE_INDEX": str(shard), "CI_NODE_TOTAL": str(SHARDS), "CI_PIPELINE_ID": SEED}
            code, said = jobs["gitlab-pgsquall"].run(place, {**variables, **node})
            for path in self.pipeline["pgsquall"]["artifacts"]["paths"]:
                kept = path.replace("$CI_NODE_INDEX", str(shard))
                shutil.copytree(place / kept, workspace / kept)
            return (0 if code in allowed else code), said

        yield from shards(one)
        yield "report", *jobs["gitlab-pgsquall-report"].run(workspace, variables)
        self.report = workspace / "report"
        self.junit = workspace / self.pipeline["pgsquall-report"]["artifacts"]["reports"]["junit"]

    def again(self, variables, baseline):
        workspace = self.report.parent
        shutil.copy(baseline, workspace / "pgsquall-baseline.json")
        return {text.name: text for text in self.texts()}["gitlab-pgsquall-report"].run(workspace, variables)


class Kubernetes:
    def __init__(self, path, documents):
        self.path, self.name = path, "kubernetes"
        self.jobs = {document["metadata"]["name"]: document for document in documents if document["kind"] == "Job"}
        (self.settings,) = [document["data"] for document in documents if document["kind"] == "ConfigMap"]

    @staticmethod
    def container(job):
        (container,) = job["spec"]["template"]["spec"]["containers"]
        return container

    def texts(self):
        for name, job in self.jobs.items():
            command = self.container(job)["command"]
            demand(command[0] == "bash" and command[-2] == "-c", f"{self.path}: {name} is not started by bash")
            yield Text(f"kubernetes-{name}", command[-1], command[1:-2], self.settings)

    def check(self):
        completions = self.jobs["pgsquall"]["spec"]["completions"]
        said = int(self.settings["PGSQUALL_SHARDS"])
        demand(said == completions, f"{self.path}: PGSQUALL_SHARDS is {said}, completions {completions}")
        for name, job in self.jobs.items():
            mounts = [mount["mountPath"] for mount in self.container(job)["volumeMounts"]]
            results = self.settings["PGSQUALL_RESULTS"]
            demand(results in mounts, f"{self.path}: {results} is no volume of {name}")

    def run(self, folder, variables):
        jobs = {text.name: text for text in self.texts()}
        claim = folder / "claim"
        claim.mkdir(parents=True)
        variables = {**variables, "PGSQUALL_RESULTS": str(claim), "PGSQUALL_SEED": SEED}

        def one(shard):
            index = {"JOB_COMPLETION_INDEX": str(shard - 1)}
            return jobs["kubernetes-pgsquall"].run(folder, {**variables, **index})

        yield from shards(one)
        # A pod that takes another's place has nothing left to do.
        code, said = one(1)
        demand("1 of them kept from earlier" in said, f"a second pod began anew:\n{said}")
        yield "report", *jobs["kubernetes-pgsquall-report"].run(folder, variables)
        self.report = claim / SEED / "report"
        self.junit = self.report / "junit.xml"

    def again(self, variables, baseline):
        claim = self.report.parent.parent
        shutil.copy(baseline, claim / "pgsquall-baseline.json")
        variables = {**variables, "PGSQUALL_RESULTS": str(claim), "PGSQUALL_SEED": SEED}
        jobs = {text.name: text for text in self.texts()}
        return jobs["kubernetes-pgsquall-report"].run(claim.parent, variables)


def shards(one):
    """All shards at once, as on several machines."""
    with concurrent.futures.ThreadPoolExecutor(SHARDS) as pool:
        ended = pool.map(one, range(1, SHARDS + 1))
        for shard, (code, said) in zip(range(1, SHARDS + 1), ended):
            yield f"shard {shard}", code, said


def carry_out(source, folder):
    """All texts of one file with each client: shards, a report, and that beside baselines, where there can be any."""
    lines, stored = [], None
    for client, code in CLIENTS.items():
        place = folder / client
        variables = {"PGSQUALL_CLIENT": client, "PGSQUALL_SCENARIOS": " ".join(SCENARIOS), "PGSQUALL_SHARDS": str(SHARDS)}
        codes = []

        def ended(what, code, meant, said):
            demand(code == meant, f"{source.path}, {client}, {what}: exit code {code}, not {meant}:\n{said}")
            codes.append(f"{what}: {code}")

        for what, ending, said in source.run(place, variables):
            ended(what, ending, code if what == "report" else 0, said)
        before, stored = stored, (source.report / "report.json").read_text()
        asked = sorted(entry["scenario"] for entry in json.loads(stored)["runs"])
        demand(asked == sorted(SCENARIOS), f"{source.path}: the report is of {asked}")
        cases = len(xml.etree.ElementTree.parse(source.junit).findall(".//testcase"))
        demand(cases == len(SCENARIOS), f"{source.path}: {cases} cases in the JUnit file")
        errors = [error.message for error in SCHEMA.iter_errors(json.loads(stored))]
        demand(not errors, f"{source.path}: report.json is not as its schema says: {errors}")
        demand(not SCHEMA.is_valid({**json.loads(stored), "runs": 1}), "the schema says nothing of runs")
        baseline = place / "baseline.json"
        baseline.write_text(stored)
        ending, said = source.again(variables, baseline)
        ended("beside itself", ending, 0, said)
        if before:
            # As if this client had once done what the one before it did.
            baseline.write_text(before.replace(*(f'"{name}"' for name in CLIENTS)))
            ending, said = source.again(variables, baseline)
            ended("beside a better one", ending, 1, said)
        lines.append(f"{source.name}, {client}: {', '.join(codes)}")
    return "\n".join(lines)


def help_of(*verb):
    words = [os.environ["PGSQUALL"], *verb, "--help"]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def options_of(*verb):
    """A verb's long options."""
    return set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", help_of(*verb), re.MULTILINE))


def commands(text):
    """Every command line of pgsquall in a shell text: its verb, its long options."""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        # Words that only the shell understands end nothing here: options are looked for.
        if not re.match(r"pgsquall\s", line):
            continue
        words = [word for word in re.split(r"[\s\"()]+", line)[1:] if word]
        verb = ["report", "merge"] if words[:2] == ["report", "merge"] else words[:1]
        yield verb, [word for word in words if word.startswith("--")]


def check(paths):
    known = {}
    count = 0
    for path in paths:
        source = read(path)
        source.check()
        found = 0
        for text in source.texts():
            subprocess.run(["bash", "-n", "-c", text.text], check=True)
            later = re.findall(r"baseline=\((--[\w-]+)", text.text)
            for verb, options in commands(text.text):
                found += 1
                if "PGSQUALL" not in os.environ:
                    continue
                there = known.setdefault(tuple(verb), options_of(*verb))
                if verb == ["report", "merge"]:
                    options = options + later
                for option in options:
                    demand(option in there, f"{path}: pgsquall {' '.join(verb)} has no {option}")
                    count += 1
        demand(found > 1, f"{path}: no command line of pgsquall was found")
    return count


def main():
    what, *rest = sys.argv[1:]
    if what == "check":
        count = check(rest)
        if "PGSQUALL" in os.environ:
            print(f"{count} options are there")
    elif what == "shell":
        folder, *paths = rest
        for path in paths:
            for text in read(path).texts():
                place = pathlib.Path(folder) / f"{text.name}.sh"
                place.write_text(f"#!/usr/bin/env bash\nset {' '.join(text.options)}\n{text.text}")
    else:
        folder, *paths = rest
        with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
            for line in pool.map(lambda path: carry_out(read(path), pathlib.Path(folder).resolve() / path), paths):
                print(line, flush=True)
    return 0


# A folder in which the program has the name by which texts call it.
PROGRAM = tempfile.TemporaryDirectory()
if "PGSQUALL" in os.environ:
    pathlib.Path(PROGRAM.name, "pgsquall").symlink_to(pathlib.Path(os.environ["PGSQUALL"]).resolve())
try:
    sys.exit(main())
except Wrong as error:
    sys.exit(f"error: {error}")
