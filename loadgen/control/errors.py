"""Why a run does not begin, or does not go on."""


class AgentError(RuntimeError):
    """An agent cannot take part in a run that has not begun; the text is the agent's."""


class PlanBrokenError(RuntimeError):
    """A run that has begun cannot go on; the text says why."""
