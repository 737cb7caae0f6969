"""The errors of the proxy API, each with its HTTP status (specification, "Error codes")."""

STATUSES = {
    "ValidationException": 400,
    "InvalidStateException": 400,
    "InvalidCiphertextException": 400,
    "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401,
    "AccessDeniedException": 403,
    "KeyNotFoundException": 404,
    "InvalidUriPathException": 404,
    "ThrottlingException": 429,
    "InternalException": 500,
    "UnsupportedOperationException": 501,
    "DependencyTimeoutException": 503,
}


class Refusal(Exception):
    """A request that is answered with an error; `name` is one of STATUSES."""

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.message = message

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return STATUSES[self.name]
