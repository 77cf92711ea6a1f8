"""Credentials: the settings that are, and the address each was given for. It is sent to no other.

A setting is a credential by its type (`SecretStr`) or by what it declares: `declares={"address": "host"}` names the
setting with its address. A `SecretStr` without this declaration is refused when the settings are created.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from loadgen.settings.addresses import STRANGE, find_flaw, identify, split_secret
from loadgen.settings.conflicts import without_secret
from loadgen.settings.faults import Fault

MASK = "********"
"""Shown on the page instead of a secret; the page sends it back unless a new one was typed."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret, or the path of a file with one, and where it may be sent."""

    value: str
    address: str
    """As given; empty for the embedded server."""


def declared(field: FieldInfo, name: str) -> Any:
    """What a setting declares besides its type, such as `address` or `page`; None if nothing."""
    return field.json_schema_extra.get(name) if isinstance(field.json_schema_extra, dict) else None


def is_secret(field: FieldInfo) -> bool:
    """True for a setting whose value must never be shown."""
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def find_secrets(model: type[BaseModel]) -> list[str]:
    """The names of all settings whose values must never be shown."""
    return [name for name, field in model.model_fields.items() if is_secret(field)]


def find_credentials(model: type[BaseModel]) -> dict[str, str]:
    """Each credential, and the setting with its address. Raises TypeError for a secret without a declaration."""
    result = {name: declared(field, "address") for name, field in model.model_fields.items()}
    for name in find_secrets(model):
        if result[name] not in model.model_fields:
            raise TypeError(f"the secret setting {name} has to declare the setting of its address")
    return {name: address for name, address in result.items() if address}


def take_secrets(values: Mapping[str, object], model: type[BaseModel]) -> tuple[dict[str, object], list[Fault]]:
    """Values with each password in an address moved to its setting; a fault if that has another value."""
    taken, faults = dict(values), []
    for name, address in find_credentials(model).items():
        written = str(taken.get(address) or "")
        bare, secret = split_secret(written)
        if not (secret and is_secret(model.model_fields[name])) or find_flaw(written):
            continue  # an invalid address is reported elsewhere
        given = plain(taken.get(name)).removeprefix(MASK)
        taken[address] = bare
        taken[name] = given or secret
        if given not in ("", secret):
            flag = f"--{address.replace('_', '-')}"
            faults.append(Fault(name, "", f"differs from the one in {flag}", "Give one of the two."))
    return taken, faults


def plain(value: object) -> str:
    """The text of a value; empty for None."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def bind(settings: BaseModel) -> dict[str, Credential]:
    """Every credential given, bound to its address."""
    credentials = find_credentials(type(settings))
    bound = {
        name: Credential(plain(getattr(settings, name)), getattr(settings, credentials[name])) for name in credentials
    }
    return {name: credential for name, credential in bound.items() if credential.value}


def unmask(
    values: Mapping[str, object], kept: Mapping[str, Credential], model: type[BaseModel]
) -> tuple[dict[str, object], list[Fault]]:
    """Values with each masked or absent credential restored; a fault if it was given for another server."""
    filled, faults = dict(values), []
    for name, setting in find_credentials(model).items():
        if filled.get(name) not in (None, MASK):
            continue
        credential = kept.get(name, Credential("", ""))
        filled[name] = credential.value
        address = str(filled.get(setting) or "")
        if credential.value and identify(address) != identify(credential.address):
            filled[name] = ""
            faults.append(_other_server(name, credential, address, is_secret(model.model_fields[name])))
    return filled, faults


def _other_server(name: str, credential: Credential, address: str, typed: bool) -> Fault:
    given, asked = (
        STRANGE.sub("?", without_secret(one)) if one else "the embedded server" for one in (credential.address, address)
    )
    hint = "Type the one for that server, or empty the field." if typed else "Start another process for that server."
    return Fault(name, "", f"was given for {given} and is not sent to {asked}", hint)
