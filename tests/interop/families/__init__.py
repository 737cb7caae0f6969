"""All families of KMS operations, asked by three clients: each test is one walk through a family."""
