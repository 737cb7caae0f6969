"""A request to S3: its address, operation, headers and rights, and how answers and errors are worded."""
