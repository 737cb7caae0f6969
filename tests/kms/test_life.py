"""Random lives of keys against a small model: in whatever order it all comes, the service says what the model says."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fuin.kms.keys import expiry
from fuin.kms.material import imports, rotation
from tests.kms import life
from tests.kms.life import Blob, Life
from tests.support.place import ACCOUNT, REGION, Place

OTHER_REGION = "eu-west-1"
GRANTEE = f"arn:aws:iam::{ACCOUNT}:root"
CONTEXTS: tuple[dict[str, str], ...] = ({}, {"tenant": "1"}, {"tenant": "2", "purpose": "test"})
SEQUENCES, STEPS = (1000, 40) if os.environ.get("FUIN_LONG") else (4, 20)
WRAPPING = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
picks = st.integers(0, 1000)


def outcome(call: Callable[..., Any], **members: Any) -> tuple[str | None, Any]:
    """Return the error's code (None for a success) and the answer."""
    try:
        return None, call(**members)
    except ClientError as error:
        return error.response["Error"]["Code"], None


class Lives(RuleBasedStateMachine):
    """All operations of a key's life, on a few keys that live side by side."""

    place: Place  # one for all sequences; each makes keys of its own

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[Life] = []

    def kms(self, key: Life) -> Any:
        """Return the client of the key's Region."""
        return self.place.kms(region=key.region)

    def pick(self, number: int) -> Life:
        """Return one of the keys."""
        return self.keys[number % len(self.keys)]

    @initialize()
    def begin(self) -> None:
        """Begin with a key of each kind, so that short lives are worth something."""
        for kind in (life.SYMMETRIC, life.IMPORTED, life.SEVERAL):
            self.create(kind)
        self.bring(1, other=False, expires=False)

    @rule(kind=st.sampled_from([life.SYMMETRIC, life.IMPORTED, life.SIGNING, life.SEVERAL]))
    def create(self, kind: str) -> None:
        """Make a key."""
        kinds: dict[str, dict[str, Any]] = {
            life.SYMMETRIC: {},
            life.IMPORTED: {"Origin": "EXTERNAL"},
            life.SIGNING: {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
            life.SEVERAL: {"MultiRegion": True},
        }
        made = self.place.kms().create_key(**kinds[kind])["KeyMetadata"]
        key = Life(made["KeyId"], kind, REGION)
        if kind == life.IMPORTED:
            key.state = life.PENDING_IMPORT
        elif kind != life.SIGNING:
            key.materials.append(made["CurrentKeyMaterialId"])
        self.keys.append(key)

    @precondition(lambda self: self.keys)
    @rule(number=picks, enable=st.booleans())
    def switch(self, number: int, enable: bool) -> None:
        """EnableKey or DisableKey."""
        key = self.pick(number)
        kms = self.kms(key)
        code, _ = outcome(kms.enable_key if enable else kms.disable_key, KeyId=key.key_id)
        assert code == key.switch()
        if code is None:
            key.state = life.ENABLED if enable else life.DISABLED

    @precondition(lambda self: self.keys)
    @rule(number=picks)
    def schedule(self, number: int) -> None:
        """ScheduleKeyDeletion; a primary key waits for its replicas."""
        key = self.pick(number)
        code, _ = outcome(self.kms(key).schedule_key_deletion, KeyId=key.key_id, PendingWindowInDays=7)
        assert code == key.schedule()
        if code is None:
            waits = key.primary and len(self.related(key)) > 1
            key.state = life.PENDING_REPLICAS if waits else life.PENDING_DELETION

    def related(self, key: Life) -> list[Life]:
        """Return the key in all its Regions."""
        return [other for other in self.keys if other.key_id == key.key_id]

    @precondition(lambda self: self.keys)
    @rule(number=picks)
    def cancel(self, number: int) -> None:
        """CancelKeyDeletion."""
        key = self.pick(number)
        code, _ = outcome(self.kms(key).cancel_key_deletion, KeyId=key.key_id)
        assert code == key.cancel()
        if code is None:
            missing = key.kind == life.IMPORTED and not key.brought
            key.state = life.PENDING_IMPORT if missing else life.DISABLED

    @precondition(lambda self: any(key.state == life.PENDING_DELETION for key in self.keys))
    @rule(number=picks)
    def end(self, number: int) -> None:
        """Let a deletion date come: the key is gone, and a primary that waited for its last replica waits no more."""
        ending = [key for key in self.keys if key.state == life.PENDING_DELETION]
        key = ending[number % len(ending)]
        self.place.sql(
            "UPDATE keys SET deletion_date = 1 WHERE key_id = :id AND region = :region",
            id=key.key_id,
            region=key.region,
        )
        assert outcome(self.kms(key).describe_key, KeyId=key.key_id)[0] == life.GONE
        self.place.run(expiry.purge(self.place.services, time.time()))
        self.keys.remove(key)
        for blob in key.blobs:
            assert outcome(self.kms(key).decrypt, CiphertextBlob=blob.data, EncryptionContext=blob.context)[0]
        for other in self.related(key):
            if other.state == life.PENDING_REPLICAS and len(self.related(key)) == 1:
                other.state = life.PENDING_DELETION

    @precondition(lambda self: any(key.symmetric for key in self.keys))
    @rule(number=picks, context=st.sampled_from(CONTEXTS), data_key=st.booleans())
    def encrypt(self, number: int, context: dict[str, str], data_key: bool) -> None:
        """Encrypt or GenerateDataKey, under the current material."""
        able = [key for key in self.keys if key.symmetric]
        key = able[number % len(able)]
        named = {"KeyId": key.key_id, "EncryptionContext": context}
        if data_key:
            code, answer = outcome(self.kms(key).generate_data_key, **named, KeySpec="AES_256")
        else:
            code, answer = outcome(self.kms(key).encrypt, **named, Plaintext=b"plain")
        assert code == key.use()
        if code is None:
            blob = Blob(answer["CiphertextBlob"], answer.get("Plaintext", b"plain"), context, key.materials[-1])
            if data_key:
                assert answer["KeyMaterialId"] == key.materials[-1]
            key.blobs.append(blob)

    @precondition(lambda self: any(key.blobs for key in self.keys))
    @rule(number=picks, which=picks, spoil=st.booleans())
    def decrypt(self, number: int, which: int, spoil: bool) -> None:
        """Decrypt: a blob of whatever age opens under its own context, in every Region, and under no other."""
        with_blobs = [key for key in self.keys if key.blobs]
        made = with_blobs[number % len(with_blobs)]
        blob = made.blobs[which % len(made.blobs)]
        for key in self.related(made):
            context = {**blob.context, "spoilt": "1"} if spoil else blob.context
            code, answer = outcome(self.kms(key).decrypt, CiphertextBlob=blob.data, EncryptionContext=context)
            assert code == (key.use() or ("InvalidCiphertextException" if spoil else None))
            if code is None:
                assert (answer["Plaintext"], answer["KeyMaterialId"]) == (blob.plaintext, blob.material)

    @precondition(lambda self: any(not key.symmetric for key in self.keys))
    @rule(number=picks)
    def sign(self, number: int) -> None:
        """Sign, and Verify what was signed."""
        able = [key for key in self.keys if not key.symmetric]
        key = able[number % len(able)]
        asked = {"KeyId": key.key_id, "Message": b"message", "SigningAlgorithm": "ECDSA_SHA_256"}
        code, answer = outcome(self.kms(key).sign, **asked)
        assert code == key.use()
        if code is None:
            assert self.kms(key).verify(**asked, Signature=answer["Signature"])["SignatureValid"]

    @precondition(lambda self: self.keys)
    @rule(number=picks, enable=st.booleans())
    def configure_rotation(self, number: int, enable: bool) -> None:
        """EnableKeyRotation or DisableKeyRotation."""
        key = self.pick(number)
        kms = self.kms(key)
        code, _ = outcome(kms.enable_key_rotation if enable else kms.disable_key_rotation, KeyId=key.key_id)
        assert code == (key.configure_rotation() if enable else key.stop_rotation())
        if code is None:
            for other in self.related(key):
                other.rotating = enable

    @precondition(lambda self: any(key.rotating for key in self.keys))
    @rule(number=picks)
    def rotation_comes(self, number: int) -> None:
        """Let the date of a rotation come: an enabled key has new material in all its Regions, another waits."""
        rotating = [key for key in self.keys if key.rotating and key.primary]
        if not rotating:
            return
        key = rotating[number % len(rotating)]
        self.place.sql("UPDATE keys SET rotation_due = 1 WHERE key_id = :id", id=key.key_id)
        self.place.run(rotation.rotate_due(self.place.services, time.time()))
        self.note_rotation(key)

    def note_rotation(self, key: Life) -> None:
        """Read the current material, and see that it is new exactly if the key could rotate."""
        current = self.kms(key).describe_key(KeyId=key.key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
        assert (current not in key.materials) == (key.state == life.ENABLED)
        if key.state == life.ENABLED:
            for other in self.related(key):
                other.materials.append(current)
        else:
            self.place.sql("UPDATE keys SET rotation_due = 9e9 WHERE key_id = :id", id=key.key_id)

    @precondition(lambda self: any(key.kind != life.IMPORTED for key in self.keys))
    @rule(number=picks)
    def rotate(self, number: int) -> None:
        """RotateKeyOnDemand."""
        able = [key for key in self.keys if key.kind != life.IMPORTED]
        key = able[number % len(able)]
        code, _ = outcome(self.kms(key).rotate_key_on_demand, KeyId=key.key_id)
        assert code == key.rotate()
        if code is None:
            key.on_demand += 1
            self.note_rotation(key)

    def imported(self, number: int) -> Life | None:
        """Return a key that waits for its material or has some."""
        able = [key for key in self.keys if key.kind == life.IMPORTED and key.cancel() is not None]
        return able[number % len(able)] if able else None

    @rule(number=picks, other=st.booleans(), expires=st.booleans())
    def bring(self, number: int, other: bool, expires: bool) -> None:
        """ImportKeyMaterial: the first material is any, a later one must be the same."""
        key = self.imported(number)
        if key is None:
            return
        kms = self.kms(key)
        wanted = kms.get_parameters_for_import(KeyId=key.key_id, **WRAPPING)
        material = secrets.token_bytes(32) if other or not key.materials else self.brought[key.key_id]
        until: dict[str, Any] = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
        if expires:
            until = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": time.time() + 86_400}
        public = load_der_public_key(wanted["PublicKey"])
        assert isinstance(public, rsa.RSAPublicKey)
        sha256 = hashes.SHA256()
        wrapped = public.encrypt(material, padding.OAEP(padding.MGF1(sha256), sha256, None))
        code, answer = outcome(
            kms.import_key_material, KeyId=key.key_id, ImportToken=wanted["ImportToken"],
            EncryptedKeyMaterial=wrapped, ImportType="EXISTING_KEY_MATERIAL" if key.materials else "NEW_KEY_MATERIAL",
            **until,
        )  # fmt: skip
        assert code == ("IncorrectKeyMaterialException" if other and key.materials else None)
        if code is None:
            if not key.materials:
                key.materials.append(answer["KeyMaterialId"])
            assert answer["KeyMaterialId"] == key.materials[-1]
            self.brought[key.key_id] = key.brought = material
            if key.state == life.PENDING_IMPORT:
                key.state = life.ENABLED

    brought: dict[str, bytes] = {}  # noqa: RUF012 - key ids never come twice

    @rule(number=picks, expire=st.booleans())
    def take_back(self, number: int, expire: bool) -> None:
        """DeleteImportedKeyMaterial, or the end of its time: the key waits for its material again."""
        key = self.imported(number)
        if key is None or not key.brought:
            return
        if expire:
            past = "UPDATE {} SET valid_to = 1, expiration_model = 'KEY_MATERIAL_EXPIRES' WHERE key_id = :id"
            self.place.sql(past.format("materials"), id=key.key_id)
            self.place.sql(past.format("keys"), id=key.key_id)
            assert outcome(self.kms(key).encrypt, KeyId=key.key_id, Plaintext=b"x")[0] == life.INVALID
            self.place.run(imports.expire_due(self.place.services, time.time()))
        else:
            self.kms(key).delete_imported_key_material(KeyId=key.key_id)
        key.brought = b""
        key.state = life.PENDING_IMPORT

    @precondition(lambda self: any(key.kind == life.SEVERAL for key in self.keys))
    @rule(number=picks)
    def replicate(self, number: int) -> None:
        """ReplicateKey: the key with all its material is in another Region as well."""
        able = [key for key in self.keys if key.kind == life.SEVERAL and key.primary]
        if not able:
            return
        key = able[number % len(able)]
        code, _ = outcome(self.kms(key).replicate_key, KeyId=key.key_id, ReplicaRegion=OTHER_REGION)
        if key.use() is None and len(self.related(key)) > 1:
            assert code == "AlreadyExistsException"
            return
        assert code == key.use()
        if code is None:
            replica = Life(key.key_id, key.kind, OTHER_REGION, primary=False)
            replica.rotating, replica.materials = key.rotating, list(key.materials)
            self.keys.append(replica)

    @precondition(lambda self: self.keys)
    @rule(number=picks)
    def name(self, number: int) -> None:
        """CreateAlias; the name leads to the key."""
        key = self.pick(number)
        alias = f"alias/life-{secrets.token_hex(6)}"
        code, _ = outcome(self.kms(key).create_alias, AliasName=alias, TargetKeyId=key.key_id)
        assert code == key.alias()
        if code is None:
            key.aliases.add(alias)

    @precondition(lambda self: self.keys)
    @rule(number=picks)
    def grant(self, number: int) -> None:
        """CreateGrant, or RevokeGrant of one that there is."""
        key = self.pick(number)
        kms = self.kms(key)
        if key.grants:
            grant_id, token = key.grants.popitem()
            kms.revoke_grant(KeyId=key.key_id, GrantId=grant_id)
            code, _ = outcome(kms.describe_key, KeyId=key.key_id, GrantTokens=[token])
            assert code == "InvalidGrantTokenException"
            return
        operation = "Encrypt" if key.symmetric else "Sign"
        code, answer = outcome(kms.create_grant, KeyId=key.key_id, GranteePrincipal=GRANTEE, Operations=[operation])
        assert code == key.use()
        if code is None:
            key.grants[answer["GrantId"]] = answer["GrantToken"]
            kms.describe_key(KeyId=key.key_id, GrantTokens=[answer["GrantToken"]])

    @invariant()
    def every_key_is_as_the_model_says(self) -> None:
        """DescribeKey, ListAliases and ListGrants say what the model says."""
        for key in self.keys:
            kms = self.kms(key)
            shown = kms.describe_key(KeyId=key.key_id)["KeyMetadata"]
            assert (shown["KeyState"], shown["Enabled"]) == (key.state, key.state == life.ENABLED)
            assert shown.get("CurrentKeyMaterialId") == (key.materials[-1] if key.materials else None)
            named = {alias["AliasName"] for alias in kms.list_aliases(KeyId=key.key_id)["Aliases"]}
            assert named == key.aliases
            assert {grant["GrantId"] for grant in kms.list_grants(KeyId=key.key_id)["Grants"]} == set(key.grants)


def test_lives_of_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No sequence of operations makes the service and the model disagree."""
    with tempfile.TemporaryDirectory() as folder:
        Lives.place = Place(Path(folder) / "data")
        try:
            run_state_machine_as_test(
                Lives,
                settings=settings(
                    max_examples=SEQUENCES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            Lives.place.close()
