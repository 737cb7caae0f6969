"""IAM: users, groups, roles, policies, access keys and what AWS tells about them."""
