"""Completion in shells: the scripts that shells read, and the values that they are told."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_inspect_parameters, install_callback, show_callback

from tracker.domain.errors import TrackerError


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def _option(callback: Callable[..., object], text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar="SHELL", callback=callback, expose_value=False, is_eager=True, help=f"{text}: bash, zsh or fish."
    )
    return option


def register(app: typer.Typer) -> None:
    """Add the options.

    typer's own guess the shell from the processes above, which a pipe or a container deceives, and say nothing when they
    are given its name.
    """
    get_completion_inspect_parameters()  # makes typer know the shells, as its own options would
    app.callback()(tracker)


def tracker(
    show_completion: Annotated[
        Shell | None, _option(show_callback, "Print what makes a shell complete our commands")
    ] = None,
    install_completion: Annotated[Shell | None, _option(install_callback, "Add it to a shell's start-up file")] = None,
) -> None:
    """Give the program its options; its help is the app's."""


def providers() -> list[str]:
    """Ids of the configured providers; none when the configuration cannot be read: nobody asked about that."""
    from tracker.cli.running import load  # noqa: PLC0415 - most completions need none of it

    try:
        return [provider.id for provider in load().provider]
    except (TrackerError, OSError):
        return []


def kinds() -> list[str]:
    """Kinds of consent, of every ecosystem that we know."""
    from tracker.profiles import PROFILES  # noqa: PLC0415

    return sorted({kind for profile in PROFILES.values() for kind in profile.kinds})


def statuses() -> list[str]:
    """The statuses of consents."""
    from tracker.domain.consent import Status  # noqa: PLC0415

    return list(Status)
