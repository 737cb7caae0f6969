"""Users, groups and roles from the command line, over the wire."""
