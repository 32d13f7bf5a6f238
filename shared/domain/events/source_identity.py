"""Which rows of several archives stand for one source event (domain.md 2.18)."""

from collections.abc import Iterable, Mapping, Sequence


def common_keys(chains: Iterable[Sequence[str]]) -> Mapping[str, str]:
    """The one key that stands for each source key, the smallest of those that mean the same event.

    A chain names keys that mean the same: those a row had before it was re-pointed, with its own (2.16), or
    that of a duplicate with the one it was merged into (2.9). Chains that share a key are one. A key in no
    chain stands for itself and is not in the result.
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
