"""Proofs at rest on the place of a test."""

from fuin.proof.data_keys import DataKeys
from fuin.proof.finding import Finding
from fuin.proof.proof import Counts, Proof
from fuin.proof.scope import Scope
from tests.support.place import Place


def prove(place: Place, scope: Scope | str = "", *, structure_only: bool = False) -> tuple[list[Finding], Counts]:
    """Return the findings of a proof, and how much was looked at; a text is the name of a bucket."""
    services, found = place.services, list[Finding]()
    keys = DataKeys(services)
    about = Scope(scope) if isinstance(scope, str) else scope
    proof = Proof(services.store, services.blobs, None if structure_only else keys, about, found.append)
    return found, place.run(proof.run())


def reasons(place: Place, scope: Scope | str = "", *, structure_only: bool = False) -> list[str]:
    """Return the kinds and the reasons of all findings."""
    return [f"{one.kind}: {one.reason}" for one in prove(place, scope, structure_only=structure_only)[0]]
