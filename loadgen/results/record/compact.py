"""An operation in a record file: without the texts that follow from others. The model has them all."""

from typing import Any, TypeGuard

from loadgen.results.record import slices

Values = dict[str, Any]


def leave_out(operation: Values) -> Values:
    """The plain values of an operation for a file.

    In the closed model response times are service times, so one histogram is enough; and the slices of a phase add up
    to it. What does not, as after a lost worker, is kept.
    """
    service, response, sliced = operation["service_seconds"], operation["response_seconds"], operation["slices"]
    if sliced is not None:
        operation = operation | {"slices": slices.leave_out(sliced, response["histogram"])}
    if response["histogram"] == service["histogram"]:
        operation = operation | {"response_seconds": response | {"histogram": None}}
    return operation


def put_back(operation: Values) -> Values:
    """The inverse, for values of any origin; those that lack nothing, or are wrong, are returned as they are.

    Raises ValueError if the slices do not fit the histogram.
    """
    service, response, sliced = map(operation.get, ("service_seconds", "response_seconds", "slices"))
    if _lacks(response, "histogram") and isinstance(service, dict):
        response = response | {"histogram": service.get("histogram")}
        operation = operation | {"response_seconds": response}
    histogram = response.get("histogram") if isinstance(response, dict) else None
    if _lacks(sliced, "buckets") and isinstance(histogram, str):
        operation = operation | {"slices": slices.put_back(sliced, histogram)}
    return operation


def _lacks(part: Any, name: str) -> TypeGuard[Values]:
    return isinstance(part, dict) and part.get(name, "") is None
