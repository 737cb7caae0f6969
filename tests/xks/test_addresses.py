"""Where proxies may be: no caller can make this server connect into the network behind it."""

import asyncio
import socket

import pytest

from fuin.xks.addresses import Hosts, ProxyAddress, is_public
from fuin.xks.failure import Failure, FailureReason


def addresses(host: str, *entries: str) -> list[ProxyAddress]:
    """Return the addresses at which a host is asked."""

    async def main() -> list[ProxyAddress]:
        return await Hosts(entries).addresses(host)

    return asyncio.run(main())


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0",
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
    ],
)  # fmt: skip
def test_private_addresses_are_refused(host: str) -> None:
    """Loopback, link-local (the metadata service of clouds) and private addresses, however they are written."""
    with pytest.raises(Failure) as caught:
        addresses(host)
    assert caught.value.reason is FailureReason.FORBIDDEN


@pytest.mark.parametrize(
    "text",
    [
        "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::", "2001:db8::1", "::127.0.0.1",
        "192.0.2.1", "198.18.0.1", "240.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(text: str) -> None:
    """Also those that hold a private address inside an IPv6 one, and those for documentation and tests."""
    assert not is_public(text)


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2002:101:101::", "::ffff:1.1.1.1"])
def test_public_addresses(text: str) -> None:
    """The public Internet is where AWS asks."""
    assert is_public(text)


def test_public_address_is_taken() -> None:
    """A host at a public address is asked at port 443."""
    assert addresses("1.1.1.1") == [ProxyAddress(socket.AF_INET, "1.1.1.1", 443)]


def test_list_excludes_all_others() -> None:
    """With a list, other hosts are refused before the name server is asked."""
    for host in ("1.1.1.1", "other.example.test", "localhost"):
        with pytest.raises(Failure) as caught:
            addresses(host, "xks.example.test")
        assert caught.value.reason is FailureReason.FORBIDDEN


def test_listed_hosts() -> None:
    """A listed host may be anywhere; its entry may say where, and the case of names does not matter."""
    assert addresses("localhost.", "LocalHost")[0].port == 443
    assert addresses("XKS.example.test", "xks.example.test=127.0.0.1:8443") == [
        ProxyAddress(socket.AF_INET, "127.0.0.1", 8443)
    ]
    assert addresses("six", "six=[::1]:8443") == [ProxyAddress(socket.AF_INET6, "::1", 8443)]


def test_unknown_host_is_unreachable() -> None:
    """A name that nobody knows, and one that is no name, are not reachable."""
    for host in ("a..b", "x" * 64 + ".example.test"):
        with pytest.raises(Failure) as caught:
            addresses(host, host)
        assert caught.value.reason is FailureReason.UNREACHABLE


@pytest.mark.parametrize(
    "entry",
    ["", "=127.0.0.1:1", "https://x", "x=", "x=127.0.0.1", "x=host:443", "x=127.0.0.1:0", "x=127.0.0.1:70000", "ü"],
)
def test_entries_of_another_form(entry: str) -> None:
    """A setting that says nothing clear is refused at the start."""
    with pytest.raises(ValueError, match=r"not|appear"):
        Hosts([entry])
