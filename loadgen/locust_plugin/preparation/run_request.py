"""The request of the command line or the page: the current settings, their users and their phases."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from locust.runners import STATE_CLEANUP, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING, MasterRunner, WorkerRunner
from werkzeug.datastructures import MultiDict

from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.locust_plugin.coordination.shapes import Conductor, PhaseShape
from loadgen.locust_plugin.patches import find_starts, quiet_phases
from loadgen.locust_plugin.preparation.continuing import find_resume_faults
from loadgen.locust_plugin.preparation.dry_run import leave_after_dry_run
from loadgen.locust_plugin.preparation.fault_plan import find_plan_faults, mark_drills
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.locust_plugin.preparation.run_plan import find_closed_flags, find_slow_start, plan_users
from loadgen.locust_plugin.web.form import as_field, read_form
from loadgen.measure.phase import Phase
from loadgen.runtime.early_exit import leave
from loadgen.runtime.start_errors import CANNOT_START
from loadgen.settings.addresses import identify, split_secret
from loadgen.settings.credentials import MASK, Credential, bind, is_secret, take_secrets, unmask
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import CREDENTIALS, TEXT_LISTS, Settings
from loadgen.settings.values import Default

STOP_FIRST, WAIT_FIRST = "Stop it first.", "Wait until it has ended."


@dataclass(frozen=True, slots=True)
class Before:
    """State before a start from the page, restored if the start fails."""

    options: dict[str, Any]
    host: str | None
    profile: str | None
    user_classes: list[type[Any]]
    shape_class: Any
    settings: Settings


class RunRequest:
    """One for each process."""

    def __init__(self, environment: Any, parser_errors: ParserErrors, conductor: Conductor) -> None:
        self._environment = environment
        self._parser_errors = parser_errors
        self._conductor = conductor
        self.everyone = list(environment.user_classes)
        """All user classes of the locustfiles, whether or not they take part in a run."""
        self._kept: Mapping[str, Credential] = {}
        """Credentials of successful starts, each with the host it was given for."""
        self._given = Settings()
        """The last accepted settings, with the host as given: none for an embedded server."""
        self._before: Before | None = None
        self.is_ending: Callable[[], bool] = lambda: False
        """Whether the results of the last run are still being written; for Locust, it has already stopped."""
        self._contradictions = self._hide_passwords()

    def _hide_passwords(self) -> list[Fault]:
        """Move a password in the host to the token, before page, workers or log see it; returns the faults."""
        environment, options = self._environment, vars(self._environment.parsed_options)
        taken, faults = take_secrets(options | {"host": environment.host}, Settings)
        options.update(taken)
        environment.host = taken["host"]
        for kind in self.everyone:
            kind.host = split_secret(kind.host)[0] if kind.host else kind.host
        return faults

    def settings(self) -> Settings:
        """The current settings, with the address of the server. Raises SettingsError."""
        return read_settings(self._environment.parsed_options, self._environment.host)

    @property
    def host(self) -> str:
        """As given: empty if a server is started for the run."""
        return self._given.host

    @property
    def masked(self) -> dict[str, str]:
        """The mask for each stored credential."""
        return dict.fromkeys(self._kept, MASK)

    def read(self) -> Settings:
        """The settings with their users and phases; ends the process if they are wrong."""
        faults = [*self._contradictions, *find_closed_flags(self._environment.parsed_options)]
        try:
            settings = self.settings()
            self._parser_errors.check()
            self._arrange(*self._cast(settings))
        except SettingsError as error:
            leave(self._parser_errors.join(SettingsError([*error.faults, *faults])), CANNOT_START)
        except RuntimeError as error:
            leave(str(error), CANNOT_START)
        if faults:
            leave(str(SettingsError(faults)), CANNOT_START)
        if settings.dry_run:
            leave_after_dry_run(settings, self._environment, self.everyone)
        self._given, self._kept = settings, bind(settings)
        return settings

    def _cast(self, settings: Settings) -> tuple[list[type[Any]], tuple[Phase, ...]]:
        """The users and the plan of phases. Raises SettingsError; changes nothing."""
        options = self._environment.parsed_options
        starts_now = options.headless or options.autostart  # otherwise the page sets the number
        users = (options.num_users or 1) if starts_now else None
        faults = find_faults(settings, self.everyone, users)
        if options.class_picker:
            hint = "Name the classes at the end of the command line instead."
            faults.append(Fault("class_picker", "", "conflicts with a plan of phases", hint))
        try:
            classes, phases = plan_users(self.everyone, settings)
        except SettingsError as error:
            raise SettingsError([*faults, *error.faults]) from None
        if starts_now and not phases:
            faults += find_slow_start(options)
        is_spread = isinstance(self._environment.runner, MasterRunner) and not options.processes
        faults += find_plan_faults(settings, phases, is_spread=is_spread)
        faults += find_resume_faults(settings, phases, is_headless=bool(options.headless))
        if faults:
            raise SettingsError(faults)
        return classes, mark_drills(phases, settings)

    def _arrange(self, classes: list[type[Any]], phases: tuple[Phase, ...]) -> None:
        environment = self._environment
        environment.user_classes = classes
        environment.shape_class = PhaseShape(phases, self._conductor) if phases else None
        if phases:
            environment.shape_class.runner = environment.runner
            quiet_phases()

    # A start from the page

    def take(self, form: "MultiDict[str, str]", custom: Collection[str]) -> "MultiDict[str, str]":
        """Accept a form, or change nothing and raise SettingsError. Returns the fields for Locust's own handler.

        While a run is active, only Locust's own fields remain: users, spawn rate and run time.
        """
        activity = self._activity()
        if not activity:
            self.roll_back()  # a start that was aborted early
        read = read_form(form, vars(self._environment.parsed_options), custom)
        asked, settings = self._parse(read.asked, read.faults)
        if activity:
            self._refuse_changes(settings, activity)
            return read.passed
        cast_as = self._cast(settings)
        environment = self._environment
        options = vars(environment.parsed_options)
        self._before = Before(
            dict(options),
            environment.host,
            environment.profile,
            environment.user_classes,
            environment.shape_class,
            self._given,
        )
        lists = {name: list(getattr(settings, name)) or None for name in TEXT_LISTS}
        options.update(asked | {"host": settings.host} | lists)
        environment.host = settings.host
        self._given = settings
        self._arrange(*cast_as)
        return read.passed

    def _parse(self, given: Mapping[str, object], result: Collection[Fault]) -> tuple[dict[str, object], Settings]:
        """The options and settings of a form; missing fields keep their values. Raises SettingsError."""
        options = vars(self._environment.parsed_options)
        standing = {name: options.get(name) for name in Settings.model_fields}
        standing |= {"host": self.host} | dict.fromkeys(CREDENTIALS, MASK)
        unchanged = {name: value for name, value in standing.items() if isinstance(value, Default)}
        sent = {name: value for name, value in given.items() if unchanged.get(name) != value}
        taken, contradictions = take_secrets({**standing, **sent}, Settings)
        asked, elsewhere = unmask(taken, self._kept, Settings)
        faults = [*result, *contradictions, *elsewhere]
        try:
            settings = Settings.parse(asked)
        except SettingsError as error:
            raise SettingsError([*faults, *error.faults]) from None
        if settings.host.lower().startswith("unix:") and identify(settings.host) != identify(self.host):
            hint = "Set it when starting the process."
            faults.append(Fault("host", settings.host, "is a path, which cannot be set from the page", hint))
        if faults:
            raise SettingsError(faults)
        return asked, settings

    @property
    def is_active(self) -> bool:
        """A run is being prepared, is running, or is ending."""
        return bool(self._activity())

    def _activity(self) -> str:
        """The runner's activity, empty if idle; Locust's state alone does not show a run in preparation."""
        runner = self._environment.runner
        if runner.shape_greenlet:
            return "phases"
        if runner.state in (STATE_SPAWNING, STATE_RUNNING):
            return "users"
        if runner.state in (STATE_CLEANUP, STATE_STOPPING) or self.is_ending():
            return "end"
        return "start" if any(find_starts(self._environment)) else ""

    def _refuse_changes(self, settings: Settings, activity: str) -> None:
        """Raise SettingsError if a form would change the active run."""
        hint = WAIT_FIRST if activity == "end" else STOP_FIRST
        different = [name for name in Settings.model_fields if getattr(settings, name) != getattr(self._given, name)]
        faults = [
            Fault(
                name,
                "" if is_secret(Settings.model_fields[name]) else str(as_field(name, getattr(settings, name))),
                "differs from the active run",
                hint,
            )
            for name in different
        ]
        if not faults and activity != "users":
            faults = [Fault("mode", settings.mode, "cannot start while a run is active", hint)]
        if faults:
            raise SettingsError(faults)

    def roll_back(self) -> None:
        """The last accepted start failed: restore the previous state."""
        if self._before is None:
            return
        before, environment = self._before, self._environment
        self._before = None
        options = vars(environment.parsed_options)
        options.clear()
        options.update(before.options)
        environment.host, environment.profile = before.host, before.profile
        environment.user_classes, environment.shape_class = before.user_classes, before.shape_class
        self._given = before.settings

    def commit(self) -> None:
        """The last accepted start has reached its server: keep its credentials."""
        if self._before is not None:
            self._before = None
            self._kept = bind(self._given)

    # The server

    def answer_at(self, address: str) -> None:
        """Set the address of the run's server for users and workers; it is not a given setting."""
        self._environment.host = address

    def forget_server(self) -> None:
        """Before another start: an embedded server may have ended since."""
        if not isinstance(self._environment.runner, WorkerRunner):
            self._environment.host = self.host or None
