"""Locust users that run entirely on their own runtime: a coroutine on the event loop, or an OS thread."""

from loadgen.users.async_user import AsyncUser
from loadgen.users.base import LoadUser
from loadgen.users.process_state import ProcessState
from loadgen.users.sync_user import SyncUser

__all__ = ["AsyncUser", "LoadUser", "ProcessState", "SyncUser"]
