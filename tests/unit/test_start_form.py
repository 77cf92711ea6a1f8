"""Our start form: its fields and groups, and the field of each error."""

from typing import Any

import pytest

from loadgen.settings.credentials import MASK
from loadgen.settings.model import Settings, is_shown_on_page
from tests.unit.page_support import HOST, SECRET, TOKEN, Served, page


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust reads the fields of its form from the command line, which is pytest's here."""
    monkeypatch.setattr("sys.argv", ["locust"])


def groups_of(served: Served) -> dict[str, list[dict[str, Any]]]:
    reported = served.client.get("/variants/form").get_json()
    return {group["name"]: group["fields"] for group in reported["groups"]}


def test_the_form_has_ten_settings_first_in_groups_and_every_other_below(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST, "--token", TOKEN, "--rows", "300") as served:
        reported = served.client.get("/variants/form").get_json()
        groups = groups_of(served)
    first = [group for group in reported["groups"] if group["is_first"] and group["name"] != reported["users"]]
    names = [field["name"] for group in first for field in group["fields"]]
    assert names == [
        "host", "collection", "rows", "mode", "variants", "top_k", "concurrency", "rate", "phase_seconds", "require",
    ]  # fmt: skip
    assert [field["name"] for field in groups[reported["users"]]] == ["user_count", "spawn_rate", "run_time"]
    every = [field for fields in groups.values() for field in fields]
    settings = {name for name in Settings.model_fields if is_shown_on_page(name)}
    assert {field["name"] for field in every} == settings | {"user_count", "spawn_rate", "run_time"}
    assert len(every) == len({field["name"] for field in every})
    fields = {field["name"]: field for field in every}
    assert (fields["rows"]["kind"], fields["rows"]["value"], fields["host"]["value"]) == ("number", "300", HOST)
    assert (fields["mode"]["kind"], fields["mode"]["choices"]) == ("choice", ["compare", "sync", "async"])
    assert (fields["token"]["kind"], fields["token"]["value"]) == ("secret", MASK)
    assert (fields["fresh"]["kind"], fields["fresh"]["value"]) == ("switch", False)
    assert (fields["record"]["fixed"], fields["rows"]["fixed"]) == (True, False)
    assert fields["rows"]["help"] == "rows in the collection before the load starts"
    assert SECRET not in str(reported)


def test_what_the_form_shows_is_accepted_as_it_is_and_what_was_set_is_shown_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        before = served.settings()
        shown = [field for fields in groups_of(served).values() for field in fields if not field["fixed"]]
        form = {
            field["name"]: str(field["value"]).lower() if field["kind"] == "switch" else str(field["value"])
            for field in shown
        }
        assert served.post(**form)["success"] is True
        assert served.settings() == before
        assert served.post(**form | {"rows": "400", "mode": "async"})["success"] is True
        fields = {field["name"]: field for fields in groups_of(served).values() for field in fields}
        assert (fields["rows"]["value"], fields["mode"]["value"]) == ("400", "async")


def test_a_refused_form_names_the_field_of_each_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        reported = served.post(rows="0", top_k="many", user_count="0", html_file="/x")
        texts = {one["field"]: one["text"] for one in reported["faults"]}
        assert set(texts) == {"rows", "top_k", "user_count", "html_file"}
        assert texts["rows"].startswith("0: ")
        assert texts["user_count"] == "0: are no users. Give a number from 1."
        assert served.post(require="nonsense")["faults"][0]["field"] == "require"
        assert "faults" not in served.post()
