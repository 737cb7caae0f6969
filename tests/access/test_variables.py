"""Policy variables: what they bring is literal, and what has no value matches nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.conditions import parse_conditions
from fuin.access.policy import PolicyKind, parse_policy
from fuin.access.question import Question
from fuin.access.statement import Statement
from fuin.access.wildcard import compile_pattern
from tests.access.builders import ANN, policy, statement

B = "arn:aws:s3:::b"


def own(resource: Any = "*", effect: str = "Allow", **more: Any) -> Statement:
    """Return the only statement of a user's policy."""
    return policy(PolicyKind.IDENTITY, statement("s3:*", resource, effect, **more)).statements[0]


def request(resource: str = B, **context: str | tuple[str, ...]) -> Question:
    """Return a question of Ann's; the names of condition keys have a double underscore for their colon."""
    return Question(ANN, "s3:GetObject", resource, {key.replace("__", ":"): value for key, value in context.items()})


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        (f"{B}/${{aws:username}}/*", f"{B}/ann/x", True),
        (f"{B}/${{aws:username}}/*", f"{B}/bob/x", False),
        (f"{B}/${{AWS:UserName}}/*", f"{B}/ann/x", True),  # names of keys are not case-sensitive
        (f"{B}/${{ aws:username }}", f"{B}/ann", True),
        (f"{B}/${{aws:userid}}-${{aws:username}}", f"{B}/AIDAANN-ann", True),
        (f"{B}/${{aws:PrincipalTag/team}}/*", f"{B}/x/y", False),  # no such tag
        (f"{B}/${{aws:PrincipalTag/team, 'all'}}/*", f"{B}/all/y", True),
        (f"{B}/${{aws:PrincipalTag/team,'all'}}/*", f"{B}/all/y", True),
        (f"{B}/${{aws:username, 'all'}}/*", f"{B}/all/y", False),
        (f"{B}/${{aws:PrincipalTag/team, 'a}}b,*'}}", f"{B}/a}}b,*", True),
        (f"{B}/${{aws:PrincipalTag/team, 'a}}b,*'}}", f"{B}/a}}b,c", False),  # a default is literal
        (f"{B}/${{*}}", f"{B}/*", True),
        (f"{B}/${{*}}", f"{B}/x", False),
        (f"{B}/${{?}}*", f"{B}/?x", True),
        (f"{B}/${{?}}*", f"{B}/xx", False),
        (f"{B}/?${{*}}?", f"{B}/a*b", True),
        (f"{B}/${{$}}{{aws:username}}", f"{B}/${{aws:username}}", True),
        (f"{B}/$aws:username", f"{B}/$aws:username", True),
    ],
)
def test_variable_in_a_resource(pattern: str, resource: str, expected: bool) -> None:
    """Variables, defaults and escaped characters in a Resource."""
    assert own(pattern).covers(request(resource)) is expected


def test_a_resource_without_a_value_is_none() -> None:
    """AWS: such a resource matches no resource; so NotResource leaves nothing out by it."""
    named = f"{B}/${{aws:PrincipalTag/team}}/*"
    assert not own(named, "Deny").covers(request(f"{B}/x/y"))
    item = {"Effect": "Allow", "Action": "s3:*", "NotResource": [named, f"{B}/z"]}
    compiled = policy(PolicyKind.IDENTITY, item).statements[0]
    assert compiled.covers(request(f"{B}/x/y"))
    assert not compiled.covers(request(f"{B}/z"))
    assert not compiled.covers(request(f"{B}/x/y", **{"aws:PrincipalTag/team": "x"}))


