"""`fuin group` and `fuin role`: list, show and remove them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, Yes, client_command
from fuin.cli.wire.show import confirm, print_json, print_table, print_values, say, time_text

Group = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
User = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]


@client_command("iam")
def list_groups(client: Client, json_output: JsonOutput = False) -> None:
    """List the account's groups.

    **Example**: `fuin group list`
    """
    found = list(client.items("list_groups", "the list of groups", "Groups"))
    if json_output:
        print_json(found)
    else:
        print_table(("group", "made", "arn"), [(each["GroupName"], each["CreateDate"], each["Arn"]) for each in found])


@client_command("iam")
def show_group(client: Client, name: Group) -> None:
    """Show a group: its users and policies.

    **Example**: `fuin group show readers`
    """
    about = f"group {name}"
    users = [each["UserName"] for each in client.items("get_group", about, "Users", GroupName=name)]
    policies = [str(each) for each in client.items("list_group_policies", about, "PolicyNames", GroupName=name)]
    attached = client.items("list_attached_group_policies", about, "AttachedPolicies", GroupName=name)
    policies += [each["PolicyArn"] for each in attached]
    print_values({"group": name, "users": " ".join(users) or "none", "policies": " ".join(policies) or "none"})


@client_command("iam")
def create_group(client: Client, name: Group) -> None:
    """Make a group.

    **Example**: `fuin group add readers`
    """
    client.ask("create_group", f"group {name}", GroupName=name)
    say(f"made the group {name}")


@client_command("iam")
def add_member(client: Client, name: Group, user: User) -> None:
    """Put a user into a group.

    **Example**: `fuin group join readers alice`
    """
    client.ask("add_user_to_group", f"group {name} or user {user}", GroupName=name, UserName=user)
    say(f"{user} is in {name}")


@client_command("iam")
def remove_member(client: Client, name: Group, user: User) -> None:
    """Take a user out of a group.

    **Example**: `fuin group leave readers alice`
    """
    client.ask("remove_user_from_group", f"group {name} or user {user}", GroupName=name, UserName=user)
    say(f"{user} is no longer in {name}")


@client_command("iam")
def remove_group(client: Client, name: Group, yes: Yes = False) -> None:
    """Remove a group with its own policies, after asking; its users stay.

    **Example**: `fuin group remove readers`
    """
    about = f"group {name}"
    users = list(client.items("get_group", about, "Users", GroupName=name))
    confirm(f"Remove the group {name}, which has {len(users)} users?", yes=yes)
    for user in users:
        client.ask("remove_user_from_group", about, GroupName=name, UserName=user["UserName"])
    for attached in list(client.items("list_attached_group_policies", about, "AttachedPolicies", GroupName=name)):
        client.ask("detach_group_policy", about, GroupName=name, PolicyArn=attached["PolicyArn"])
    for policy in list(client.items("list_group_policies", about, "PolicyNames", GroupName=name)):
        client.ask("delete_group_policy", about, GroupName=name, PolicyName=policy)
    client.ask("delete_group", about, GroupName=name)
    say(f"removed the group {name}")


@client_command("iam")
def list_roles(client: Client, json_output: JsonOutput = False) -> None:
    """List the account's roles.

    **Example**: `fuin role list`
    """
    found = list(client.items("list_roles", "the list of roles", "Roles"))
    if json_output:
        print_json(found)
    else:
        print_table(("role", "made", "arn"), [(each["RoleName"], each["CreateDate"], each["Arn"]) for each in found])


@client_command("iam")
def show_role(client: Client, name: Role) -> None:
    """Show a role: its policies, and who may assume it.

    **Example**: `fuin role show auditor`
    """
    about = f"role {name}"
    found = client.ask("get_role", about, RoleName=name)["Role"]
    policies = [str(each) for each in client.items("list_role_policies", about, "PolicyNames", RoleName=name)]
    attached = client.items("list_attached_role_policies", about, "AttachedPolicies", RoleName=name)
    policies += [each["PolicyArn"] for each in attached]
    trust = json.dumps(found["AssumeRolePolicyDocument"], ensure_ascii=False)
    print_values({
        "role": found["Arn"], "made": time_text(found["CreateDate"]),
        "longest session": f"{found.get('MaxSessionDuration', 3600)} seconds",
        "policies": " ".join(policies) or "none", "trust": trust,
    })  # fmt: skip


@client_command("iam")
def remove_role(client: Client, name: Role, yes: Yes = False) -> None:
    """Remove a role with its own policies, after asking.

    **Example**: `fuin role remove auditor`
    """
    about = f"role {name}"
    client.ask("get_role", about, RoleName=name)
    confirm(f"Remove the role {name}?", yes=yes)
    for attached in list(client.items("list_attached_role_policies", about, "AttachedPolicies", RoleName=name)):
        client.ask("detach_role_policy", about, RoleName=name, PolicyArn=attached["PolicyArn"])
    for policy in list(client.items("list_role_policies", about, "PolicyNames", RoleName=name)):
        client.ask("delete_role_policy", about, RoleName=name, PolicyName=policy)
    client.ask("delete_role", about, RoleName=name)
    say(f"removed the role {name}")
