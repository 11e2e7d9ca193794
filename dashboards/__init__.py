"""The control room: command line, reports and dashboard."""
