"""Buffers that are wiped, the bounded cache of them, and that nothing secret shows itself."""

from fuin.formats.wrapped import Material
from fuin.keyholder.backends.software.backend import CACHE_LIMIT, SoftwareBackend
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import UNUSED_LIMIT, KeyBytes, WipedCache, wipe
from fuin.keyholder.sealed.root_key import RootKey

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def item(name: str) -> KeyBytes:
    """Return key bytes that are not zero."""
    return KeyBytes(name, bytearray(b"\x55" * 32))


def new_material(backend: SoftwareBackend) -> Material:
    """Return fresh symmetric material, wrapped."""
    return backend.seal_material(KEY_ID, "SYMMETRIC_DEFAULT", backend.make_material("SYMMETRIC_DEFAULT"))


def test_wipe_in_place() -> None:
    """Wiping overwrites the same buffer, also through a view of it, and takes an empty one."""
    buffer = bytearray(b"secret")
    view = memoryview(buffer)
    wipe(buffer)
    assert bytes(view) == bytes(6)
    wipe(bytearray())


def test_least_recently_used_leaves_and_is_wiped() -> None:
    """The item that was not used for longest makes room; the others stay as they are."""
    cache: WipedCache[KeyBytes] = WipedCache(2)
    one, two, three = item("a"), item("b"), item("c")
    cache.put(b"1", one)
    cache.put(b"2", two)
    assert cache.get(b"1") is one
    cache.put(b"3", three)
    assert cache.get(b"2") is None
    assert bytes(two.key) == bytes(32)
    assert bytes(one.key) == bytes(three.key) == b"\x55" * 32
    assert len(cache) == 2


def test_forget_wipes_all_of_one_name() -> None:
    """All versions of a key's material go at once, and no other key's."""
    cache: WipedCache[KeyBytes] = WipedCache(9)
    old, new, other = item("key"), item("key"), item("other")
    for index, one in zip((b"1", b"2", b"3"), (old, new, other), strict=True):
        cache.put(index, one)
    cache.forget("key")
    assert bytes(old.key) == bytes(new.key) == bytes(32)
    assert cache.get(b"3") is other
    cache.clear()
    assert bytes(other.key) == bytes(32)
    assert len(cache) == 0


def test_what_nobody_uses_is_wiped() -> None:
    """An item leaves at its limit and not before; a use begins its time anew, and what is used stays."""
    now = 1000.0
    cache: WipedCache[KeyBytes] = WipedCache(9, lambda: now)
    used, unused, later = item("used"), item("unused"), item("later")
    cache.put(b"1", used)
    cache.put(b"2", unused)
    now += UNUSED_LIMIT - 1
    assert cache.get(b"1") is used
    cache.put(b"3", later)
    cache.wipe_unused()
    assert len(cache) == 3
    now += 1
    cache.wipe_unused()
    assert cache.get(b"2") is None
    assert bytes(unused.key) == bytes(32)
    assert bytes(used.key) == bytes(later.key) == b"\x55" * 32
    now += UNUSED_LIMIT
    cache.wipe_unused()
    assert len(cache) == 0
    assert bytes(used.key) == bytes(later.key) == bytes(32)


def test_backend_keeps_a_bounded_number() -> None:
    """Opening more material than the cache holds wipes the oldest, which still opens again."""
    backend = SoftwareBackend(RootKey(bytearray(range(32))))
    materials = [new_material(backend) for _ in range(CACHE_LIMIT + 1)]
    opened = [backend.material(material.encoded) for material in materials]
    assert bytes(opened[0].key) == bytes(32)
    assert all(any(one.key) for one in opened[1:])
    assert any(backend.material(materials[0].encoded).key)


def test_end_wipes_everything() -> None:
    """At its end the backend holds no key and no root key, and the scratch of derived keys is empty."""
    root = RootKey(bytearray(range(32)))
    backend = SoftwareBackend(root)
    opened = backend.material(new_material(backend).encoded)
    backend.wipe()
    assert bytes(opened.key) == bytes(root.key) == bytes(32)
    assert bytes(sealing._scratch) == bytes(64)


def test_nothing_secret_shows_itself() -> None:
    """The representation of what holds keys shows none of their bytes."""
    root = RootKey(bytearray(b"R" * 32))
    backend = SoftwareBackend(root)
    opened = backend.material(new_material(backend).encoded)
    assert repr(root) == "RootKey(...)"
    assert repr(opened) == "Symmetric(...)"


def test_every_sealing_has_its_own_salt_and_label() -> None:
    """The same bytes sealed twice differ in all parts, and no label opens what another sealed."""
    key = bytes(32)
    one, two = (sealing.seal(key, sealing.LABEL_BLOB, b"p", b"", b"text") for _ in range(2))
    assert one[1:33] != two[1:33]
    assert one[33:65] != two[33:65]
    assert one[65:] != two[65:]
    labels = [value for name, value in vars(sealing).items() if name.startswith("LABEL_")]
    assert len(labels) == len(set(labels)) >= 5
