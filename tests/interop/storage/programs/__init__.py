"""Programs that the clients' tests run in other environments."""
