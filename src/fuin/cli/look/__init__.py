"""Looking at what is there: a file's envelope, the server's state, the machine, the settings."""
