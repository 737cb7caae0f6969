"""Custom key stores with boto3: their life, their states, what is refused, and the keys in them."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fuin.testing.xks_proxy.manager import ExternalKey
from fuin.testing.xks_proxy.refusal import STATUSES
from fuin.testing.xks_proxy.server import Proxy, Server, Switches
from tests.kms.asking import refusal
from tests.kms.key_stores import ACCESS_KEY_ID, CREDENTIAL, ENDPOINT, HOST, SECRET, KeyStores, key_stores
from tests.support.place import OTHER_ACCOUNT, Place
from tests.support.policies import allow

INVALID_RESPONSE = "XksProxyInvalidResponseException"
UNREACHABLE = "XksProxyUriUnreachableException"
WRONG_STATE = "CustomKeyStoreInvalidStateException"


@pytest.fixture
def stores(place: Place, tmp_path: Path) -> Iterator[KeyStores]:
    """Give a proxy that the service may ask."""
    with key_stores(place, tmp_path) as made:
        yield made


def test_life_of_a_key_store(stores: KeyStores) -> None:
    """Created disconnected, connected, disconnected, deleted; the secret is in no answer."""
    kms = stores.kms
    store = stores.create(connected=False, CustomKeyStoreName="mine")
    assert store.startswith("cks-")
    entry = stores.entry(store)
    assert entry.pop("CreationDate")
    assert entry == {
        "CustomKeyStoreId": store,
        "CustomKeyStoreName": "mine",
        "ConnectionState": "DISCONNECTED",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConfiguration": {
            "Connectivity": "PUBLIC_ENDPOINT",
            "AccessKeyId": ACCESS_KEY_ID,
            "UriEndpoint": ENDPOINT,
            "UriPath": "/some-where/kms/xks/v1",
        },
    }
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert stores.entry(store)["ConnectionState"] == "CONNECTED"
    kms.connect_custom_key_store(CustomKeyStoreId=store)  # again, as AWS allows
    assert [asked.document["requestMetadata"]["kmsOperation"] for asked in stores.proxy.asked] == [
        "CreateCustomKeyStore", "ConnectCustomKeyStore",
    ]  # fmt: skip
    assert refusal(kms.delete_custom_key_store, CustomKeyStoreId=store)[0] == WRONG_STATE
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert refusal(kms.disconnect_custom_key_store, CustomKeyStoreId=store)[0] == WRONG_STATE
    kms.delete_custom_key_store(CustomKeyStoreId=store)
    for call in (kms.delete_custom_key_store, kms.connect_custom_key_store, kms.disconnect_custom_key_store):
        assert refusal(call, CustomKeyStoreId=store)[0] == "CustomKeyStoreNotFoundException"


def test_secret_is_stored_sealed(stores: KeyStores) -> None:
    """The proxy's secret stands neither in the database's files nor in the audit log."""
    stores.create()
    for path in stores.place.settings.data.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("name", "code", "connection_error"),
    [
        ("ValidationException", INVALID_RESPONSE, "XKS_PROXY_INVALID_RESPONSE"),
        ("InvalidStateException", INVALID_RESPONSE, "XKS_PROXY_NOT_REACHABLE"),
        ("InvalidCiphertextException", INVALID_RESPONSE, "XKS_PROXY_INVALID_RESPONSE"),
        ("InvalidKeyUsageException", INVALID_RESPONSE, "XKS_PROXY_INVALID_RESPONSE"),
        (
            "AuthenticationFailedException",
            "XksProxyIncorrectAuthenticationCredentialException",
            "INVALID_CREDENTIALS",
        ),
        ("AccessDeniedException", "XksProxyInvalidConfigurationException", "XKS_PROXY_ACCESS_DENIED"),
        ("KeyNotFoundException", INVALID_RESPONSE, "XKS_PROXY_INVALID_RESPONSE"),
        ("InvalidUriPathException", "XksProxyInvalidConfigurationException", "XKS_PROXY_INVALID_CONFIGURATION"),
        ("ThrottlingException", UNREACHABLE, "XKS_PROXY_NOT_REACHABLE"),
        ("InternalException", INVALID_RESPONSE, "XKS_PROXY_NOT_REACHABLE"),
        ("UnsupportedOperationException", INVALID_RESPONSE, "XKS_PROXY_INVALID_RESPONSE"),
        ("DependencyTimeoutException", UNREACHABLE, "XKS_PROXY_TIMED_OUT"),
    ],
)
def test_each_error_of_the_proxy(stores: KeyStores, name: str, code: str, connection_error: str) -> None:
    """CreateCustomKeyStore, UpdateCustomKeyStore and ConnectCustomKeyStore say what the proxy said, in AWS's terms."""
    assert name in STATUSES
    store = stores.create(connected=False)
    stores.proxy.switches = Switches(refuse=name)
    update = {"CustomKeyStoreId": store, "XksProxyAuthenticationCredential": CREDENTIAL}
    assert refusal(stores.kms.update_custom_key_store, **update)[0] == code
    stores.kms.connect_custom_key_store(CustomKeyStoreId=store)
    entry = stores.entry(store)
    assert (entry["ConnectionState"], entry["ConnectionErrorCode"]) == ("FAILED", connection_error)
    stores.place.sql("DELETE FROM custom_key_stores")
    assert refusal(stores.kms.create_custom_key_store, **stores.members())[0] == code


