"""Where the words of this process are read."""

import os


def is_in_pod() -> bool:
    """Whether this is a container of Kubernetes: nobody has a keyboard there, or other servers on this machine."""
    return "KUBERNETES_SERVICE_HOST" in os.environ
