"""Which addresses may be connected to: a feed or a redirect must not reach into the own network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpcore

from extract._outcomes import FixError

_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of a URL.

    Raises:
        FixError: it is no http or https URL with a host; `file:`, `javascript:` and the like.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FixError(f"{url[:200]!r} is not a URL ({error}).", "Correct it.") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise FixError(
            f"{url[:200]!r} is refused: only http and https addresses with a host are fetched.",
            "Correct the address.",
        )
    return parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme]


class PublicBackend(httpcore.SyncBackend):
    """Opens connections to public addresses, and to the origins that the settings name.

    The address is looked up, checked and connected to here, so a name that resolves to another
    address a moment later gains nothing.
    """

    def __init__(self, allowed: Iterable[tuple[str, int]]) -> None:
        self._allowed = frozenset(allowed)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if (host.lower(), port) in self._allowed:
            return super().connect_tcp(host, port, timeout, local_address, socket_options)
        failure: Exception | None = None
        for address in public_addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")


def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, in the resolver's order.

    Raises:
        FixError: one of them is private, loopback, link-local or otherwise not public.
        httpcore.ConnectError: the name cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved ({error})") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address):
            raise FixError(
                f"The address of {host} is refused: {address} is not public.",
                "Only an origin that the settings themselves name may lie in a private network.",
            )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is reachable from everywhere; IPv6 forms of IPv4 count as that."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return parsed.is_global and not parsed.is_multicast
