"""Business processes in general: written as data, executed by a compiled queueing network."""
