"""Where results go and input lies, looked at before work begins, or libraries are loaded, that may take long."""

from __future__ import annotations

import os
from pathlib import Path


def file_to_write(path: Path) -> Path:
    """The path, if a file can be written there.

    Raises:
        DataError: it cannot.
    """
    from twin.errors import DataError

    if path.is_dir():
        raise DataError("is a folder", where=str(path), hint="Give the name of a file in it.")
    if not path.parent.is_dir():
        raise DataError("its folder is not there", where=str(path), hint=f"Make {path.parent} first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise DataError("may not be written", where=str(path), hint="Choose another place.")
    return path


def file_to_read(path: Path) -> Path:
    """The path, if there is a file.

    Raises:
        DataError: there is none.
    """
    from twin.errors import DataError

    if path.is_dir():
        raise DataError("is a folder", where=str(path), hint="Give a file in it.")
    if not path.is_file():
        raise DataError("there is no such file", where=str(path))
    return path


def folder_to_write(path: Path) -> Path:
    """The path, if it is a folder that can be written to, or can be made.

    Raises:
        DataError: it cannot.
    """
    from twin.errors import DataError

    above = next((p for p in (path, *path.absolute().parents) if p.exists()), Path("/"))
    if not above.is_dir():
        raise DataError("is a file where a folder is wanted", where=str(above), hint="Choose another name.")
    if not os.access(above, os.W_OK):
        raise DataError("may not be written", where=str(path), hint="Choose another place.")
    return path
