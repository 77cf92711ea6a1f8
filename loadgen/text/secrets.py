"""Text of foreign origin, such as a command and its output, with secrets masked."""

import os
import re
from collections.abc import Collection, Mapping

MASK = "***"
SHORTEST = 4
"""Shorter values are not looked for: they would mask parts of ordinary words."""
SECRET_NAME = re.compile(r"TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|CREDENTIAL", re.IGNORECASE)
FLAG = re.compile(r"(?i)(--?[\w-]*(?:token|password|passwd|secret|api-?key)[\w-]*(?:=|\s+))(\"[^\"]*\"|'[^']*'|\S+)")
ASSIGNED = re.compile(
    r"(?i)([\w-]*(?:token|password|passwd|secret|api_?key)[\w-]*\"?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|\S+)"
)
USER = re.compile(r"(?i)((?:^|\s)(?:-u|--user)(?:=|\s*))(\"[^\"]*\"|'[^']*'|\S+)")
BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]+")
IN_ADDRESS = re.compile(r"(://)[^/\s@]+@")


def find_secret_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """The values of environment variables whose names say that they are secret."""
    result = os.environ if environment is None else environment
    return [value for name, value in result.items() if SECRET_NAME.search(name)]


def mask_secrets(text: str, known: Collection[str] = ()) -> str:
    """The text without the known secrets, and without what looks like one: passwords in addresses, tokens in flags."""
    for secret in sorted({one for one in known if len(one) >= SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = IN_ADDRESS.sub(rf"\g<1>{MASK}@", text)
    text = BEARER.sub(rf"\g<1>\g<2>{MASK}", text)
    for pattern in (FLAG, ASSIGNED, USER):
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text
