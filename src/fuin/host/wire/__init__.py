"""What a host asks the server: as itself, by its own credentials, and as the user who runs the command."""
