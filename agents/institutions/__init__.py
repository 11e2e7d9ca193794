"""Institutions that trade through the broker: one Mesa agent each, one file per kind.

A kind needs no registration: every module of this package is read, and every class with a `section` is a kind.
"""

from __future__ import annotations

import importlib
import pkgutil

from agents.institutions.base import KINDS, Institution

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["KINDS", "Institution"]
