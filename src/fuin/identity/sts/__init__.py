"""STS: temporary credentials of roles, users and federated users."""
