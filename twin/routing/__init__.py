"""The order path inside the broker: gateway, checks, core counter, exchange gateways, and the way back."""