def test_failed_store_is_disconnected_first(stores: KeyStores) -> None:
    """After a failure: disconnect, then connect, as AWS asks; nothing else is taken meanwhile."""
    kms, store = stores.kms, stores.create(connected=False)
    stores.proxy.switches = Switches(hang_up=True)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert stores.entry(store)["ConnectionErrorCode"] == "XKS_PROXY_INVALID_RESPONSE"
    stores.proxy.switches = Switches()
    for call in (kms.connect_custom_key_store, kms.delete_custom_key_store):
        assert refusal(call, CustomKeyStoreId=store)[0] == WRONG_STATE
    rename = {"CustomKeyStoreId": store, "NewCustomKeyStoreName": "other"}
    assert refusal(kms.update_custom_key_store, **rename)[0] == WRONG_STATE
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert "ConnectionErrorCode" not in stores.entry(store)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert stores.entry(store)["ConnectionState"] == "CONNECTED"


def gone(stores: KeyStores) -> None:
    """Let the service ask a port where nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        stores.tell(reserved.getsockname()[1])


def hanging(stores: KeyStores) -> None:
    """Let the proxy take longer than AWS waits."""
    stores.tell(stores.server.port, 0.25)
    stores.proxy.switches = Switches(delay=3)


def unavailable(stores: KeyStores) -> None:
    """Let the proxy say that no key manager is there."""
    stores.proxy.switches = Switches(health="UNAVAILABLE")


@pytest.mark.parametrize(
    ("ill", "connection_error"),
    [(gone, "XKS_PROXY_NOT_REACHABLE"), (unavailable, "XKS_PROXY_NOT_REACHABLE"), (hanging, "XKS_PROXY_TIMED_OUT")],
)
def test_proxy_that_does_not_serve(stores: KeyStores, ill: Callable[[KeyStores], None], connection_error: str) -> None:
    """A proxy that is away, hangs or has no key manager is unreachable."""
    store = stores.create(connected=False)
    ill(stores)
    stores.kms.connect_custom_key_store(CustomKeyStoreId=store)
    entry = stores.entry(store)
    assert entry["ConnectionState"] == "FAILED"
    if ill is hanging:  # which of the two a busy machine sees, depends on how fast it shakes hands
        assert entry["ConnectionErrorCode"] in {connection_error, "XKS_PROXY_NOT_REACHABLE"}
    else:
        assert entry["ConnectionErrorCode"] == connection_error
    stores.place.sql("DELETE FROM custom_key_stores")
    assert refusal(stores.kms.create_custom_key_store, **stores.members())[0] == UNREACHABLE


def test_wrong_certificate(stores: KeyStores) -> None:
    """A certificate of another name is no TLS connection."""
    store = stores.create(connected=False)
    with Server(stores.proxy, *stores.authority.certificate("other.example.test")) as server:
        stores.tell(server.port)
        stores.kms.connect_custom_key_store(CustomKeyStoreId=store)
        assert stores.entry(store)["ConnectionErrorCode"] == "XKS_PROXY_INVALID_TLS_CONFIGURATION"


def test_wrong_credential(stores: KeyStores) -> None:
    """The proxy must know the credential."""
    wrong = {**CREDENTIAL, "RawSecretAccessKey": SECRET[::-1]}
    code, message = refusal(
        stores.kms.create_custom_key_store, **stores.members(XksProxyAuthenticationCredential=wrong)
    )
    assert code == "XksProxyIncorrectAuthenticationCredentialException"
    assert message.startswith("The external key store proxy rejected the request because it could not authenticate")


def test_host_that_is_not_allowed(stores: KeyStores) -> None:
    """Only hosts that the administrator lists are asked: a caller cannot look around in the server's network."""
    for endpoint in ("https://localhost", "https://127.0.0.1", "https://169.254.169.254", "https://10.0.0.1"):
        code, _ = refusal(stores.kms.create_custom_key_store, **stores.members(XksProxyUriEndpoint=endpoint))
        assert code == "XksProxyInvalidConfigurationException"
    assert stores.proxy.asked == []


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"XksProxyUriEndpoint": f"http://{HOST}"}, "ValidationException"),
        ({"XksProxyUriEndpoint": f"https://{HOST}:8443"}, "ValidationException"),
        ({"XksProxyUriEndpoint": f"https://user@{HOST}"}, "ValidationException"),
        ({"XksProxyUriPath": "/kms/xks/v1/"}, "ValidationException"),
        ({"XksProxyUriPath": "/a b/kms/xks/v1"}, "ValidationException"),
        ({"XksProxyUriEndpoint": None}, "ValidationException"),
        ({"XksProxyUriPath": None}, "ValidationException"),
        ({"XksProxyConnectivity": None}, "ValidationException"),
        ({"XksProxyAuthenticationCredential": None}, "ValidationException"),
        ({"XksProxyAuthenticationCredential": {**CREDENTIAL, "AccessKeyId": "short"}}, "ValidationException"),
        ({"XksProxyAuthenticationCredential": {"AccessKeyId": ACCESS_KEY_ID}}, "ValidationException"),
        ({"KeyStorePassword": "password"}, "ValidationException"),
        ({"XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-1"}, "ValidationException"),
        ({"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}, "ValidationException"),
        (
            {
                "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
                "XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-1",
            },
            "XksProxyVpcEndpointServiceNotFoundException",
        ),
        ({"CustomKeyStoreName": None}, "ValidationException"),
        ({"CustomKeyStoreType": "AWS_CLOUDHSM"}, "ValidationException"),
    ],
)
def test_members_that_are_refused(stores: KeyStores, members: dict[str, Any], code: str) -> None:
    """What the model or the type of key store does not allow is refused before the proxy is asked."""
    given = {name: value for name, value in stores.members(**members).items() if value is not None}
    found, message = refusal(stores.kms.create_custom_key_store, **given)
    assert found == code
    assert SECRET not in message
    assert stores.proxy.asked == []


