"""`fuin user`: list, show and remove users, and their access keys. `add` and `policy` work on the data folder."""

from __future__ import annotations

from typing import Annotated

import typer

from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, Yes, client_command
from fuin.cli.wire.show import confirm, print_json, print_table, print_values, say, time_text

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
KeyId = Annotated[str, typer.Argument(metavar="ACCESS_KEY_ID", help="The access key's id.")]


@client_command("iam")
def list_users(client: Client, json_output: JsonOutput = False) -> None:
    """List the account's users.

    **Example**: `fuin user list`
    """
    found = list(client.items("list_users", "the list of users", "Users"))
    if json_output:
        print_json(found)
    else:
        print_table(("user", "made", "arn"), [(each["UserName"], each["CreateDate"], each["Arn"]) for each in found])


@client_command("iam")
def show_user(client: Client, name: Name, json_output: JsonOutput = False) -> None:
    """Show a user: its access keys, groups and policies.

    **Example**: `fuin user show alice`
    """
    about = f"user {name}"
    found = client.ask("get_user", about, UserName=name)["User"]
    keys = list(client.items("list_access_keys", about, "AccessKeyMetadata", UserName=name))
    groups = [each["GroupName"] for each in client.items("list_groups_for_user", about, "Groups", UserName=name)]
    inline = [str(each) for each in client.items("list_user_policies", about, "PolicyNames", UserName=name)]
    attached = [
        each["PolicyArn"]
        for each in client.items("list_attached_user_policies", about, "AttachedPolicies", UserName=name)
    ]
    if json_output:
        print_json({"user": found, "keys": keys, "groups": groups, "policies": inline, "attached": attached})
        return
    print_values({
        "user": found["Arn"],
        "made": time_text(found["CreateDate"]),
        "keys": " ".join(f"{key['AccessKeyId']} ({key['Status']})" for key in keys) or "none",
        "groups": " ".join(groups) or "none",
        "policies": " ".join([*inline, *attached]) or "none",
    })  # fmt: skip


@client_command("iam")
def remove_user(client: Client, name: Name, yes: Yes = False) -> None:
    """Remove a user, with its access keys and its own policies, after asking.

    **Example**: `fuin user remove alice`
    """
    about = f"user {name}"
    client.ask("get_user", about, UserName=name)
    confirm(f"Remove the user {name} and its access keys?", yes=yes)
    for key in list(client.items("list_access_keys", about, "AccessKeyMetadata", UserName=name)):
        client.ask("delete_access_key", about, UserName=name, AccessKeyId=key["AccessKeyId"])
    for group in list(client.items("list_groups_for_user", about, "Groups", UserName=name)):
        client.ask("remove_user_from_group", about, UserName=name, GroupName=group["GroupName"])
    for attached in list(client.items("list_attached_user_policies", about, "AttachedPolicies", UserName=name)):
        client.ask("detach_user_policy", about, UserName=name, PolicyArn=attached["PolicyArn"])
    for policy in list(client.items("list_user_policies", about, "PolicyNames", UserName=name)):
        client.ask("delete_user_policy", about, UserName=name, PolicyName=policy)
    client.ask("delete_user", about, UserName=name)
    say(f"removed the user {name}")


@client_command("iam")
def add_access_key(client: Client, name: Name, json_output: JsonOutput = False) -> None:
    """Give a user another access key; its secret is shown only now.

    **Example**: `fuin user key add alice --json`
    """
    made = client.ask("create_access_key", f"user {name}", UserName=name)["AccessKey"]
    shown = {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}
    print_json(shown) if json_output else print_values(shown)


@client_command("iam")
def list_access_keys(client: Client, name: Name, json_output: JsonOutput = False) -> None:
    """List a user's access keys.

    **Example**: `fuin user key list alice`
    """
    found = list(client.items("list_access_keys", f"user {name}", "AccessKeyMetadata", UserName=name))
    if json_output:
        print_json(found)
    else:
        rows = [(each["AccessKeyId"], each["Status"], each["CreateDate"]) for each in found]
        print_table(("access key", "state", "made"), rows)


@client_command("iam")
def remove_access_key(client: Client, name: Name, access_key_id: KeyId) -> None:
    """Remove a user's access key; on Fuin no request with it is taken any longer when the command returns.

    **Example**: `fuin user key remove alice AKIAIOSFODNN7EXAMPLE`
    """
    client.ask("delete_access_key", f"access key {access_key_id} of {name}", UserName=name, AccessKeyId=access_key_id)
    say(f"removed {access_key_id}")
