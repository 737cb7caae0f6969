"""A database of an earlier Fuin is brought up to date with everything that is in it."""

import base64
import json
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

import fuin.store.engine
from fuin.settings import Settings
from fuin.store.engine import migrate, sqlite
from fuin.store.identity import accounts, identities, managed_policies
from fuin.store.identity.users import User
from fuin.store.kms import keys, materials
from fuin.store.s3 import deletions, dependents, objects, parts
from fuin.store.s3.dependents import Totals
from fuin.store.s3.labels import Labels
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.objects import Object
from fuin.store.s3.parts import Part
from fuin.store.store import Store
from tests.store import values
from tests.store.versions_of_before import INSERT_VERSION, SINCE, VERSIONED_BUCKET, VERSIONS_OF_BEFORE

pytestmark = pytest.mark.sqlite_only("PostgreSQL has no database from before version 0.4.0")

KEY = {
    "key_id": "1234abcd-12ab-34cd-56ef-1234567890ab", "region": values.REGION, "account": values.ACCOUNT,
    "state": "Disabled", "description": "old", "spec": "SYMMETRIC_DEFAULT", "usage": "ENCRYPT_DECRYPT",
    "origin": "AWS_KMS", "manager": "CUSTOMER", "service": "", "multi_region": 0, "created": 7.0, "policy": "{}",
    "current_material": b"m" * 32,
}  # fmt: skip