def test_cloudhsm_cluster_is_not_found(stores: KeyStores) -> None:
    """A key store of the other type answers as AWS does for a cluster that is not there."""
    members = {
        "CustomKeyStoreName": "hsm", "CloudHsmClusterId": "cluster-1a23b4cdefg", "KeyStorePassword": "kmsPswd",
        "TrustAnchorCertificate": "-",
    }  # fmt: skip
    members["CloudHsmClusterId"] = "cluster-a2345bcdefg"
    assert refusal(stores.kms.create_custom_key_store, **members)[0] == "CloudHsmClusterNotFoundException"
    assert refusal(stores.kms.create_custom_key_store, CustomKeyStoreName="hsm")[0] == "ValidationException"


def test_names_and_addresses_are_unique(stores: KeyStores) -> None:
    """Neither a name nor an address of a proxy is given twice in an account and Region; also not by an update."""
    other = Proxy("/other", credentials=stores.proxy.credentials)
    with Server(other, *stores.authority.certificate(HOST)) as server:
        first = stores.entry(stores.create())
        name, kms = first["CustomKeyStoreName"], stores.kms
        again = stores.members(CustomKeyStoreName=name, XksProxyUriPath="/other/kms/xks/v1")
        assert refusal(kms.create_custom_key_store, **again)[0] == "CustomKeyStoreNameInUseException"
        assert refusal(kms.create_custom_key_store, **stores.members())[0] == "XksProxyUriInUseException"
        loud = stores.members(XksProxyUriEndpoint=f"https://{HOST.upper()}")
        assert refusal(kms.create_custom_key_store, **loud)[0] == "XksProxyUriInUseException"
        stores.tell(server.port)
        second = stores.create(connected=False, XksProxyUriPath="/other/kms/xks/v1")
        taken = {"CustomKeyStoreId": second, "NewCustomKeyStoreName": name}
        assert refusal(kms.update_custom_key_store, **taken)[0] == "CustomKeyStoreNameInUseException"
        same = {"CustomKeyStoreId": second, "XksProxyUriPath": stores.proxy.path}
        assert refusal(kms.update_custom_key_store, **same)[0] == "XksProxyUriInUseException"
    assert len(kms.describe_custom_key_stores()["CustomKeyStores"]) == 2


