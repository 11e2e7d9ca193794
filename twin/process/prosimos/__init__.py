"""Simulation parameters in the JSON form of Prosimos, Simod and Apromore: read and written."""
