"""Finds rows of several archives that belong to one source event (domain.md 2.18)."""

from collections.abc import Iterable, Mapping, Sequence


def common_keys(chains: Iterable[Sequence[str]]) -> Mapping[str, str]:
    """One common key for all keys of the same event: the smallest of them.

    A chain lists keys of the same event. They are the keys of a row before and after it was re-pointed
    (2.16), or the keys of a duplicate and its representative (2.9). Chains that share a key are joined. A key
    in no chain is not in the result.
    """
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        while (parent := parents.setdefault(key, key)) != key:
            parents[key] = key = parents[parent]
        return key

    for chain in chains:
        first = root(chain[0])
        for key in chain[1:]:
            other = root(key)
            first, last = min(first, other), max(first, other)
            parents[last] = first
    return {key: root(key) for key in list(parents)}