def copies(stores: KeyStores, count: int) -> None:
    """Add copies of the only key store, behind the service's back: cks-z0 with the name n0 and so on."""
    columns = "account, region, s.type, state, error_code, created, settings, sealed_secret"
    for number in range(count):
        given = columns.replace("region,", f"region, 'n{number}',")
        stores.place.sql(
            f"INSERT INTO custom_key_stores (id, account, region, name, type, state, error_code, created, settings,"
            f" sealed_secret) SELECT 'cks-z{number}', {given} FROM custom_key_stores AS s WHERE id NOT LIKE 'cks-z%'"
        )


def test_quota(stores: KeyStores) -> None:
    """Ten key stores for each account and Region, as AWS has it."""
    stores.create(connected=False)
    copies(stores, 9)
    fresh = stores.members(XksProxyUriPath="/other/kms/xks/v1")
    stores.proxy.prefix = "/other"
    assert refusal(stores.kms.create_custom_key_store, **fresh)[0] == "LimitExceededException"


def test_list_is_paged(stores: KeyStores) -> None:
    """A page at a time, each store once; a marker of another list is refused."""
    first = stores.create()
    copies(stores, 4)
    kms, seen = stores.kms, []
    page = kms.describe_custom_key_stores(Limit=2)
    while page["Truncated"]:
        assert len(page["CustomKeyStores"]) == 2
        seen += page["CustomKeyStores"]
        page = kms.describe_custom_key_stores(Limit=2, Marker=page["NextMarker"])
    assert "NextMarker" not in page
    found = [entry["CustomKeyStoreId"] for entry in seen + page["CustomKeyStores"]]
    assert sorted(found) == sorted({first, *(f"cks-z{n}" for n in range(4))})
    (named,) = kms.describe_custom_key_stores(CustomKeyStoreName="n2")["CustomKeyStores"]
    assert named["CustomKeyStoreId"] == "cks-z2"
    assert refusal(kms.describe_custom_key_stores, Marker="x")[0] == "InvalidMarkerException"
    both = {"CustomKeyStoreId": first, "CustomKeyStoreName": "n2"}
    assert refusal(kms.describe_custom_key_stores, **both)[0] == "ValidationException"
    for one in ({"CustomKeyStoreId": "cks-0"}, {"CustomKeyStoreName": "nothing"}):
        assert refusal(kms.describe_custom_key_stores, **one)[0] == "CustomKeyStoreNotFoundException"


