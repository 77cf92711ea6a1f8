"""Why an existing collection cannot be measured yet: faults with the command that mends each."""

import difflib

from pymilvus import MilvusClient

from loadgen.settings.conflicts import without_secret
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings
from loadgen.text.listing import join_some


def absent(client: MilvusClient, settings: Settings) -> Fault:
    """It does not exist."""
    names = client.list_collections()
    close = difflib.get_close_matches(settings.collection, names, n=1)
    hint = (
        f"Did you mean {close[0]}?"
        if close
        else f"Name yours with --collection: the server has {join_some(sorted(names))}."
    )
    return Fault("collection", settings.collection, "does not exist", hint)


def not_loaded(settings: Settings) -> Fault:
    """It exists, but is not loaded."""
    call = f"{_client_call(settings)}.load_collection('{settings.collection}')"
    hint = f"--existing changes nothing, so load it yourself: {_command(call)}."
    return Fault("collection", settings.collection, "is not loaded", hint)


def no_index(settings: Settings, field: str) -> Fault:
    """Its vector field has no index."""
    name = settings.collection
    call = (
        f"c = {_client_call(settings)}; p = c.prepare_index_params(); "
        f"p.add_index('{field}', index_type='AUTOINDEX', metric_type='COSINE'); c.create_index('{name}', p)"
    )
    hint = f"--existing changes nothing, so create one yourself, such as: {_command(call)}."
    return Fault("collection", name, f"has no index on {field}", hint)


def _client_call(settings: Settings) -> str:
    token = ", token='...'" if settings.token.get_secret_value() else ""
    database = f", db_name='{settings.database}'" if settings.database else ""
    return f"MilvusClient('{without_secret(settings.host)}'{token}{database})"


def _command(call: str) -> str:
    return f'python -c "from pymilvus import MilvusClient; {call}"'
