"""Addresses of servers: rid of the secrets that people write into them, checked, and compared."""

import re
from urllib.parse import unquote, urlsplit

HIGHEST_PORT = 65_535
PORT = re.compile(r"[0-9]{1,5}")
"""Digits of ASCII alone: int() would take others too."""
PORTS = {"https": 443}
OTHER_PORT = 19_530
"""What pymilvus connects to where an address names no port."""
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
"""A name or an address, and a port. Nothing in it that two readers of an address could take for its end."""
STRANGE = re.compile(r"""[^\x21-\x7e]|[\\<>"^`{|}]""")
"""What no address contains: two readers of one with such a character would not agree on its host."""


def split_secret(address: str) -> tuple[str, str]:
    """Split http://root:pw@host into http://host and the decoded root:pw.

    Empty where there is none. Characters such as / ? # @ : in a password have to be percent-encoded.
    """
    scheme, mark, rest = address.partition("://")
    end = re.search(r"[/?#]|$", rest)
    place = end.start() if end else len(rest)
    user, at, authority = rest[:place].rpartition("@")
    if not (mark and at):
        return address, ""
    return f"{scheme}://{authority}{rest[place:]}", unquote(user.removesuffix(":"))


def find_flaw(address: str) -> str:
    """Why an address cannot be taken for one, without a part of it that could be a secret; empty where it can."""
    if STRANGE.search(address):
        return "contains a space or another character that has to be percent-encoded"
    bare, secret = split_secret(address)
    if "@" in bare:
        return "has an @ where none belongs: percent-encode it, and / ? # in a password"
    if secret.startswith(":"):
        return "has a password and no user"
    scheme, mark, rest = bare.partition("://")
    if not mark or scheme.lower() == "unix":
        return ""
    authority, slash, path = rest.partition("/")
    if authority and not AUTHORITY.fullmatch(authority):
        return "is no address (it names no host and port such as milvus:19530)"
    return "has more behind the host than a database" if slash and not re.fullmatch(r"[\w.-]*/?", path) else ""


def identify(address: str) -> str:
    """What two spellings of the same server have in common: whether TLS is asked for, the host, and the port.

    A credential goes to the server of this identity and to no other. Names are compared, never resolved.
    What is no address is only like itself.
    """
    bare, _ = split_secret(address)
    scheme, mark, _ = bare.partition("://")
    scheme = scheme.lower()
    if not mark or scheme == "unix":
        return bare
    try:
        parts = urlsplit(bare)
        port = parts.port or PORTS.get(scheme, OTHER_PORT)
    except ValueError:
        return address
    return f"{'tls' if scheme == 'https' else 'plain'}://{(parts.hostname or '').lower()}:{port}"