def test_update(stores: KeyStores) -> None:
    """Name, credential and path change at any time, the endpoint only while disconnected; the proxy must be well."""
    kms, store = stores.kms, stores.create()
    kms.update_custom_key_store(CustomKeyStoreId=store, NewCustomKeyStoreName="new name")
    assert stores.entry(store)["CustomKeyStoreName"] == "new name"
    assert len(stores.proxy.asked) == 2  # for a new name the proxy is not asked
    fresh = {"AccessKeyId": "B" * 20, "RawSecretAccessKey": "y" * 43}
    stores.proxy.credentials["B" * 20] = "y" * 43
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=fresh)
    del stores.proxy.credentials[ACCESS_KEY_ID]
    assert stores.entry(store)["XksProxyConfiguration"]["AccessKeyId"] == "B" * 20
    stores.proxy.prefix = "/moved"
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriPath="/moved/kms/xks/v1")
    assert stores.proxy.asked[-1].document["requestMetadata"]["kmsOperation"] == "UpdateCustomKeyStore"
    bad = {"CustomKeyStoreId": store, "XksProxyUriPath": "/nowhere/kms/xks/v1"}
    assert refusal(kms.update_custom_key_store, **bad)[0] == "XksProxyInvalidConfigurationException"
    move = {"CustomKeyStoreId": store, "XksProxyUriEndpoint": ENDPOINT}
    assert refusal(kms.update_custom_key_store, **move)[0] == WRONG_STATE
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.update_custom_key_store(**move)
    hsm = {"CustomKeyStoreId": store, "KeyStorePassword": "kmsPswd"}
    assert refusal(kms.update_custom_key_store, **hsm)[0] == "ValidationException"
    vpc = {"CustomKeyStoreId": store, "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}
    assert refusal(kms.update_custom_key_store, **vpc)[0] == "XksProxyVpcEndpointServiceNotFoundException"
    missing = {"CustomKeyStoreId": "cks-0", "NewCustomKeyStoreName": "x"}
    assert refusal(kms.update_custom_key_store, **missing)[0] == "CustomKeyStoreNotFoundException"
    assert stores.entry(store)["XksProxyConfiguration"]["UriPath"] == "/moved/kms/xks/v1"


def test_rights(stores: KeyStores) -> None:
    """Each operation needs its own right, on all resources; the other account sees nothing of the store."""
    store = stores.create(connected=False)
    one = {"CustomKeyStoreId": store}
    calls: dict[str, dict[str, Any]] = {
        "create_custom_key_store": stores.members(), "connect_custom_key_store": one,
        "disconnect_custom_key_store": one, "delete_custom_key_store": one, "describe_custom_key_stores": one,
        "update_custom_key_store": {**one, "NewCustomKeyStoreName": "x"},
    }  # fmt: skip
    nobody = stores.place.kms(stores.place.add_user())
    stranger = stores.place.kms(stores.place.add_user(allow("kms:*"), OTHER_ACCOUNT))
    for name, members in calls.items():
        code, message = refusal(getattr(nobody, name), **members)
        assert code == "AccessDeniedException"
        assert f"kms:{''.join(word.title() for word in name.split('_'))}" in message
        if name != "create_custom_key_store":
            assert refusal(getattr(stranger, name), **members)[0] == "CustomKeyStoreNotFoundException"
    assert stranger.describe_custom_key_stores()["CustomKeyStores"] == []
    elsewhere = stores.place.kms(region="eu-west-1")
    assert elsewhere.describe_custom_key_stores()["CustomKeyStores"] == []
    assert refusal(elsewhere.connect_custom_key_store, **one)[0] == "CustomKeyStoreNotFoundException"


def test_key_in_an_external_key_store(stores: KeyStores) -> None:
    """CreateKey asks the proxy about the external key; DescribeKey tells where it is, and when it is not usable."""
    kms, store = stores.kms, stores.create()
    stores.proxy.manager.add("outer")
    made = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="outer")["KeyMetadata"]
    assert stores.proxy.asked[-1].document["requestMetadata"]["kmsOperation"] == "CreateKey"
    assert made["CustomKeyStoreId"] == store
    assert made["XksKeyConfiguration"] == {"Id": "outer"}
    assert (made["Origin"], made["KeyState"], made["Enabled"]) == ("EXTERNAL_KEY_STORE", "Enabled", True)
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"] == made
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    found = kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]
    assert (found["KeyState"], found["Enabled"]) == ("Unavailable", False)
    kms.disable_key(KeyId=made["KeyId"])
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["KeyState"] == "Unavailable"
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"


