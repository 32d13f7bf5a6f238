"""What stops the host from starting, told to a person in one line."""


class StartupError(Exception):
    """The host cannot start; the text is the one line that is shown.

    `details`, where there are any, are the lines shown only with --verbose (a traceback).
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details
