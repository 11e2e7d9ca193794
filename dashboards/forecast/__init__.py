"""Forecasts of processes on screen and paper."""
