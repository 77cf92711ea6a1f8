"""Whether the packages of an extra are installed, without importing them."""

from importlib.util import find_spec

RAG, HUGGINGFACE = "rag", "huggingface"


def list_missing(*modules: str) -> list[str]:
    """The modules that cannot be imported, in their order."""
    return [name for name in modules if not _is_there(name)]


def name_remedy(extra: str) -> str:
    """The command that installs an extra, as a sentence."""
    return f"Install it: pip install 'milvus-loadgen[{extra}]'."


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
