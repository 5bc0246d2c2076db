"""What the simulated API Hub refuses, and how each refusal reads over HTTP.

SandboxError
├── UnknownClientError     no such client
├── UnknownConsentError    no such consent
├── ConsentExistsError     the id was staged before
├── IllegalMoveError       the state machine has no such move
└── UnusableInputError     a value that the hub cannot work with

These are for whoever drives the sandbox. What the hub answers to third parties follows the standard instead and is
written beside the endpoints. The family stands apart from the tracker's own: the sandbox imports nothing of it.
"""


class SandboxError(Exception):
    """The sandbox cannot do what it was asked.

    Attributes:
        status: HTTP status with which the control API answers.
    """

    status = 422


class UnknownClientError(SandboxError):
    """No such client is registered with this hub."""

    status = 404


class UnknownConsentError(SandboxError):
    """No such consent was staged with this hub."""

    status = 404


class ConsentExistsError(SandboxError):
    """A consent with this id was staged before."""

    status = 409


class IllegalMoveError(SandboxError):
    """The state machine has no such move; force it to play a faulty hub."""

    status = 409


class UnusableInputError(SandboxError):
    """A value that the hub cannot work with."""
