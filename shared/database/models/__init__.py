"""The tables, a module a subject; ``metadata`` knows them all.

Times are ``timestamptz`` in UTC; enumerations are text with a CHECK. Who needs some tables imports their
modules: a mapped class is dear to make, and a start does not pay for those that no request reads.
"""
