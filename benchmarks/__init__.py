"""Throughput of kernels and of the whole, beside peers, measured in one run; ratios are what counts."""
