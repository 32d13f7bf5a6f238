"""Runnable comparisons; they print ratios measured in one run."""
