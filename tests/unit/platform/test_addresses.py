"""Where a request comes from, when proxies stand in front."""

import pytest

from tallystick.platform.addresses import client_address, read_networks

OURS = read_networks("10.0.0.0/8, 192.168.1.7")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("203.0.113.9", "", "203.0.113.9", id="nobody in between"),
        pytest.param("203.0.113.9", "198.51.100.1", "203.0.113.9", id="who is no proxy is not believed"),
        pytest.param("10.0.0.1", "203.0.113.9", "203.0.113.9", id="one proxy"),
        pytest.param("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9", id="one proxy, as IPv6 writes it"),
        pytest.param("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9", id="what a caller wrote before"),
        pytest.param("10.0.0.1", "1.1.1.1,203.0.113.9,192.168.1.7", "203.0.113.9", id="two proxies"),
        pytest.param("10.0.0.1", "10.2.0.1", "10.2.0.1", id="the proxies' own request"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="a proxy that tells nothing"),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy(peer: str, forwarded: str, client: str) -> None:
    assert client_address(peer, forwarded, OURS) == client


def test_networks_are_networks() -> None:
    assert read_networks("") == ()
    with pytest.raises(ValueError, match="proxy"):
        read_networks("proxy.internal")