def test_store_with_keys_is_not_deleted(stores: KeyStores) -> None:
    """Not while it has a key, also one that waits for its deletion; when that has passed, it goes."""
    kms, store = stores.kms, stores.create()
    key = stores.key(store)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert refusal(kms.delete_custom_key_store, CustomKeyStoreId=store)[0] == "CustomKeyStoreHasCMKsException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert refusal(kms.delete_custom_key_store, CustomKeyStoreId=store)[0] == "CustomKeyStoreHasCMKsException"
    stores.place.sql("DELETE FROM keys WHERE key_id = :id", id=key)
    kms.delete_custom_key_store(CustomKeyStoreId=store)


@pytest.mark.parametrize(
    "key",
    [
        ExternalKey(spec="AES_128"),
        ExternalKey(status="DISABLED"),
        ExternalKey(usage=("ENCRYPT",)),
        ExternalKey(usage=("DECRYPT", "WRAP")),
        ExternalKey(usage=()),
    ],
)
def test_external_keys_that_do_not_fit(stores: KeyStores, key: ExternalKey) -> None:
    """AES-256, enabled, for both operations: nothing else."""
    store = stores.create()
    stores.proxy.manager.add("other", key)
    members = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "other"}
    assert refusal(stores.kms.create_key, **members)[0] == "XksKeyInvalidConfigurationException"


@pytest.mark.parametrize(
    ("switches", "code"),
    [
        (Switches(refuse="KeyNotFoundException"), "XksKeyNotFoundException"),
        (Switches(refuse="InvalidStateException"), "XksKeyInvalidConfigurationException"),
        (Switches(refuse="InvalidKeyUsageException"), "XksKeyInvalidConfigurationException"),
        (Switches(refuse="UnsupportedOperationException"), "XksKeyInvalidConfigurationException"),
        (Switches(refuse="AccessDeniedException"), WRONG_STATE),
        (Switches(refuse="AuthenticationFailedException"), WRONG_STATE),
        (Switches(refuse="ThrottlingException"), WRONG_STATE),
        (Switches(refuse="InternalException"), WRONG_STATE),
        (Switches(raw=(200, b"{}")), WRONG_STATE),
    ],
    ids=str,
)
def test_create_key_says_what_the_proxy_said(stores: KeyStores, switches: Switches, code: str) -> None:
    """Each failure is the error that the specification names, as far as the model has it for CreateKey."""
    store = stores.create()
    stores.proxy.manager.add("one")
    stores.proxy.switches = switches
    members = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "one"}
    assert refusal(stores.kms.create_key, **members)[0] == code


