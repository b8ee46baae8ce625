"""Fixtures and settings that every test shares; no seeds are set here, so unseeded randomness shows."""

import ipaddress
import os
import socket
import sys

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")

# Compilation by numba happens inside the first example, so a deadline would fail whichever test comes first.
settings.register_profile("suite", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("suite")


def refuse_network(event, arguments):
    """Let no test reach beyond this machine; datagram sockets send nothing when they connect."""
    if event != "socket.connect" or arguments[0].type != socket.SOCK_STREAM:
        return
    if arguments[0].family in {socket.AF_INET, socket.AF_INET6}:
        host = arguments[1][0]
        if host != "localhost" and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
            raise AssertionError(f"a test connects to {host}")


sys.addaudithook(refuse_network)


@pytest.fixture(autouse=True)
def _close_figures():
    """Close the figures a test left open: matplotlib warns, as an error here, from the twentieth on."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
