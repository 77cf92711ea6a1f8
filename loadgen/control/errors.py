"""Why a run does not begin or continue."""


class AgentError(RuntimeError):
    """An agent cannot take part in a run that has not begun; the text is the agent's."""


class PlanBrokenError(RuntimeError):
    """A run that has begun cannot continue; the text gives the reason."""
