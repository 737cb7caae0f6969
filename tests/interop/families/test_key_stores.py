"""Custom key stores, as far as no proxy is needed: `tests/kms/test_custom_key_stores.py` has one, with boto3."""

import secrets

import pytest

from tests.interop.families.callers import Caller, code_of

pytestmark = pytest.mark.real
CREDENTIAL = {
    "AccessKeyId": "AKIAI2SFODNN7EXAMPLE",
    "RawSecretAccessKey": "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE",
}


def test_key_store_that_is_not_there(kms: Caller) -> None:
    """A proxy inside of the server's own network is not asked; a key store that there is none of is not found."""
    asked = {
        "CustomKeyStoreName": f"store {secrets.token_hex(4)}",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyUriEndpoint": "https://localhost",
        "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyAuthenticationCredential": CREDENTIAL,
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    }
    assert code_of(kms, "CreateCustomKeyStore", **asked) == "XksProxyInvalidConfigurationException"
    assert code_of(kms, "CreateCustomKeyStore", **asked | {"XksProxyUriPath": "/not/the/path"}) == "ValidationException"
    names = {store["CustomKeyStoreName"] for store in kms("DescribeCustomKeyStores")["CustomKeyStores"]}
    assert asked["CustomKeyStoreName"] not in names
    for operation in (
        "ConnectCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore", "DeleteCustomKeyStore",
    ):  # fmt: skip
        assert code_of(kms, operation, CustomKeyStoreId="cks-" + "0" * 17) == "CustomKeyStoreNotFoundException"
