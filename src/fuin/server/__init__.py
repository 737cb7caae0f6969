"""The processes: the supervisor, the workers and the one ASGI application."""
