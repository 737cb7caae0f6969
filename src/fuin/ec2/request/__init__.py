"""What all operations of EC2 have in common: rights, filters, pages, tags in requests."""
