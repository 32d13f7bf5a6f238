"""Errors of the local system that a person can act on."""


class LocalError(Exception):
    """Something on this machine is in the way; the message is one clear line for the terminal."""


class DamagedState(LocalError):
    """What a part has kept is damaged or gone; nothing was made in its place."""
