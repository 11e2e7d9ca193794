"""Compiled inner loops of the agents (Numba); importing it sets Numba's cache folder (see `twin.kernels`)."""

import twin.kernels

__all__: list[str] = []

_CACHE = twin.kernels.cache_folder
