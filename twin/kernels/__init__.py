"""Compiled inner loops (Numba).

Importing this package points Numba's on-disk cache at a folder named after the source of all kernels. Numba itself
looks only at the file that holds the outer function, so a change of an inlined helper in another file would go
unnoticed; here any change of any kernel gives a new folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types


def _source_digest() -> str:
    """Digest of every file that may hold compiled code, of Numba's version and of its bounds-check switch."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256(f"{numba.__version__} {os.environ.get('NUMBA_BOUNDSCHECK', '0')}".encode())
    for path in sorted([*(root / "twin" / "kernels").glob("*.py"), *root.glob("agents/kernels/*.py")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def cache_folder() -> Path:
    """Folder of compiled kernels: NUMBA_CACHE_DIR if the user set it, else one under the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "broker-twin" / "kernels" / _source_digest()


if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = str(cache_folder())


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Numba's decorator, but for kernels that call the function with constants.

    Numba compiles a function anew for every combination of constants it is called with; this one takes them for the
    integers they are, and compiles once. The hook is private to Numba; without it everything only compiles longer.

    Args:
        options: as of `numba.njit`.
    """
    decorate = numba.njit(**options)

    def decorated(function: Callable[..., Any]) -> Any:
        dispatcher = decorate(function)
        template = getattr(dispatcher, "get_call_template", None)
        if template is not None:
            dispatcher.get_call_template = lambda args, kws: template(
                tuple(map(types.unliteral, args)), {name: types.unliteral(kind) for name, kind in kws.items()}
            )
        return dispatcher

    return decorated


kernel = njit(cache=True, _nrt=False)
"""Decorator of a kernel that borrows its arrays from Python and allocates none.

Without Numba's reference counts, which helpers that take arrays cause in inner loops, such a kernel is about twice as
fast. The option is private to Numba; a version without it fails at import, and then this line becomes plain `njit`.
"""

inlined = njit(cache=True, _nrt=False, forceinline=True)
"""Decorator of a helper that is copied into every kernel that calls it: a call would pass some seventy words."""

_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") != "0"

part = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Decorator of a function that only kernels call: not copied into them, and not compiled for calls from Python."""

inlined_part = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=not _CHECKED)
"""Decorator of a helper that only kernels call, and that is copied into them.

Where bounds are checked speed does not matter, and large functions full of checks would compile for minutes.
"""
