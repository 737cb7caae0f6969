"""Where statements stand: the places that AWS's simulator has told of such documents."""

import json

import pytest

from fuin.access.positions import spans

ONE = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'  # noqa: E501
ADMINISTRATOR = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, indent=2
)


@pytest.mark.parametrize(
    ("document", "places"),
    [
        (ONE, [((1, 38), (1, 167))]),  # AWS CLI reference, simulate-custom-policy
        (ADMINISTRATOR, [((3, 17), (8, 6))]),  # what AWS answers for its policy AdministratorAccess
    ],
)
def test_places_are_those_of_aws(document: str, places: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Lines and columns count from 1, and begin after the bracket before the statement."""
    assert spans(document) == places


def test_each_statement_begins_where_the_one_before_ends() -> None:
    """Members before and after, strings with braces and escapes do not mislead."""
    statement = '{"Sid": "a}\\"]", "Effect": "Allow"}'
    document = f'{{"Id": "{{[", "Statement": [{statement} ,\n {statement}], "Version": "2012-10-17"}}'
    (first, last), (second, end) = spans(document)
    assert second == last
    assert (first.line, end.line) == (1, 2)
    assert end.column == len(statement) + 2
    assert document.splitlines()[0][first.column - 1 :].startswith(statement)