def test_keys_that_are_not_made(stores: KeyStores) -> None:
    """A key of another kind, without an external key, of one in use, or in a store that is not connected."""
    kms, store = stores.kms, stores.create()
    stores.proxy.manager.add("used")
    good = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "used"}
    kms.create_key(**good)
    assert refusal(kms.create_key, **good)[0] == "XksKeyAlreadyInUseException"
    unsupported = "UnsupportedOperationException"
    for members, code in (
        ({"XksKeyId": "absent"}, "XksKeyNotFoundException"),
        ({"XksKeyId": ".."}, "XksKeyNotFoundException"),
        ({"MultiRegion": True}, unsupported),
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, unsupported),
        ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, unsupported),
        ({"CustomKeyStoreId": "cks-0"}, "CustomKeyStoreNotFoundException"),
        ({"Origin": "AWS_CLOUDHSM"}, "ValidationException"),
        ({"Origin": "AWS_KMS"}, "ValidationException"),
    ):
        assert refusal(kms.create_key, **{**good, **members})[0] == code, members
    for origin in ("AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM"):
        assert refusal(kms.create_key, Origin=origin, CustomKeyStoreId=store)[0] == unsupported
    without = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store}
    assert refusal(kms.create_key, **without)[0] == "ValidationException"
    assert refusal(kms.create_key, Origin="EXTERNAL_KEY_STORE", XksKeyId="x")[0] == "ValidationException"
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    stores.proxy.manager.add("free")
    code, message = refusal(kms.create_key, **{**good, "XksKeyId": "free"})
    assert code == WRONG_STATE
    assert "not connected to its external key store proxy" in message


def test_random_bytes_are_not_made_outside(stores: KeyStores) -> None:
    """An external key store has no random bytes; AWS says the same."""
    store = stores.create()
    code = refusal(stores.kms.generate_random, NumberOfBytes=8, CustomKeyStoreId=store)[0]
    assert code == "UnsupportedOperationException"


def test_store_that_goes_while_a_key_is_made(stores: KeyStores) -> None:
    """The proxy's answer takes its time: what another request has changed meanwhile counts."""
    kms, store = stores.kms, stores.create()
    stores.proxy.manager.add("one")
    members = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "one"}

    def meanwhile(statement: str) -> Switches:
        return Switches(only="metadata", change=lambda _: stores.place.sql(statement))

    stores.proxy.switches = meanwhile("UPDATE custom_key_stores SET state = 'DISCONNECTED'")
    assert refusal(kms.create_key, **members)[0] == WRONG_STATE
    stores.proxy.switches = Switches()
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    stores.proxy.switches = meanwhile(
        "UPDATE keys SET custom_key_store = (SELECT id FROM custom_key_stores), xks_key_id = 'one'"
        f" WHERE key_id = '{other}'"
    )
    assert refusal(kms.create_key, **members)[0] == "XksKeyAlreadyInUseException"
    stores.place.sql("DELETE FROM keys WHERE custom_key_store IS NOT NULL")
    stores.proxy.switches = meanwhile("DELETE FROM custom_key_stores")
    assert refusal(kms.create_key, **members)[0] == "CustomKeyStoreNotFoundException"


def test_store_that_goes_while_it_is_changed(stores: KeyStores) -> None:
    """The same for the operations on the key store itself."""
    kms, store = stores.kms, stores.create(connected=False)
    fresh = {"CustomKeyStoreId": store, "XksProxyUriEndpoint": ENDPOINT, "XksProxyAuthenticationCredential": CREDENTIAL}
    stores.proxy.credentials["B" * 20] = "y" * 43
    fresh["XksProxyAuthenticationCredential"] = {"AccessKeyId": "B" * 20, "RawSecretAccessKey": "y" * 43}
    state = "UPDATE custom_key_stores SET state = 'CONNECTED'"
    stores.proxy.switches = Switches(change=lambda _: stores.place.sql(state))
    assert refusal(kms.update_custom_key_store, **fresh)[0] == WRONG_STATE
    stores.place.sql("UPDATE custom_key_stores SET state = 'DISCONNECTED'")
    assert refusal(kms.connect_custom_key_store, CustomKeyStoreId=store)[0] == WRONG_STATE
    stores.place.sql("UPDATE custom_key_stores SET state = 'DISCONNECTED'")
    stores.proxy.switches = Switches(change=lambda _: stores.place.sql("DELETE FROM custom_key_stores"))
    assert refusal(kms.connect_custom_key_store, CustomKeyStoreId=store)[0] == "CustomKeyStoreNotFoundException"
