"""What must not stand in a log: keys, passwords, PIN codes; and who charged.

A token becomes a pseudonym: the same for the same token on one server, so that its messages can still be
found, and of no use to anybody without the server's pepper.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from csms.state.catalogue import fold_token

HIDDEN: Final = "***"
_PSEUDONYM_DIGITS = 16
# Fields whose text is a token, in 1.6 and 2.x; in 2.x they hold an object of the same name too.
_TOKENS = {"idTag", "parentIdTag", "idToken", "additionalIdToken", "groupIdToken", "customerIdentifier"}
_SECRETS = {
    "password",
    "basicAuthPassword",
    "apnPassword",
    "key",
    "exiRequest",
    "exiResponse",
    "data",
}
# The only secrets among things called ``key`` and ``data``: elsewhere they name settings and hold text.
_SECRETS_IN = {"key": "vpn", "data": "NotifyCustomerInformation"}
_SECRET_SETTINGS = {"authorizationkey", "basicauthpassword", "cpoauthorizationkey"}
_PIN_KIND = "KeyCode"
_USER_IN_URL = re.compile(r"//[^/@\s]+@")


class Redactor:
    """Hides what must not be kept.

    Parameters
    ----------
    pepper
        The server's secret.
    """

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def pseudonym(self, token: str) -> str:
        """Return what stands for a token."""
        digest = hmac.new(self._pepper, b"token " + fold_token(token).encode(), sha256).hexdigest()
        return f"token:{digest[:_PSEUDONYM_DIGITS]}"

    def redact(self, action: str | None, payload: Any) -> Any:
        """Return a payload without secrets; the given one stays as it is."""
        return self._walk(payload, action or "")

    def _walk(self, value: Any, inside: str) -> Any:
        if isinstance(value, dict):
            return self._walk_object(value, inside)
        if isinstance(value, list):
            return [self._walk(item, inside) for item in value]
        if isinstance(value, str) and "://" in value:
            return _USER_IN_URL.sub(f"//{HIDDEN}@", value)
        return value

    def _walk_object(self, document: dict[str, Any], inside: str) -> dict[str, Any]:
        secret_setting = _names_secret(document)
        hide_token: Callable[[str], str] = self.pseudonym
        if document.get("type") == _PIN_KIND:
            hide_token = _hide
        result: dict[str, Any] = {}
        for name, value in document.items():
            if isinstance(value, str):
                if name in _TOKENS:
                    result[name] = hide_token(value)
                    continue
                if _is_secret(name, inside) or (secret_setting and name in {"value", "attributeValue"}):
                    result[name] = HIDDEN
                    continue
            result[name] = self._walk(value, name)
        return result


def _hide(_value: str) -> str:
    return HIDDEN


def _is_secret(name: str, inside: str) -> bool:
    return name in _SECRETS and _SECRETS_IN.get(name, inside) == inside


def _names_secret(document: dict[str, Any]) -> bool:
    """Say whether an object sets or tells a secret setting: ``key`` in 1.6, ``variable.name`` in 2.x."""
    variable = document.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else document.get("key")
    return isinstance(name, str) and names_secret(name)


def names_secret(name: str) -> bool:
    """Say whether a setting of this name holds a secret."""
    return name.casefold() in _SECRET_SETTINGS
