"""A call centre from its records: fit arrivals, staff, service and patience; predict waiting by hour."""
