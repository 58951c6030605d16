"""What goes wrong on the way to another server, in words."""

from __future__ import annotations

import socket

import pytest

from ollapy.net.failures import ConnectionFailed, told_of


@pytest.mark.parametrize(
    ("errno", "passing"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)]
)
def test_a_host_that_is_not_found(errno: int, passing: bool) -> None:
    with pytest.raises(ConnectionFailed) as caught, told_of("hub.invalid"):
        raise socket.gaierror(errno, "Name or service not known")

    assert str(caught.value) == (
        "could not find hub.invalid, check the network: Name or service not known"
    )
    assert caught.value.passing is passing
