"""All workarounds for Locust: small patches around the original functions, each with its upstream issue.

`#1730` is https://github.com/locustio/locust/issues/1730. Without a known issue, the version is the one with the
observed behaviour. Workarounds that must work before this module can be imported are elsewhere: `runtime/patching.py`
avoids gevent's patches (#2250), `runtime/start_errors.py` makes failed starts of Locust exit with 2 (no upstream issue
known, 2.47), `users/listeners.py` calls all listeners of an event even if one raises (#1461).
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import FunctionType, MethodType
from typing import Any, NoReturn

import gevent
import gevent.os
import locust.main
import locust.runners
import locust.stats
from locust.argument_parser import LocustArgumentParser
from locust.exception import StopTest
from locust.runners import STATE_STOPPING, MasterRunner, Runner, WorkerRunner, locust_exception_handler

from loadgen.locust_plugin.remembered_node import RememberedNode
from loadgen.locust_plugin.wrapping import Instead, and_then, log_instead, only_if, unless, wrap_once

logger = logging.getLogger("loadgen")
PHASE_LINES = ("Ramping to", "All users spawned", "Shape ", "Sending spawn jobs")


# Locust's main module: names are replaced in its namespace only.


def sleep_on_hub(sleep: Callable[[float], None]) -> None:
    """`time.sleep` and `os.waitpid` stall the hub where gevent has not patched them: no worker is ever seen (#2765)."""
    vars(locust.main).update(time=Instead(time, sleep=sleep), os=Instead(os, waitpid=gevent.os.waitpid))


def exit_through(leave: Callable[..., NoReturn]) -> None:
    """A failed start and a failed run both exit with 1 (as in #1922): `leave` distinguishes them."""
    vars(locust.main)["sys"] = Instead(sys, exit=leave)


def fork_through(fork: Callable[[], int]) -> None:
    """A worker of `--processes` (#2472) outlives a killed master by 60 s, until heartbeats time out (#2474)."""
    locust.main.gevent = Instead(gevent, fork=fork)


def check_options(require: Callable[[], object], check: Callable[[Any], object]) -> None:
    """There is no event between parsing the options and forking, loading or listening (no upstream issue known, 2.47).

    `require` is called before the options are parsed, `check` with the parsed ones.
    """

    def watch(parser: Any) -> None:
        require()
        parser.parse_args = and_then(parser.parse_args, check)

    locust.main.get_parser = and_then(locust.main.get_parser, watch)


def refuse_pytest_files(refuse: Callable[[str], NoReturn]) -> None:
    """A locustfile without users is searched for pytest tests, whose users cannot run here (#3200)."""
    vars(locust.main)["load_locustfile_pytest"] = refuse


def set_up_logging(then: Callable[[], object]) -> None:
    """Logs print raw control characters (no upstream issue known, 2.47); `then` is called once logging is set up."""
    locust.main.setup_logging = and_then(locust.main.setup_logging, lambda _: then())


def carry_interrupts(interrupt: Callable[[int], None]) -> None:
    """Ctrl-C kills whichever greenlet happens to run (#3306, gevent/gevent#1815): the hub handles it instead."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        gevent.signal_handler(signal.SIGINT, interrupt, signal.SIGINT)


def quiet_hub() -> None:
    """The hub prints a traceback of Ctrl-C and StopTest (#3313), which Locust logs itself."""
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt, StopTest)


def take_sigterm(interrupt: Callable[[int], None], note: Callable[[int], object]) -> None:
    """SIGTERM is handled only after a load shape has ended (as Ctrl-C was, #1910): until then it acts like Ctrl-C.

    Locust's own handler replaces ours; `note` is still called. Idempotent.
    """
    known = locust.main.gevent
    if isinstance(known, Instead) and known.replaces("signal_handler"):
        return
    ours = gevent.signal_handler(signal.SIGTERM, interrupt, signal.SIGTERM)

    def hand_over(number: int, listener: Callable[[], object]) -> Any:
        ours.cancel()
        return gevent.signal_handler(number, lambda: (note(number), listener()))

    locust.main.gevent = Instead(known, signal_handler=hand_over)


def count_time_steadily() -> None:
    """Runners and tables compute durations from `time.time` (#1487; #1492 did not fix these). Idempotent.

    If the clock is adjusted, shapes sleep, workers end or discard their users, and rates are wrong by hours.
    """
    if isinstance(locust.runners.time, Instead):
        return
    ahead = time.time() - time.monotonic()
    vars(locust.runners)["time"] = vars(locust.stats)["time"] = Instead(time, time=lambda: ahead + time.monotonic())


def remember_absences() -> None:
    """A missing worker returns with its next heartbeat without a trace (#1158): nodes remember it. Idempotent."""
    vars(locust.runners)["WorkerNode"] = RememberedNode


def wait_before_users(wait: Callable[[Any], bool]) -> None:
    """A worker starts users once connected, maybe before `events.init` (#1730). Idempotent.

    They start once `wait(environment)` returns True. It may block: `start_worker` runs in a greenlet that a later
    message about users replaces.
    """
    wrap_once(WorkerRunner, "start_worker", lambda original: only_if(lambda self: wait(self.environment), original))


def end_retries(check: Callable[[Any], bool]) -> None:
    """A worker asks for five minutes also where its master has closed (no upstream issue known, 2.47). Idempotent.

    `check` gets the runner before each attempt, and raises OSError if it is the last.
    """
    wrap_once(WorkerRunner, "connect_to_master", lambda original: only_if(check, original))


def leave_workers_to_coordinator(runner: Any, is_held: Callable[[], bool], has_plan: Callable[[], bool]) -> None:
    """A master ends the run when its last worker goes missing (#1707, #3501), and moves users when one joins (#1886).

    While `is_held()` it does neither: the worker may return a second later, and the coordinator ends the run itself.
    Moving users would start them outside the load shape, in the greenlet that receives the workers' messages. And the
    page starts a run in a greenlet that does not handle StopTest (#3313): it becomes one log line.
    """

    def is_locusts_own() -> bool:
        return getattr(gevent.getcurrent(), "_run", None) in (runner.heartbeat_worker, runner.client_listener)

    def is_last_gone() -> bool:
        return is_locusts_own() and is_held() and runner.worker_count <= 0

    runner.start = unless(lambda: is_locusts_own() and is_held() and has_plan(), log_instead(StopTest, runner.start))
    runner.stop = unless(is_last_gone, runner.stop)
    runner.quit = unless(is_last_gone, runner.quit)
    runner.check_stopped = unless(lambda: runner.state != STATE_STOPPING and is_held(), runner.check_stopped)


def stop_test(environment: Any, error: StopTest) -> None:
    """StopTest ends a run only in a greenlet of Locust's (#3313): raise it in a new one. Returns immediately."""

    def fail() -> NoReturn:
        raise error

    gevent.spawn(fail).link_exception(locust_exception_handler(environment))


def keep_users_to_plan(runner: Any) -> None:
    """The keys w, W, s and S start and stop users even under a load shape (#1612)."""

    def is_foreign() -> bool:
        if runner.environment.shape_class is None or gevent.getcurrent() is runner.shape_greenlet:
            return False
        logger.warning("Users cannot be changed during a plan of phases. Use --mode sync or --mode async for that")
        return True

    runner.start = unless(is_foreign, runner.start)


def keep_runs_apart(events: Any, is_of_run: Callable[[Mapping[str, Any]], bool]) -> None:
    """A worker that was missing reports the rest of its run during the next one (no upstream issue known, 2.47).

    Locust's own listener is the first and adds every report; a listener before it must be inserted into the list.
    """

    def look(data: dict[str, Any], **_: Any) -> None:
        if not is_of_run(data):
            data |= {"stats": [], "errors": {}, "stats_total": locust.stats.RequestStats().total.get_stripped_report()}

    events.worker_report._handlers.insert(0, look)  # noqa: SLF001


def dispatch_anew(runner: Any) -> None:
    """The dispatcher keeps stale counts for a worker that was missing (#2008). Call it while there are no users."""
    if isinstance(runner, MasterRunner):
        runner._users_dispatcher = None  # noqa: SLF001


def forget_worker(runner: Any, worker: str) -> None:
    """Locust removes a worker only if it quits, never a missing one (#1158)."""
    client, dispatcher = runner.clients.pop(worker, None), runner._users_dispatcher  # noqa: SLF001
    if client is not None and dispatcher is not None:
        dispatcher.remove_worker(client)


def send_stats_now(runner: Any) -> None:
    """A worker sends its last statistics only if its master tells it to quit (#1426)."""
    runner._send_stats()  # noqa: SLF001


def note_quit(runner: Any, note: Callable[[object], object]) -> None:
    """A worker ends the same way on its master's request and without a master (no upstream issue known, 2.47)."""
    handle = runner.handle_message

    def handle_message(msg: Any) -> None:
        if msg.type == "quit":
            note(msg.data)
        handle(msg)

    runner.handle_message = handle_message


def forget_shape(runner: Any) -> None:
    """A load shape that raised still counts as running, so the next start is refused (as in #1540)."""
    runner.shape_greenlet = runner.shape_last_tick = None


def ask_shapes_at_once(runner: Any) -> None:
    """A load shape is asked once a second (no upstream issue known, 2.47), but ours block until their next step.

    The users of a phase ran for most of a second before its warm-up began, and after a short phase for as long again.
    """
    original = Runner.shape_worker
    names = original.__globals__ | {"gevent": Instead(gevent, sleep=lambda _: gevent.sleep(0))}
    runner.shape_worker = MethodType(FunctionType(original.__code__, names), runner)


def quiet_phases() -> None:
    """Five lines are logged for each phase of a load shape (no upstream issue known, 2.47). Idempotent."""
    logging.getLogger("locust.runners").addFilter(_is_no_ramping)


def _is_no_ramping(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO or not record.getMessage().startswith(PHASE_LINES)


# Locust's page and its arguments


def list_arguments_once() -> None:
    """A worker lists all arguments n times at each start of users: 1 s on its hub (no upstream issue known, 2.47)."""
    known = locust.runners.argument_parser
    vars(locust.runners)["argument_parser"] = Instead(known, default_args_dict=cache(known.default_args_dict))


def list_fields_once() -> None:
    """Opening the page lists all arguments n^3 times: 0.2 s on the hub for our 115 (no upstream issue known, 2.47)."""

    def find(flag: str, parser: Any) -> dict[str, Any]:
        return {name: one for name, one in parser.args_included_in_web_ui.items() if getattr(one, flag, False)}

    for flag in ("secret", "required", "multiple"):
        setattr(LocustArgumentParser, f"{flag}_args_included_in_web_ui", property(partial(find, f"is_{flag}")))


def find_starts(environment: Any) -> tuple[Any, ...]:
    """A start from the page does not change the runner's state until its first user (no upstream issue known, 2.47)."""
    return environment.runner.spawning_greenlet, getattr(environment.web_ui, "_swarm_greenlet", None)


def extend_template(web_ui: Any, change: Callable[[dict[str, Any]], object]) -> None:
    """The page shows custom arguments without their groups (#2560): `change` edits its contents last."""
    web_ui.update_template_args = and_then(web_ui.update_template_args, lambda _: change(web_ui.template_args))


def wrap_view(web_ui: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    """The handler of a start writes every field into the options, one by one (#1841): `wrap` checks first."""
    views = web_ui.app.view_functions
    views[name] = web_ui.auth_required_if_enabled(wrap(views[name]))


def read_config_files(parser: Any, read: Callable[[Any, Any, list[str]], dict[str, Any]]) -> None:
    """Config files: unknown keys pass as other arguments, " ;" cuts off values (bw2/ConfigArgParse#120, #60).

    `read` gets the parser's own reader, the file and the keys known to the parser.
    """
    own = parser._config_file_parser  # noqa: SLF001

    def parse(stream: Any) -> dict[str, Any]:
        actions = parser._actions  # noqa: SLF001
        return read(own, stream, [key for action in actions for key in parser.get_possible_config_keys(action)])

    parser._config_file_parser = Instead(own, parse=parse)  # noqa: SLF001
