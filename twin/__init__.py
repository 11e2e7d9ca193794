"""The machine: a market and a broker, advanced on one clock of integer nanoseconds."""

__version__ = "0.1.0"
