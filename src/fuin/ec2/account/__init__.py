"""What is the same for all volumes of an account: Regions and zones, and the defaults of encryption."""
