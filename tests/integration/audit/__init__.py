"""The audit: personal values, chain, search and export."""
