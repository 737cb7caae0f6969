"""URLs of databases: several hosts, and TLS that verifies whom it talks to unless nobody can be between."""

import ssl

import pytest

from fuin.errors import StoreUnavailable
from fuin.store.engine.postgres.address import Address, is_local


def test_several_hosts_keep_their_order() -> None:
    """Each host has its port, or all have the one that is given."""
    address = Address.parse("postgresql://fuin:secret@db1:5433,db2:5434/kms")
    assert [(place["host"], place["port"]) for place in address.hosts] == [("db1", "5433"), ("db2", "5434")]
    assert {(place["user"], place["password"], place["dbname"]) for place in address.hosts} == {
        ("fuin", "secret", "kms")
    }
    shared = Address.parse("postgresql://db1,db2/kms?port=6000")
    assert [place["port"] for place in shared.hosts] == ["6000", "6000"]


def test_name_for_people_has_no_secret() -> None:
    """Messages name hosts and database alone."""
    assert Address.parse("postgresql://fuin:secret@db1:5433/kms").name == "postgresql://db1:5433/kms"


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://db1/kms", "verify-full"),
        ("postgresql://localhost,db2/kms", "verify-full"),
        ("postgresql://127.0.0.1,[::1]/kms", "prefer"),
        ("postgresql:///kms?host=/run/postgresql", "prefer"),
        ("postgresql://db1/kms?sslmode=require", "require"),
    ],
)
def test_a_network_is_verified_unless_told_otherwise(url: str, mode: str) -> None:
    """Without `sslmode` every host that is not this machine has to show its certificate."""
    assert {place["sslmode"] for place in Address.parse(url).hosts} == {mode}


def test_the_system_s_authorities_are_the_default() -> None:
    """A certificate is verified against what the system trusts, or what the URL names."""
    given = Address.parse("postgresql://db1/kms?sslrootcert=/ca.pem").hosts[0]
    assert given["sslrootcert"] == "/ca.pem"
    found = Address.parse("postgresql://db1/kms").hosts[0].get("sslrootcert")
    assert found in {None, ssl.get_default_verify_paths().cafile}


def test_libpq_s_variables_count_before_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGSSLMODE and PGSSLROOTCERT are what the URL leaves open; the URL counts before them."""
    monkeypatch.setenv("PGSSLROOTCERT", "/ca.pem")
    assert "sslrootcert" not in Address.parse("postgresql://db1/kms").hosts[0], "libpq takes it from the variable"
    monkeypatch.setenv("PGSSLMODE", "verify-ca")
    modes = {url: Address.parse(url).hosts[0]["sslmode"] for url in ("postgresql://db1/k", "postgresql://127.0.0.1/k")}
    assert set(modes.values()) == {"verify-ca"}
    assert Address.parse("postgresql://db1/kms?sslmode=require").hosts[0]["sslmode"] == "require"
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert Address.parse("postgresql://127.0.0.1/kms").hosts[0]["sslmode"] == "disable"
    assert Address.parse("postgresql://127.0.0.1,db1/kms").hosts[0]["sslmode"] == "verify-full", "only the URL can"


def test_no_variable_leads_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGHOSTADDR would lead past the host whose certificate is verified."""
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    with pytest.raises(StoreUnavailable, match="PGHOSTADDR"):
        Address.parse("postgresql://db1/kms")


@pytest.mark.parametrize(
    "url", ["mysql://db1/kms", "postgresql://db1:1,db2:2,db3/kms?port=1,2", "postgresql://db1/kms?nonsense=1"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """The refusal comes before anything is opened."""
    with pytest.raises(StoreUnavailable):
        Address.parse(url)


@pytest.mark.parametrize(
    "part", ["a:geheim@[::1/kms", "a:geheim%zz@db/kms", "a:b@db/kms?geheim=x", "a:b@db/kms?password=a=geheim"]
)
def test_a_refusal_shows_no_part_of_the_address(part: str) -> None:
    """It may be the password: libpq repeats what it cannot read."""
    with pytest.raises(StoreUnavailable) as refused:
        Address.parse(f"postgresql://{part}")
    assert "geheim" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", True),
        ("/run", True),
        ("localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("db", False),
    ],
)
def test_hosts_of_this_machine(host: str, local: bool) -> None:
    """A Unix socket and the loopback are this machine's."""
    assert is_local(host) is local
