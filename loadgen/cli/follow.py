"""`loadgen follow`: the log of a run on Kubernetes from its first pod to its end, and its exit code.

`loadgen fetch`: its record, out of the same log.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadgen.cli.cluster import Cluster, ClusterError, reach_cluster
from loadgen.text.plain_text import one_line

DONE, FAILED, UNKNOWN = 0, 1, 2
INTERRUPTED = 130
LOOK_SECONDS = 1.0
PATIENCE = 60
"""Looks at a cluster that does not answer, one after the other, before it is given up."""
INSTANCE, COMPONENT, RUN, JOB = (
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "milvus-loadgen/run",
    "batch.kubernetes.io/job-name",
)
RECORD = re.compile(
    r"^-----BEGIN RUN RECORD ([\w.-]+)-----\n(.*?)^-----END RUN RECORD \1-----$", re.MULTILINE | re.DOTALL
)
Tell = Callable[[str], object]


def add_follow(commands: Any) -> None:
    """`loadgen follow` and `loadgen fetch`, and their flags."""
    text = "show the log of a run on Kubernetes until it ends, and exit with its code"
    parser = _add(commands, "follow", text)
    parser.set_defaults(command=lambda given: _with_cluster(given, _follow))
    text = "save the record of a run on Kubernetes, from the log of its master"
    parser = _add(commands, "fetch", text)
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where to save it [default: this folder]"
    )
    parser.set_defaults(command=lambda given: _with_cluster(given, _fetch))


def _add(commands: Any, name: str, text: str) -> Any:
    parser = commands.add_parser(
        name, help=text, description=f"{text}; needs kubectl, and rights to read pods and Jobs"
    )
    parser.add_argument("release", metavar="RELEASE", help="name of the Helm release")
    parser.add_argument(
        "-n", "--namespace", default="default", metavar="NAME", help="namespace of the release [default: %(default)s]"
    )
    parser.add_argument("--run", default="", metavar="NAME", help="name of the run [default: the newest]")
    parser.add_argument("--context", default="", metavar="NAME", help="context of kubectl [default: the current one]")
    text = (
        "address of the Kubernetes API without a login, such as that of `kubectl proxy` [default: starts such a proxy]"
    )
    parser.add_argument("--api", default="", metavar="URL", help=text)
    return parser


def _with_cluster(given: argparse.Namespace, work: Callable[[Cluster, argparse.Namespace], int]) -> int:
    """The code of the work; 2 if the cluster or the run is not there, 130 after Ctrl-C, which leaves the run alone."""
    try:
        with reach_cluster(given.namespace, given.context, given.api) as cluster:
            return work(cluster, given)
    except (ClusterError, OSError) as error:
        sys.stderr.write(one_line(f"loadgen {given.named}: {error}") + "\n")
        return UNKNOWN
    except KeyboardInterrupt:
        return INTERRUPTED


def find_job(cluster: Cluster, release: str, run: str) -> dict[str, Any]:
    """The Job of the master: of this run, or of the newest. Raises ClusterError if there is none."""
    selector = {INSTANCE: release, COMPONENT: "master"} | ({RUN: run} if run else {})
    if result := cluster.jobs(selector):
        return max(result, key=lambda job: str(job["metadata"].get("creationTimestamp", "")))
    what = f"no run {run}" if run else "no run, which is a Job"
    raise ClusterError(f"release {release} has {what} in namespace {cluster.namespace}")


class Follower:
    """Shows the logs of the pods of one Job, one after the other. `wait` pauses between two looks."""

    def __init__(self, cluster: Cluster, tell: Tell, note: Tell, wait: Callable[[float], object] = time.sleep) -> None:
        """`tell` takes a line of a log, `note` a line about the run."""
        self._cluster = cluster
        self._tell = tell
        self._note = note
        self._wait = wait
        self._last: dict[tuple[str, str], str] = {}
        self._noted = ""
        self._code: int | None = None

    def follow(self, job: str) -> int:
        """The exit code of the run. Raises ClusterError if the cluster stays silent, or refuses."""
        silent = 0
        while True:
            try:
                if (code := self._look(job)) is not None:
                    return code
                silent = 0
            except OSError as error:
                silent += 1
                if silent >= PATIENCE:
                    raise ClusterError(f"the cluster does not answer: {error}") from error
            self._wait(LOOK_SECONDS)

    def _look(self, job: str) -> int | None:
        """One look: show what is new; the code if the run is over."""
        result = [each for each in self._cluster.jobs({COMPONENT: "master"}) if each["metadata"]["name"] == job]
        for pod in self._cluster.pods({JOB: job}):
            self._show(pod)
        if not result:
            self._say("the run was removed")
            return UNKNOWN if self._code is None else self._code
        conditions = {each["type"]: each for each in result[0].get("status", {}).get("conditions", ())}
        ended = {kind for kind, each in conditions.items() if each.get("status") == "True"}
        if "Complete" in ended:
            return DONE
        if "Failed" in ended:
            if not self._code:
                self._say(f"{conditions['Failed'].get('reason')}: {conditions['Failed'].get('message')}")
            return self._code or FAILED
        return None

    def _show(self, pod: dict[str, Any]) -> None:
        """The logs of its containers that have begun, as far as they go."""
        name, status = pod["metadata"]["name"], pod.get("status", {})
        states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        if not states:
            unplaced = [each for each in status.get("conditions", ()) if each.get("reason") == "Unschedulable"]
            self._say(f"{name} waits for a node" + "".join(f": {each.get('message', '')}" for each in unplaced))
        for each in states:
            state = each.get("state", {})
            if waiting := state.get("waiting"):
                self._say(
                    f"{name}: {each['name']} waits: {waiting.get('reason', '')} {waiting.get('message', '')}".rstrip()
                )
                return
            self._show_log(name, each["name"], is_running="running" in state)
            if (ended := state.get("terminated")) and ended.get("exitCode"):
                self._code = int(ended["exitCode"])
                self._say(f"{name}: {each['name']} ended with exit code {self._code}")

    def _show_log(self, pod: str, container: str, *, is_running: bool) -> None:
        """From the last line that was shown. The log of a removed pod cannot be read any more."""
        if (pod, container) in self._last and not is_running and self._last[pod, container] == "":
            return
        last = self._last.setdefault((pod, container), "0")
        try:
            for written, line in self._cluster.log(
                pod, container, follow=is_running, since="" if last == "0" else last
            ):
                if written > last:
                    self._last[pod, container] = last = written
                    self._tell(line)
        except ClusterError as error:
            self._say(f"{pod}: no log of {container}: {error}")
        if not is_running:
            self._last[pod, container] = ""

    def _say(self, line: str) -> None:
        if line != self._noted:
            self._noted = line
            self._note(one_line(line))


def _follow(cluster: Cluster, given: argparse.Namespace) -> int:
    job = find_job(cluster, given.release, given.run)["metadata"]["name"]

    def note(line: str) -> None:
        sys.stderr.write(f"[{line}]\n")
        sys.stderr.flush()

    def tell(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - this is a command

    return Follower(cluster, tell, note).follow(job)


def _fetch(cluster: Cluster, given: argparse.Namespace) -> int:
    """Exit code 0: saved; 2: the log has no record, because the run has not ended or does not print it."""
    job = find_job(cluster, given.release, given.run)["metadata"]["name"]
    for pod in reversed(cluster.pods({JOB: job})):
        log = "\n".join(line for _, line in cluster.log(pod["metadata"]["name"], "master", follow=False))
        if match := RECORD.search(log):
            path = given.output / f"{match[1]}.json"
            path.write_text(match[2])
            print(path)  # noqa: T201 - this is a command
            return DONE
    raise ClusterError(f"the log of {job} has no record: the run has not ended, or record.print is off")
