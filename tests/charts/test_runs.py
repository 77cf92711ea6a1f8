"""Which changes start the next run, whatever the tool that renders the chart."""

from collections.abc import Callable

import pytest
import yaml
from helm_python.errors import HelmError

from tests.charts.chart_support import ROOT, URI, Document, one, render, run_of, values_of
from tests.charts.test_rendering import names_of

SECRET = {"uri": URI, "token": {"value": "root:Milvus"}}


def run_by(values: Document, **release: object) -> str:
    return run_of(render(values, **release))


@pytest.mark.parametrize(
    "values",
    [
        {"loadgen": {"rows": 5}},
        {"workers": {"replicas": 3}},
        {"image": {"tag": "2"}},
        {"locustfile": {"name": "insert.py"}},
        {"locustfile": {"inline": {"search.py": "pass"}}},
        {"milvus": {"uri": "http://other:19530"}},
        {"master": {"resources": {"requests": {"cpu": "2"}}}},
        {"prepare": {"enabled": False}},
        {"run": {"again": 2}},
        {"run": {"again": "2"}},
    ],
)
def test_what_changes_the_run_starts_the_next_one_even_if_every_rendering_is_the_first(values: Document) -> None:
    """Argo CD renders with revision 1 and as an installation each time."""
    first, second = render({}), render(values, revision=1, is_upgrade=False)
    assert run_of(first) != run_of(second)
    kinds = {kind for kind, _ in names_of(first) & names_of(second)}
    assert "Job" not in kinds, "a Job cannot be changed"


@pytest.mark.parametrize(
    "values",
    [
        {"run": {"ttlSecondsAfterFinished": 60}},
        {"monitoring": {"force": True, "labels": {"a": "b"}}},
        {"networkPolicy": {"enabled": True}},
        {"podDisruptionBudget": {"enabled": False}},
        {"test": {"enabled": False}},
        {"workers": {"replacements": 3, "activeDeadlineSeconds": 60}},
    ],
)
def test_what_is_around_the_run_starts_none_and_changes_nothing_that_cannot_be_changed(values: Document) -> None:
    first, second = render({}), render(values, revision=7, is_upgrade=True)
    for name in ("-master", "-worker"):
        before, after = (one(documents, "Job", name) for documents in (first, second))
        assert before["metadata"]["name"] == after["metadata"]["name"]
        for key in ("template", "podFailurePolicy"):
            assert before["spec"][key] == after["spec"][key]


def test_a_run_that_is_repeated_differs_in_nothing_but_its_names() -> None:
    first, second = render({"run": {"again": 1}}), render({"run": {"again": 2}})
    texts = [yaml.safe_dump(documents).replace(run_of(documents), "RUN") for documents in (first, second)]
    assert texts[0] == texts[1]


def test_the_same_values_are_the_same_run_in_every_revision_and_claim_and_account_outlive_runs() -> None:
    values = values_of("claim")
    assert names_of(render(values, revision=1)) == names_of(render(values, revision=2, is_upgrade=True))
    changed = render(values | {"loadgen": {"rows": 7}}, revision=3)
    kept = {kind for kind, name in names_of(render(values)) & names_of(changed) if "-milvus-loadgen-" in name}
    assert "PersistentVolumeClaim" in kept
    assert ("ServiceAccount", "demo-milvus-loadgen") in names_of(changed)
    assert "Job" not in kept


@pytest.mark.parametrize("mode", ["job", "interactive"])
@pytest.mark.parametrize(
    "given",
    [lambda word: SECRET | {"token": {"value": word}}, lambda word: {"uri": f"http://root:{word}@my-milvus:19530"}],
)
def test_another_token_starts_no_run_and_leaves_no_trace_outside_of_its_secret(
    given: Callable[[str], Document], mode: str
) -> None:
    first, second = (render({"milvus": given(word), "mode": mode}) for word in ("one", "other"))
    changed = [before["kind"] for before, after in zip(first, second, strict=True) if before != after]
    assert changed == ["Secret"]


def test_a_change_that_is_refused_leaves_the_config_of_the_present_run_alone() -> None:
    """A named run's Jobs cannot be changed; Helm updates a ConfigMap of the same name all the same."""
    values = {"run": {"name": "nightly"}, "locustfile": {"name": "a.py", "inline": {"a.py": "pass"}}}
    first = render(values | {"loadgen": {"rows": 5}})
    second = render(values | {"loadgen": {"rows": 6}} | {"locustfile": {"name": "a.py", "inline": {"a.py": "1"}}})
    assert one(first, "Job", "-master")["metadata"]["name"] == one(second, "Job", "-master")["metadata"]["name"]
    for suffix in ("-config", "-files"):
        before, after = (one(documents, "ConfigMap", suffix) for documents in (first, second))
        assert before["metadata"]["name"] != after["metadata"]["name"]
        assert before["immutable"] is after["immutable"] is True


def test_a_config_is_named_by_its_content() -> None:
    again = [render({"loadgen": {"rows": 5}}, revision=revision) for revision in (1, 2)]
    assert len({one(documents, "ConfigMap", "-config")["metadata"]["name"] for documents in again}) == 1


def recipe(tool: str) -> Document:
    """The values in the recipe of a tool, which it passes to Helm."""
    *_, last = yaml.safe_load_all((ROOT / "k8s" / "gitops" / f"{tool}.yaml").read_text())
    spec: Document = last["spec"]
    return dict(spec["source"]["helm"]["valuesObject"] if tool == "argocd" else spec["values"])


@pytest.mark.parametrize("tool", ["argocd", "flux"])
def test_a_recipe_renders_starts_runs_by_their_content_only_and_heals_no_finished_one(tool: str) -> None:
    values = recipe(tool)
    first = render(values, revision=1, is_upgrade=False)
    assert names_of(first) == names_of(render(values, revision=1, is_upgrade=False))
    more = values | {"loadgen": values["loadgen"] | {"rows": 200_000}}
    again = values | {"run": values["run"] | {"again": 2}}
    runs = {run_of(first), run_by(more, revision=1, is_upgrade=False), run_by(again, revision=1, is_upgrade=False)}
    assert len(runs) == 3
    for name in ("-master", "-worker"):
        assert "ttlSecondsAfterFinished" not in one(first, "Job", name)["spec"]


def test_the_recipe_of_flux_waits_for_no_job() -> None:
    *_, release = yaml.safe_load_all((ROOT / "k8s" / "gitops" / "flux.yaml").read_text())
    for step in ("install", "upgrade"):
        assert release["spec"][step]["disableWait"] is release["spec"][step]["disableWaitForJobs"] is True


def test_a_port_of_the_heartbeat_is_none_for_the_metrics() -> None:
    with pytest.raises(HelmError, match=r"metrics\.port: 5556 is used by Locust itself, or by the heartbeat"):
        render({"metrics": {"port": 5556}})
