"""What `--fault` does to the server of a run: signals to an embedded one, orders to a proxy, commands of the user's."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from pydantic import SecretStr

from loadgen.control.fault_schedule import ENDED_BEFORE, Effect, FaultSchedule
from loadgen.milvus.fault_proxy import FaultProxy
from loadgen.milvus.server import EmbeddedServer, ServerError
from loadgen.runtime.user_command import run_command
from loadgen.settings.fault_grammar import Action, PlannedFault, read_faults
from loadgen.settings.model import Settings
from loadgen.text.secrets import find_secret_variables, mask_secrets

COMMAND_WITHIN = 1.0
"""Seconds that a command has at least, whatever the recovery limit is."""


class FaultInjector:
    """Implements `Injector` for one run."""

    def __init__(self, settings: Settings, server: EmbeddedServer | None, proxy: FaultProxy | None) -> None:
        self._server, self._proxy = server, proxy
        self._within = max(settings.recovery_within, COMMAND_WITHIN)
        self._secrets = [*find_secret_variables(), *_find_secrets(settings)]
        self._lock, self._proxy_lock = threading.Lock(), threading.Lock()
        self._is_paused = self._is_killed = False
        self._latest: dict[Action | None, PlannedFault] = {}
        """The latest fault by what it changes, None being the server: only that one is ended at its end."""
        self._round = 0
        """Number of times that the server was restored: what an earlier round still does is ended, or not begun."""

    def describe(self, fault: PlannedFault) -> str:
        """The fault, a command with its text and without its secrets."""
        return f"command: {self._mask(fault.command)}" if fault.action is Action.COMMAND else fault.name

    def _mask(self, text: str) -> str:
        return mask_secrets(text, self._secrets)

    def begin(self, fault: PlannedFault) -> Effect:
        """Carry it out. Raises ServerError or ProxyError."""
        begun = self._round
        if fault.action is Action.COMMAND:
            return self._run(fault.command)
        if fault.action.is_of_proxy:
            with self._proxy_lock:
                self._check_round(begun)
                self._tell(fault)
            return Effect()
        server = self._server
        if server is None:
            raise ServerError("there is no embedded server")
        with self._lock:
            self._check_round(begun)
            self._change(server, fault)
        return Effect()

    def _check_round(self, begun: int) -> None:
        """A fault that waited, for a restart perhaps, until its phase was over is not begun in the next one."""
        if self._round != begun:
            raise ServerError(ENDED_BEFORE)

    def _change(self, server: EmbeddedServer, fault: PlannedFault) -> None:
        if fault.action is not Action.RESTART:
            self._undo(server)  # the fault before it is over by now, though its end may be called a moment later
        self._latest[None] = fault
        if fault.action is Action.PAUSE:
            server.pause()
            self._is_paused = True
            return
        if not self._is_killed:
            server.kill()
            self._is_killed, self._is_paused = True, False
        if fault.action is Action.RESTART:
            self._restart(server)

    def end(self, fault: PlannedFault) -> None:
        """End it, unless another one of its kind has begun. Raises ServerError or ProxyError."""
        begun = self._round
        if self._proxy is not None and fault.action.is_of_proxy:
            orders = {Action.LATENCY: "latency 0", Action.BANDWIDTH: "bandwidth 0", Action.CUT: "refuse off"}
            with self._proxy_lock:
                if self._round == begun and self._latest.get(fault.action) is fault:
                    self._proxy.tell(orders.get(fault.action, "blackhole off"))
        elif self._server is not None and fault.action.is_of_server:
            with self._lock:
                if self._round == begun and self._latest.get(None) is fault:
                    self._undo(self._server)

    def restore(self) -> None:
        """Undo everything, and end commands. Raises ServerError or ProxyError."""
        self._round += 1
        if self._server is not None:
            with self._lock:
                self._undo(self._server)
        if self._proxy is not None:
            with self._proxy_lock:
                self._proxy.tell("clear")

    def _undo(self, server: EmbeddedServer) -> None:
        if self._is_paused:
            self._is_paused = False
            server.resume()
        if self._is_killed:
            self._restart(server)

    def _restart(self, server: EmbeddedServer) -> None:
        self._is_killed = False
        server.restart()

    def _tell(self, fault: PlannedFault) -> None:
        if self._proxy is None:
            raise ServerError("there is no proxy")
        if fault.action is Action.CUT and fault.seconds:
            self._proxy.tell("refuse on")
        orders = {
            Action.LATENCY: f"latency {fault.amount}",
            Action.BANDWIDTH: f"bandwidth {fault.amount}",
            Action.BLACKHOLE: "blackhole on",
            Action.CUT: "cut",
        }
        self._proxy.tell(orders[fault.action])
        if fault.seconds:
            self._latest[fault.action] = fault

    def _run(self, text: str) -> Effect:
        begun = self._round
        result = run_command(text, self._within, lambda: self._round != begun)
        error = "" if result.exit_code is not None else "the command did not end in time and was killed"
        return Effect(result.exit_code, tuple(self._mask(line) for line in result.lines), error)


class RunFaults:
    """The faults of the run that is being prepared, with its proxy. One per process; the proxy ends with its run."""

    def __init__(self) -> None:
        self._proxy: FaultProxy | None = None
        self.schedule: FaultSchedule | None = None
        """None: no faults are declared."""
        self.of_users: Mapping[str, object] = {}
        """Settings that are others for users: the proxy's address, and no faults, which the coordinator carries out."""

    def prepare(self, settings: Settings, server: EmbeddedServer | None) -> Settings:
        """Start the proxy if a fault needs it; returns the settings, which have the address of the server. Blocks."""
        self.stop()
        faults = read_faults(settings)
        if not faults:
            return settings
        of_users: dict[str, object] = {"fault": ()}
        if any(one.action.is_of_proxy for one in faults):
            self._proxy = FaultProxy(settings.host)
            of_users["host"] = self._proxy.uri
            if settings.host.lower().startswith("https:") and not settings.server_name:
                of_users["server_name"] = urlsplit(settings.host).hostname or ""
        own = server if server is not None and settings.host == server.uri else None
        injector = FaultInjector(settings, own, self._proxy)
        self.schedule = FaultSchedule(faults, injector, settings.recovery_within)
        self.of_users = of_users
        return settings

    def stop(self) -> None:
        """End the proxy; idempotent."""
        self.schedule, self.of_users = None, {}
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            with suppress(Exception):
                proxy.stop()


def _find_secrets(settings: Settings) -> list[str]:
    """The secrets in the settings; of user:password also the password alone."""
    result = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    return [part for one in result for part in (one, one.partition(":")[2]) if part]
