"""What was asked for, by the command line or the page: the settings as they stand, their users and their phases."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from locust.runners import STATE_RUNNING, STATE_SPAWNING

from loadgen.faults import Fault, SettingsError
from loadgen.plugin.arguments import MASK, read_settings
from loadgen.plugin.casting import cast, find_closed_flags
from loadgen.plugin.doubts import Doubts
from loadgen.plugin.ending import find_faults
from loadgen.plugin.surroundings import leave, quiet_phases
from loadgen.runtime.guarding import CANNOT_START
from loadgen.settings import Settings
from loadgen.shapes import Conductor, PhaseShape


class Asking:
    """One for each process."""

    def __init__(self, environment: Any, doubts: Doubts, conductor: Conductor) -> None:
        self._environment = environment
        self._doubts = doubts
        self._conductor = conductor
        self.everyone = list(environment.user_classes)
        """All user classes of the locustfiles, whichever of them play in a run."""
        self._secret = ""

    def settings(self, options: Any = None, host: Any = None) -> Settings:
        """The settings as they stand now: from the command line, the page or the master. Raises SettingsError."""
        options = options or self._environment.parsed_options
        if getattr(options, "token", "") == MASK:  # a page that shows only the mask sends the mask back
            options.token = self._secret
        self._secret = getattr(options, "token", "")
        return read_settings(options, host or self._environment.host)

    def read(self) -> Settings:
        """The settings with the cast that they ask for; ends the process where they are wrong."""
        faults = find_closed_flags(self._environment.parsed_options)
        try:
            settings = self.settings()
            self._doubts.check()
            self._arrange(settings)
        except SettingsError as error:
            leave(self._doubts.join(SettingsError([*error.faults, *faults])), CANNOT_START)
        except RuntimeError as error:
            leave(str(error), CANNOT_START)
        if faults:
            leave(str(SettingsError(faults)), CANNOT_START)
        return settings

    def _arrange(self, settings: Settings) -> None:
        """Choose the users and the plan of phases. Raises SettingsError."""
        environment = self._environment
        faults = find_faults(settings)
        if environment.parsed_options.class_picker:
            way_out = "Name the classes at the end of the command line instead."
            faults.append(Fault("class_picker", "", "does not go with a plan of phases", way_out))
        if faults:
            raise SettingsError(faults)
        environment.user_classes, phases = cast(self.everyone, settings)
        environment.shape_class = PhaseShape(phases, self._conductor) if phases else None
        if phases:
            environment.shape_class.runner = environment.runner
            quiet_phases()

    def arrange_asked(self, asked: Mapping[str, object]) -> None:
        """Before a start from the web page: check and arrange what its form asks for. Raises SettingsError."""
        environment = self._environment
        options = Namespace(**(vars(environment.parsed_options) | asked))
        busy = environment.runner.state in (STATE_SPAWNING, STATE_RUNNING)
        if environment.runner.shape_greenlet or (busy and options.mode != environment.parsed_options.mode):
            raise SettingsError([Fault("mode", str(options.mode), "comes while a run is under way", "Stop it first.")])
        self._arrange(self.settings(options, asked.get("host", self._environment.host)))
