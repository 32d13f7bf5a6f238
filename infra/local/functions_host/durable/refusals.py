"""Why the hub refuses a request, each with the gRPC status that a client sees."""

import grpc


class HubError(Exception):
    """A request that cannot be done; `code` is the gRPC status of the answer."""

    code = grpc.StatusCode.INTERNAL


class NotFoundError(HubError):
    """There is no such instance or entity."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExistsError(HubError):
    """The instance id is taken by an instance that may not be replaced."""

    code = grpc.StatusCode.ALREADY_EXISTS


class WrongStateError(HubError):
    """The instance is not in a state that allows this."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class UnknownFunctionError(HubError):
    """The app has no orchestrator or entity of that name."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class InvalidArgumentError(HubError):
    """The request says something that cannot be meant."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class StorageError(HubError):
    """The state could not be written: nothing was acknowledged and nothing new is run."""

    code = grpc.StatusCode.UNAVAILABLE