@pytest.mark.parametrize(
    ("operator", "wanted", "context", "expected"),
    [
        ("StringEquals", "${aws:username}", {"s3__prefix": "ann"}, True),
        ("StringEquals", "${aws:username}", {"s3__prefix": "Ann"}, False),
        ("StringEqualsIgnoreCase", "${aws:username}", {"s3__prefix": "ANN"}, True),
        ("StringLike", ["x", "${aws:username}/*"], {"s3__prefix": "ann/a"}, True),
        ("StringEquals", "${aws:ResourceTag/t}", {"s3__prefix": "a"}, False),
        # AWS's example: access is denied when the principal's tag is not set.
        ("StringNotEquals", "${aws:ResourceTag/t}", {"s3__prefix": "a"}, True),
        ("StringNotLike", "${aws:ResourceTag/t}*", {"s3__prefix": "a"}, True),
        ("StringNotEquals", ["a", "${aws:ResourceTag/t}"], {"s3__prefix": "a"}, False),
        ("StringEqualsIfExists", "${aws:ResourceTag/t}", {"s3__prefix": "a"}, False),
        ("ForAnyValue:StringEquals", "${aws:username}", {"s3__prefix": ("a", "ann")}, True),
        ("ForAllValues:StringEquals", "${aws:username}", {"s3__prefix": ("a", "ann")}, False),
        ("ForAllValues:StringEquals", ["a", "${aws:username}"], {"s3__prefix": ("a", "ann")}, True),
        ("ArnLike", "arn:aws:iam::${aws:PrincipalAccount}:*", {"s3__prefix": "arn:aws:iam::123456789012:x"}, True),
        ("ArnEquals", "${aws:PrincipalArn}", {"s3__prefix": ANN.arn}, True),  # a whole ARN may come from a variable
        ("ArnEquals", "arn:aws:iam:::${aws:ResourceTag/t}", {"s3__prefix": "arn:aws:iam:::x"}, False),
        ("Bool", "${aws:username}", {"s3__prefix": "true"}, None),
    ],
)
def test_variable_in_a_condition(operator: str, wanted: Any, context: dict[str, Any], expected: bool | None) -> None:
    """Variables in values of the operators of texts and ARNs; None where they are refused."""
    if expected is None:
        with pytest.raises(Exception, match="takes true or false"):
            parse_conditions({operator: {"s3:prefix": wanted}}, "here")
        return
    assert own(Condition={operator: {"s3:prefix": wanted}}).meets_conditions(request(**context)) is expected


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_variable_of_several_values(effect: str) -> None:
    """AWS takes keys of one value only: here an Allow does not apply, and a Deny does."""
    asked = request(f"{B}/x", aws__TagKeys=("a", "b"), s3__prefix="x")
    for operator in ("StringEquals", "StringNotEquals"):
        block = {operator: {"s3:prefix": "${aws:TagKeys}"}}
        assert own(effect=effect, Condition=block).meets_conditions(asked) is (effect == "Deny")
    assert own(f"{B}/${{aws:TagKeys}}", effect).covers(asked) is (effect == "Deny")


def test_the_old_version_has_no_variables() -> None:
    """In 2008-10-17, which is also the default, the text of a variable is text."""
    for version in ('"Version": "2008-10-17", ', ""):
        text = f'{{{version}"Statement": {{"Effect": "Allow", "Action": "s3:*", "Resource": "{B}/${{aws:username}}"}}}}'
        compiled = parse_policy(text, PolicyKind.IDENTITY).statements[0]
        assert compiled.covers(request(f"{B}/${{aws:username}}"))
        assert not compiled.covers(request(f"{B}/ann"))


_TEXT = st.text(alphabet="ab*?${}:/'", max_size=6)


@given(_TEXT, _TEXT, _TEXT, _TEXT)
def test_a_value_widens_nothing(before: str, value: str, after: str, text: str) -> None:
    """With a variable a pattern matches exactly what it matches when the value's characters are escaped."""
    before, after = before.replace("$", ""), after.replace("$", "")
    block = {"StringLike": {"s3:prefix": f"{before}${{s3:delimiter}}{after}"}}
    asked = request(s3__prefix=text, s3__delimiter=value)
    escaped = "".join(f"${{{character}}}" if character in "*?$" else character for character in value)
    literal = {"StringLike": {"s3:prefix": before + escaped + after}}
    found = own(Condition=block).meets_conditions(asked)
    assert found is own(Condition=literal).meets_conditions(asked)
    if found:
        assert compile_pattern(before + value + after)(text)


@given(_TEXT, _TEXT)
def test_equality_with_a_variable_is_equality(value: str, text: str) -> None:
    """StringEquals with nothing but a variable compares two values of the request."""
    asked = request(s3__prefix=text, s3__delimiter=value)
    assert own(Condition={"StringEquals": {"s3:prefix": "${s3:delimiter}"}}).meets_conditions(asked) is (text == value)
    assert own(Condition={"StringLike": {"s3:prefix": "${s3:delimiter}"}}).meets_conditions(asked) is (text == value)
