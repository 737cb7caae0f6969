"""The verbs of the `fuin` command: the module that has each, and its summary in the help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

DAILY = "Every day, over the wire: Fuin or AWS, as the credentials say"
SERVER = "The server, on its own machine"
LOOK = "What happened, and what would"


class Verb(NamedTuple):
    """A verb: its module below this folder, the function or the Typer there, and its summary."""

    module: str
    attribute: str
    summary: str
    panel: str | None = None


class Group(NamedTuple):
    """A word that other verbs follow."""

    summary: str
    verbs: Mapping[str, Verb | Group]
    panel: str | None = None


VERBS: dict[str, Verb | Group] = {
    "ls": Verb("files.listing", "list_objects", "List buckets, or objects and folders.", DAILY),
    "cp": Verb("files.copy_command", "copy_files", "Copy files to S3, objects to files, or objects within S3.", DAILY),
    "cat": Verb("files.listing", "print_objects", "Print objects to standard output, one after the other.", DAILY),
    "rm": Verb("files.listing", "remove_objects",
        "Remove objects; with --recursive everything below, after asking.", DAILY),
    "bucket": Group(
        "Buckets.",
        {
            "create": Verb("files.bucket", "create_bucket",
                "Make a bucket, whose objects may be encrypted under a KMS key by default."),
            "list": Verb("files.bucket", "list_buckets", "List the buckets."),
            "show": Verb("files.bucket", "show_bucket",
                "Show a bucket's Region, default encryption, versions and policy."),
            "remove": Verb("files.bucket", "remove_bucket", "Remove a bucket, which must be empty."),
        },
        DAILY,
    ),
    "encrypt": Verb("encrypt", "encrypt", "Encrypt a file under a new data key from a KMS key.", DAILY),
    "decrypt": Verb("encrypt", "decrypt", "Decrypt a file that `fuin encrypt` or an AWS Encryption SDK wrote.", DAILY),
    "key": Group(
        "KMS keys.",
        {
            "create": Verb("kms.keys", "create_key", "Make a key, and print its ARN."),
            "list": Verb("kms.keys", "list_keys", "List the keys with their aliases, states and descriptions."),
            "show": Verb("kms.keys", "show_key", "Show a key: state, aliases, rotation, tags and when it was made."),
            "enable": Verb("kms.keys", "enable_key", "Enable a key, so that it can be used."),
            "disable": Verb("kms.keys", "disable_key",
                "Disable a key: what is encrypted under it cannot be opened until it is enabled."),
            "rotate": Verb("kms.keys", "rotate_key",
                "Rotate a key now; with --every from now on by itself, with --off no longer."),
            "delete": Verb("kms.keys", "delete_key",
                "Schedule a key's deletion: after so many days nothing under it can ever be opened."),
            "cancel-deletion": Verb("kms.keys", "cancel_deletion", "Cancel a key's deletion; it is disabled then."),
            "policy": Group(
                "A key's policy.",
                {
                    "show": Verb("kms.rights", "show_policy", "Print a key's policy."),
                    "put": Verb("kms.rights", "put_policy", "Replace a key's policy."),
                },
            ),
            "grants": Group(
                "A key's grants.",
                {
                    "list": Verb("kms.rights", "list_grants", "List a key's grants."),
                    "create": Verb("kms.rights", "create_grant",
                        "Grant the use of a key, and print the grant's id."),
                    "revoke": Verb("kms.rights", "revoke_grant",
                        "Revoke a grant; on Fuin it holds nowhere any longer when the command returns."),
                },
            ),
            "tags": Group(
                "A key's tags.",
                {
                    "list": Verb("kms.rights", "list_tags", "List a key's tags."),
                    "add": Verb("kms.rights", "add_tags", "Add tags to a key, or change their values."),
                    "remove": Verb("kms.rights", "remove_tags", "Remove tags from a key."),
                },
            ),
            "dependents": Verb(
                "key_dependents", "key_dependents",
                "Show how much depends on a key, and on each of its key materials: exact numbers, and plaintext bytes.",
            ),
        },
        DAILY,
    ),
    "alias": Group(
        "Names of keys.",
        {
            "list": Verb("kms.aliases", "list_aliases", "List the aliases and their keys."),
            "create": Verb("kms.aliases", "create_alias", "Give a key a name."),
            "move": Verb("kms.aliases", "move_alias",
                "Point an alias at another key; what is encrypted already stays under the old one."),
            "remove": Verb("kms.aliases", "remove_alias", "Remove an alias; its key stays."),
        },
        DAILY,
    ),
    "inspect": Verb("look.inspect_command", "inspect_file",
        "Show the envelope of an encrypted file: its keys, context and frames. No key is needed or used.", DAILY),
    "status": Verb("look.settings_command", "show_status",
        "Show whether the server answers and is ready, who you are there, and whether the clocks agree.", DAILY),
    "config": Group(
        "The settings that commands use.",
        {
            "show": Verb("look.settings_command", "show_config",
                "Show the settings that commands would use, and where each comes from. No secret is shown."),
        },
        DAILY,
    ),
    "serve": Verb("serve", "serve", "Serve KMS, S3, IAM and STS on one port until SIGTERM or Ctrl-C.", SERVER),
    "doctor": Verb("look.doctor", "doctor",
        "Look for what is unsafe on this machine: permissions, clock, memory, disk, TLS and passphrase.", SERVER),
    "init": Verb(
        "init", "init",
        "Make an installation of many nodes in an empty PostgreSQL database; a second time it changes nothing.", SERVER,
    ),
    "nodes": Verb("nodes", "nodes",
        "List the nodes of an installation: version, lease, the epoch in force, the head of the log, and load.",
        SERVER,
    ),
    "move": Verb("move", "move",
        "Move a server's data into an installation of many nodes, or back into a new data folder.", SERVER),
    "user": Group(
        "Users, their access keys and policies.",
        {
            "list": Verb("iam.users", "list_users", "List the account's users."),
            "show": Verb("iam.users", "show_user", "Show a user: its access keys, groups and policies."),
            "remove": Verb("iam.users", "remove_user",
                "Remove a user, with its access keys and its own policies, after asking."),
            "key": Group(
                "A user's access keys.",
                {
                    "add": Verb("iam.users", "add_access_key",
                        "Give a user another access key; its secret is shown only now."),
                    "list": Verb("iam.users", "list_access_keys", "List a user's access keys."),
                    "remove": Verb("iam.users", "remove_access_key",
                        "Remove a user's access key; on Fuin no request with it is taken any longer when the command "
                        "returns."),
                },
            ),
            "add": Verb("admin", "add_user", "Add a user with one access key; its secret is shown only now."),
            "policy": Verb("admin", "put_policy",
                "Replace a user's inline policy; it holds in all workers when the command returns."),
        },
        DAILY,
    ),
    "group": Group(
        "Groups of users.",
        {
            "add": Verb("iam.groups", "create_group", "Make a group."),
            "list": Verb("iam.groups", "list_groups", "List the account's groups."),
            "show": Verb("iam.groups", "show_group", "Show a group: its users and policies."),
            "join": Verb("iam.groups", "add_member", "Put a user into a group."),
            "leave": Verb("iam.groups", "remove_member", "Take a user out of a group."),
            "remove": Verb("iam.groups", "remove_group",
                "Remove a group with its own policies, after asking; its users stay."),
        },
        DAILY,
    ),
    "role": Group(
        "Roles.",
        {
            "list": Verb("iam.groups", "list_roles", "List the account's roles."),
            "show": Verb("iam.groups", "show_role", "Show a role: its policies, and who may assume it."),
            "remove": Verb("iam.groups", "remove_role", "Remove a role with its own policies, after asking."),
        },
        DAILY,
    ),
    "account": Group(
        "Accounts.",
        {"add": Verb("admin", "add_account",
            "Add an account with a root access key; its secret is shown only now.")},
        SERVER,
    ),
    "host": Verb("host", "app", "Hosts: the machines that open encrypted volumes.", SERVER),
    "volume": Verb("volume", "app", "Encrypted volumes on this host, and local disks; as root.", SERVER),
    "clock": Verb("clock", "app", "The wall clock, the counted time, and what waits for them to agree.", SERVER),
    "ledger": Verb("ledger", "app", "The ledger of what depends on each key.", SERVER),
    "verify": Verb("verify", "verify",
        "Prove on the raw store that each object is whole, opens through KMS only, and is what the index says.",
        SERVER,
    ),
    "rewrap": Verb("rewrap", "rewrap",
        "Encrypt the data keys of stored objects, or of a volume, under another KMS key, or under its newest material.",
        SERVER,
    ),
    "audit": Verb("audit", "app", "The tamper-evident log of every use of a key and every request.", LOOK),
    "explain": Verb("explain", "explain",
        "Show what happened in a request: who asked, which key, why it was allowed or refused, what was stored.", LOOK,
    ),
    "who-can": Verb("who_can", "who_can_command",
        "Show who can do something now, why, and under which conditions.", LOOK),
    "simulate": Verb("simulate", "simulate",
        "Show what would be decided, and why, without doing anything; the exit status is 1 if anything is refused.",
        LOOK,
    ),
    "policy": Verb("policy", "app", "Policies: likely mistakes, and the least policy that is needed.", LOOK),
    "version": Verb("version", "version", "Print the version."),
}  # fmt: skip
