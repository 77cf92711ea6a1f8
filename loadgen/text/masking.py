"""Secrets that this process sends, masked in every text that it shows: a server may repeat one in an error.

Kept for the process, not for a run: a text of an earlier run, or one that is logged late, must not show its secrets.
"""

import base64
from urllib.parse import unquote

MASKED = "***"
LEAST = 8
"""Characters from which a password is masked apart from its user: a shorter one may be a word of any text."""
_secrets: set[str] = set()


def keep_secret(key: str) -> None:
    """Mask this key in every text from now on."""
    if key:
        _secrets.add(key)


def keep_token(token: str) -> None:
    """Mask a token, in clear and as it is sent, and its password if it is `user:password`."""
    if not token or token in _secrets:
        return
    password = token.partition(":")[2]
    keep_secret(token)
    keep_secret(base64.b64encode(token.encode("utf-8", "surrogatepass")).decode("ascii"))
    if len(password) >= LEAST:
        keep_secret(password)


def keep_headers(text: str) -> None:
    """Mask the values of headers as OpenTelemetry's variables give them: `authorization=Bearer%20..., x-key=...`."""
    for part in text.split(","):
        value = part.partition("=")[2].strip()
        for shown in (value, unquote(value), unquote(value).rpartition(" ")[2]):
            if len(shown) >= LEAST:
                keep_secret(shown)


def mask_secrets(text: str) -> str:
    """The text with `***` for each secret."""
    for secret in sorted(_secrets, key=len, reverse=True):  # one may contain another
        if secret in text:
            text = text.replace(secret, MASKED)
    return text
