"""Ports on loopback: free ones, remembered, and never from the range that outgoing connections are given."""

import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from contracts.errors import Misconfigured

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
_TRIES = 200


def free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def chosen(names: Iterable[str], remembered: Mapping[str, int], rng: random.Random) -> dict[str, int]:
    """A port per name: the remembered one where it is still free, else another. Raises Misconfigured without any.

    While a server restarts its port is free, and a client that reconnects from the same range may be given that very
    port, or even connect to itself; so ports lie below the range for outgoing connections.
    """
    lowest, highest = _below_outgoing()
    ports: dict[str, int] = {}
    for name in names:
        known = remembered.get(name)
        if known is not None and known not in ports.values() and free(known):
            ports[name] = known
            continue
        tries = (rng.randint(lowest, highest) for _ in range(_TRIES))
        others = {*ports.values(), *remembered.values()}
        port = next((port for port in tries if port not in others and free(port)), None)
        if port is None:
            raise Misconfigured(f"no free port between {lowest} and {highest} on {LOOPBACK} for {name}")
        ports[name] = port
    return ports


def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether somebody listens on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout_s).close()
    except OSError:
        return False
    return True


def _below_outgoing() -> tuple[int, int]:
    start = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return (_LOWEST, start - 1) if start > _LOWEST + 1_000 else (_LOWEST, 65_535)
