"""Whether a service asks for API keys, and whether there is one that could be used."""

from __future__ import annotations

import logging
import socket
from contextlib import closing
from ipaddress import IPv6Address, ip_address

from patchbank.errors import HistoryUnavailable, NoKeys
from patchbank.history.database import Database
from patchbank.history.keys import KeyRing
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")


def keys_are_asked_for(settings: Settings) -> bool:
    """What ``PATCHBANK_AUTH`` says; ``auto`` asks for keys where the service listens beyond loopback."""
    return settings.auth == "keys" or (settings.auth == "auto" and beyond_loopback(settings.host))


def require_a_key(settings: Settings) -> None:
    """Raise ``NoKeys`` where keys are asked for and there is none; ``HistoryUnavailable`` where that cannot be told."""
    if not keys_are_asked_for(settings):
        if beyond_loopback(settings.host):
            _LOG.warning(
                "whoever reaches %s, port %d, may do everything: PATCHBANK_AUTH=off", settings.host, settings.port
            )
        return
    if settings.admin_key.get_secret_value():
        return
    with closing(Database(settings)) as database:
        try:
            usable = KeyRing(database).usable()
        except HistoryUnavailable as error:
            raise HistoryUnavailable(f"no API key can be checked: {error.message}") from error
    if not usable:
        where = (
            f"the service would listen on {settings.host}, where others reach it"
            if settings.auth == "auto"
            else "PATCHBANK_AUTH=keys asks for one"
        )
        raise NoKeys(
            f"{where}, and there is no API key: make one with `patchbank keys create NAME --scope admin`, or set "
            "PATCHBANK_ADMIN_KEY; PATCHBANK_AUTH=off lets everybody in who reaches it"
        )


def beyond_loopback(host: str) -> bool:
    """Whether others than this machine may reach an address to listen on; a name counts by what it stands for."""
    try:
        return not is_loopback(host)
    except ValueError:
        pass
    try:
        places = {str(place[4][0]) for place in socket.getaddrinfo(host or None, None, flags=socket.AI_PASSIVE)}
    except (OSError, UnicodeError):
        return True
    return not all(is_loopback(place.partition("%")[0]) for place in places)


def is_loopback(address: str) -> bool:
    """Whether an IP address is one of loopback; ``ValueError`` where it is none."""
    parsed = ip_address(address)
    inner = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (inner or parsed).is_loopback
