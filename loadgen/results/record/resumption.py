"""The record of an interruption after which the run was continued."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from loadgen.results.record.part import Part


class Resumption(Part):
    """Another process continued the run: phases before and after it were not measured by the same processes."""

    at: AwareDatetime
    phase: Annotated[int, Field(ge=1)]
    """The first phase that was measured after it, from 1."""
