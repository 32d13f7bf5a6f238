"""The tables, one module per subject. ``metadata`` knows them all.

Times are ``timestamptz`` in UTC. Enumerations are text with a CHECK. Code imports only the modules of the
tables that it uses, because creating a mapped class is expensive and would slow every start.
"""
