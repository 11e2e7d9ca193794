"""BPMN 2.0 diagrams: read, checked, flattened, turned into process models and written."""
