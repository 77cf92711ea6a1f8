"""Server addresses: stripped of secrets, checked and compared."""

import re
from urllib.parse import unquote, urlsplit

HIGHEST_PORT = 65_535
PORT = re.compile(r"[0-9]{1,5}")
"""ASCII digits only: int() would accept others too."""
PORTS = {"https": 443}
OTHER_PORT = 19_530
"""Port to which pymilvus connects by default."""
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
"""A name or an address, and a port. Excludes characters on which URL parsers disagree."""
STRANGE = re.compile(r"""[^\x21-\x7e]|[\\<>"^`{|}]""")
"""Characters invalid in an address: parsers would disagree on its host."""


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
    """Why an address is invalid, in words that cannot contain a secret; empty if it is valid."""
    if STRANGE.search(address):
        return "contains a space or another character that has to be percent-encoded"
    bare, secret = split_secret(address)
    if "@" in bare:
        return "has an unexpected @: percent-encode it, and / ? # in a password"
    if secret.startswith(":"):
        return "has a password and no user"
    scheme, mark, rest = bare.partition("://")
    if not mark or scheme.lower() == "unix":
        return ""
    authority, slash, path = rest.partition("/")
    if authority and not AUTHORITY.fullmatch(authority):
        return "is not an address (it has no host and port such as milvus:19530)"
    return "has more than a database after the host" if slash and not re.fullmatch(r"[\w.-]*/?", path) else ""


def split_addresses(text: str) -> list[str]:
    """Addresses that are joined with commas."""
    return [one.strip() for one in text.split(",") if one.strip()]


def find_url_flaw(url: str) -> str:
    """Why a URL cannot be asked over HTTP; empty if it can. A secret in it would be in record and report."""
    if STRANGE.search(url):
        return "contains a space or another character that has to be percent-encoded"
    scheme, mark, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme.lower() not in ("http", "https") or not mark:
        return "is no http:// or https:// address"
    if "@" in authority:
        return "contains a user or a password"
    return "" if AUTHORITY.fullmatch(authority) else "has no valid host and port"


def find_port(address: str) -> int:
    """The TCP port of a valid address, also where it is the default; 0 where there is none."""
    port = identify(address).rpartition(":")[2]
    return int(port) if PORT.fullmatch(port) else 0


def split_address(address: str) -> tuple[str, int]:
    """The host, without brackets, and the TCP port of a valid address."""
    bare, _ = split_secret(address)
    parts = urlsplit(bare if "://" in bare else f"//{bare}")
    return parts.hostname or "", find_port(bare if "://" in bare else f"http://{bare}")


def identify(address: str) -> str:
    """The identity of a server, the same for all spellings of its address: TLS or not, host, and port.

    A credential is sent to the server with this identity only. Names are compared, never resolved.
    An invalid address equals only itself.
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
