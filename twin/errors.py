"""Errors that a user may meet: each says what is wrong, where, and what would be right."""

from __future__ import annotations


class TwinError(Exception):
    """Base of every error that the twin raises on purpose; the command line prints it in one line.

    Args:
        what: what is wrong, with the offending value.
        where: file, line and key, or the record, if there is one.
        hint: what would be right.
    """

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(what, where, hint)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.hint}" if self.hint else head


class ScenarioError(TwinError):
    """A scenario, a parameter or a command-line setting cannot be used."""


class DataError(TwinError):
    """A data file is missing, damaged or not of the form that it should have."""


class ConservationError(TwinError):
    """Cash or shares were created or destroyed: the run stops."""


class RunError(TwinError):
    """A run folder cannot be read or written, or a worker died."""


class CapacityError(TwinError):
    """An array of a kernel is full and may not grow further."""