def _at(path: Path, revision: str) -> None:
    """Make a database as it was at a revision."""
    sqlite.create_file(path)
    config = Config()
    config.set_main_option("script_location", str(Path(fuin.store.engine.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    engine = sqlite.make_engine(path)
    with engine.connect() as connection, connection.begin():
        sqlite.raw_of(connection).execute("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def old(settings: Settings) -> Settings:
    """Give a database of revision 0001 with a key, its material and a tag."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0001")
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO accounts VALUES (:account, 1.0)"), {"account": values.ACCOUNT})
        columns = ", ".join(KEY)
        connection.execute(text(f"INSERT INTO keys ({columns}) VALUES ({', '.join(f':{name}' for name in KEY)})"), KEY)
        connection.execute(text("INSERT INTO sealed_materials VALUES (1, :wrapped)"), {"wrapped": b"w" * 114})
        connection.execute(
            text("INSERT INTO materials VALUES (1, :key_id, :region, :material, 'SYMMETRIC_DEFAULT', 7.0, 'CURRENT')"),
            {"key_id": KEY["key_id"], "region": KEY["region"], "material": KEY["current_material"]},
        )
        connection.execute(
            text("INSERT INTO key_tags VALUES (:key_id, :region, 'team', 'blue')"),
            {"key_id": KEY["key_id"], "region": KEY["region"]},
        )
    engine.dispose()
    return settings


def test_a_key_of_the_first_version_is_as_it_was(old: Settings) -> None:
    """A key that was made before is found with its material and tags, and has none of what came later."""
    store = Store.open(old)
    try:
        assert migrate.revision(old.database) == migrate.HEAD
        key = store.read_sync(keys.find_key, str(KEY["key_id"]), values.REGION)
        assert key is not None
        assert (key.state, key.description, key.created, key.tags) == ("Disabled", "old", 7.0, (("team", "blue"),))
        later = (key.custom_key_store, key.primary_region, key.rotation_period, key.rotation_due, key.valid_to)
        assert later == (None,) * 5
        found = store.read_sync(materials.find_material, key.key_id, key.region, key.current_material)
        assert found is not None
        assert found.wrapped == b"w" * 114
    finally:
        store.close()


def test_users_of_an_earlier_version_are_as_they_were(settings: Settings) -> None:
    """Users, their access keys and policies are found after the change that made them identities."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0002")
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        for statement in (
            "INSERT INTO accounts VALUES ('123456789012', 1.0)",
            "INSERT INTO users VALUES ('123456789012', 'Ann', 'AIDAANN', 2.0), ('123456789012', 'ann', 'AIDA2', 3.0)",
            "INSERT INTO user_policies VALUES ('123456789012', 'Ann', 'inline', '{policy}')",
            "INSERT INTO access_keys VALUES ('AKIAROOT', '123456789012', NULL, 1, X'00ff', 4.0)",
            "INSERT INTO access_keys VALUES ('AKIAANN', '123456789012', 'Ann', 0, X'01fe', 5.0)",
        ):
            connection.execute(text(statement))
    engine.dispose()
    store = Store.open(settings)
    try:
        ann = User(values.ACCOUNT, "Ann", "AIDAANN", 2.0)
        assert store.read_sync(identities.page, User, values.ACCOUNT) == [
            ann,
            User(values.ACCOUNT, "ann", "AIDA2", 3.0),
        ]
        key, root = store.catalog().access_key("AKIAANN"), store.catalog().access_key("AKIAROOT")
        assert key is not None
        assert root is not None
        assert (key.principal.id, key.active, key.sealed_secret, key.created) == (ann.id, False, b"\x01\xfe", 5.0)
        assert (root.user, root.active, root.sealed_secret) == (None, True, b"\x00\xff")
        assert store.catalog().user_policies(key.principal) == ("{policy}",)
    finally:
        store.close()


def test_the_policies_of_aws_come_with_an_upgrade(settings: Settings) -> None:
    """A database of the version before has them afterwards, and no account more."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0003")
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO accounts VALUES (:account, 1.0)"), {"account": values.ACCOUNT})
    engine.dispose()
    store = Store.open(settings)
    try:
        assert store.read_sync(accounts.list_accounts) == [values.ACCOUNT]
        assert not store.read_sync(accounts.account_exists, accounts.AWS)
        found = store.read_sync(managed_policies.policies_of_aws, values.ACCOUNT)
        assert [policy.name for policy in found if policy.path != "/"] == ["ViewOnlyAccess"]
        document = store.catalog().managed_document(values.ACCOUNT, "arn:aws:iam::aws:policy/AdministratorAccess")
        assert document is not None
        assert json.loads(document)["Statement"] == [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    finally:
        store.close()


def test_buckets_of_before_have_no_public_access_block(settings: Settings) -> None:
    """Their public policies stay as they were; that there are no ACLs has always been so. Objects are STANDARD."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0004")
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        for statement in (
            "INSERT INTO accounts VALUES ('123456789012', 1.0)",
            "INSERT INTO buckets VALUES ('old', '123456789012', 'us-east-1', 2.0, NULL, '{}')",
            "INSERT INTO objects VALUES (1, 'old', X'6b', 'etag', 3, 4.0, '{}', '{}', '{}', NULL, NULL, 0)",
        ):
            connection.execute(text(statement))
    engine.dispose()
    store = Store.open(settings)
    try:
        bucket = store.catalog().bucket("old")
        assert bucket is not None
        assert bucket.policy == "{}"
        assert bucket.settings == (("ownershipControls", '{"ObjectOwnership":"BucketOwnerEnforced"}'),)
        found = store.read_sync(objects.get_object, ObjectName("old", "k"))
        assert found is not None
        assert (found.etag, found.labels.storage_class) == ("etag", None)
    finally:
        store.close()


def test_roles_of_before_are_no_service_s(settings: Settings) -> None:
    """Also one in the path of service-linked roles, which could be made then: its account still changes it."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0005")
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        for statement in (
            "INSERT INTO accounts VALUES ('123456789012', 1.0)",
            "INSERT INTO identities VALUES ('AR', '123456789012', 'role', 'Old', 'old', '/aws-service-role/', 2, NULL)",
            "INSERT INTO roles VALUES ('AR', '{}', 'old', 3600)",
        ):
            connection.execute(text(statement))
    engine.dispose()
    store = Store.open(settings)
    try:
        role = store.catalog().role(values.ACCOUNT, "Old")
        assert role is not None
        assert (role.id, role.description, role.service) == ("AR", "old", None)
    finally:
        store.close()


KEY_ARN = f"arn:aws:kms:us-east-1:123456789012:key/{KEY['key_id']}"


def test_objects_of_before_have_a_version_and_their_key(settings: Settings) -> None:
    """Objects, uploads and defaults are as they were, with parts, and say which KMS key they depend on."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0008")
    wrapped = base64.b64encode(b"\x01" + b"k" * 17 + b"m" * 32 + b"s" * 112).decode()
    kms = json.dumps({"algorithm": "aws:kms", "key": KEY_ARN, "context": {"a": "b"}, "blob": wrapped})
    default = json.dumps({"algorithm": "aws:kms", "key": KEY["key_id"], "bucket_key": False})
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        for statement in (
            "INSERT INTO accounts VALUES ('123456789012', 1.0)",
            "INSERT INTO buckets VALUES ('old', '123456789012', 'us-east-1', 2.0, :default, '{}')",
            "INSERT INTO buckets VALUES ('plain', '123456789012', 'us-east-1', 2.0, NULL, NULL)",
            "INSERT INTO objects VALUES (7, 'old', X'6b', 'etag', 30, 4.0, '{h}', '{m}', :kms, '{c}', 'u', 2, 'COLD')",
            "INSERT INTO objects VALUES (9, 'old', X'ff', 'e2', 0, 4.0, '{}', '{}', '{}', NULL, NULL, 0, NULL)",
            "INSERT INTO object_parts VALUES (7, 1, 'blob-1', 10, 11, 'p1', NULL, X'01', 3.0)",
            "INSERT INTO object_parts VALUES (7, 2, 'blob-2', 20, 21, 'p2', '{}', X'02', 3.5)",
            "INSERT INTO uploads VALUES ('up', 'old', X'6b', 5.0, 'arn', X'00', :kms, '{}', '{}', NULL, NULL, NULL)",
            "INSERT INTO upload_parts VALUES ('up', 1, 'blob-3', 5, 6, 'p', NULL, X'03', 3.0)",
        ):
            connection.execute(text(statement), {"kms": kms, "default": default})
    engine.dispose()
    store = Store.open(settings)
    try:
        name = ObjectName("old", "k", "null")
        obj = store.read_sync(objects.get_object, name)
        first, second = (
            Part("blob-1", 10, 11, 1, "p1", None, b"\x01", 3.0), Part("blob-2", 20, 21, 2, "p2", "{}", b"\x02", 3.5),
        )  # fmt: skip
        labels = Labels(headers="{h}", metadata="{m}", storage_class="COLD", tags=None, object_lock=None)
        assert obj == Object(name, "etag", 30, 4.0, labels, kms, "{c}", "u", 2, (first, second))
        assert store.read_sync(dependents.count, KEY_ARN) == Totals(1, 30, uploads=1, upload_bytes=5)
        [dependent] = store.read_sync(dependents.list_objects, KEY_ARN, b"m" * 32)
        assert dependent.name == name
        assert store.read_sync(dependents.list_buckets, [KEY_ARN]) == ["old"]
        assert store.write_sync(deletions.delete_object, name, None, 6.5).blobs == ["blob-1", "blob-2"]
        assert store.read_sync(parts.known_blobs, ["blob-1", "blob-2", "blob-3"]) == {"blob-3"}
    finally:
        store.close()


@pytest.mark.parametrize("damaged", ["", "not JSON", "null", "[]", '{"algorithm":1,"key":2,"blob":3}', "[" * 100_000])
def test_one_damaged_row_does_not_keep_a_server_from_starting(settings: Settings, damaged: str) -> None:
    """It depends on no key, and is what it was; the others have their columns."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0008")
    whole = json.dumps({"algorithm": "aws:kms", "key": KEY_ARN})
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        for statement in (
            "INSERT INTO accounts VALUES ('123456789012', 1.0)",
            "INSERT INTO buckets VALUES ('old', '123456789012', 'us-east-1', 2.0, :damaged, NULL)",
            "INSERT INTO objects VALUES (1, 'old', X'61', 'e1', 3, 4.0, '{}', '{}', :damaged, NULL, NULL, 0, NULL)",
            "INSERT INTO objects VALUES (2, 'old', X'62', 'e2', 5, 4.0, '{}', '{}', :whole, NULL, NULL, 0, NULL)",
            "INSERT INTO uploads VALUES ('up', 'old', X'6b', 5.0, 'a', X'00', :damaged, '{}', '{}', NULL, NULL, NULL)",
        ):
            connection.execute(text(statement), {"damaged": damaged, "whole": whole})
    engine.dispose()
    store = Store.open(settings)
    try:
        assert migrate.revision(settings.database) == migrate.HEAD
        obj = store.read_sync(objects.get_object, ObjectName("old", "a"))
        assert obj is not None
        assert obj.encryption == damaged
        assert store.read_sync(dependents.count, KEY_ARN) == Totals(1, 5)
    finally:
        store.close()


def test_versions_of_before_know_since_when_they_are_noncurrent(settings: Settings) -> None:
    """Since the next newer version was made; the newest one of a key has no such time."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    _at(settings.database, "0014")
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO accounts VALUES ('123456789012', 1.0)"))
        connection.execute(text(VERSIONED_BUCKET))
        for version in VERSIONS_OF_BEFORE:
            connection.execute(text(INSERT_VERSION), version)
    engine.dispose()
    store = Store.open(settings)
    try:
        query = text("SELECT modified, noncurrent_since FROM objects ORDER BY id")
        assert store.read_sync(lambda conn: [tuple(row) for row in conn.execute(query)]) == SINCE
    finally:
        store.close()
