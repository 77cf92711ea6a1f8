"""Locust's page with loadgen's form, whose starts do nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from locust import task
from locust.env import Environment

from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.locust_plugin.preparation.run_request import RunRequest
from loadgen.locust_plugin.web.page import dress_page
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser
from tests.unit.argument_support import make_parser


class Asynchronous(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class Blocking(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


HOST = "http://m:19530"
SECRET = "hidden-4711"
TOKEN = f"root:{SECRET}"
FORM = {"user_count": "1", "spawn_rate": "1"}


class Served:
    """A page whose starts are accepted by Locust and do nothing."""

    def __init__(self, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        parser = make_parser()
        monkeypatch.setattr("locust.argument_parser.get_parser", lambda *_: parser)
        options = parser.parse_args(["--record", "", *arguments])
        self.environment = Environment(user_classes=[Asynchronous, Blocking], parsed_options=options, host=options.host)
        self.runner = self.environment.create_local_runner()
        self.web_ui = self.environment.create_web_ui("", 0, delayed_start=True)
        self.asking = RunRequest(self.environment, ParserErrors(), None)  # type: ignore[arg-type]
        self.asking.read()
        self.started: list[dict[str, str]] = []
        self.accepts = True
        monkeypatch.setattr(self.runner, "start", lambda *_: None)
        monkeypatch.setattr(self.runner, "start_shape", lambda: None)
        dress_page(self.web_ui, self.asking)
        assert self.web_ui.app is not None
        self.client = self.web_ui.app.test_client()

    def post(self, **form: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.post("/swarm", data=FORM | form).get_json()
        gevent.sleep(0)  # what Locust has begun begins
        return answer

    def state(self) -> dict[str, Any]:
        """All that a start could change."""
        environment = self.environment
        shape = environment.shape_class
        seen = {"host": environment.host, "profile": environment.profile, "given": self.asking.host, "shape": shape}
        return dict(vars(environment.parsed_options)) | seen | {"classes": list(environment.user_classes)}

    def settings(self) -> Settings:
        return self.asking.settings()


@contextmanager
def page(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Iterator[Served]:
    served = Served(list(arguments), monkeypatch)
    try:
        yield served
    finally:
        served.runner.quit()
