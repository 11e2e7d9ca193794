"""Run a scenario and compare it with a baseline: `python run_scenario.py extreme-day --against ordinary-day`."""

from dashboards.cli import run_main

if __name__ == "__main__":
    run_main()
