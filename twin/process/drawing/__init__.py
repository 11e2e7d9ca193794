"""Drawings of processes as SVG: layout, BPMN symbols, load and waiting."""
