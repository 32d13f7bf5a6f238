"""Texts that make a regular expression slow: a beginning of what it matches, then long repetitions.

A backtracking engine is slow in two cases. It can divide the same text between two parts of the pattern, or
it begins a search again at each place of a long text. Both need a long run of what one part takes, and then a
failure.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

_parser: Any = re._parser
_ALPHABET: Final = (
    "a",
    "A",
    "0",
    "1",
    " ",
    "\n",
    '"',
    "'",
    "\\",
    "<",
    ">",
    "=",
    ".",
    "/",
    "@",
    "-",
    ",",
    ":",
)
#: What most expressions take somewhere.
_FEW: Final = ("a", "1", " ", '"', ".", "=")
_MORE: Final = ("(", ")", "[", "%", ";", "+", "_", '\\"', "a=", '"a', "\\\n", ". ", "\u00e9")
#: Ends that no pattern takes, and ends that some take.
_ENDS: Final = ("\x00\n!", "")
_MEMBERS: Final = "a0 A-_.:/=\"'@,;<>(){}[]%+*!\\\n\u00e9"


def beginnings(pattern: str) -> Sequence[str]:
    """Texts that the pattern matches or nearly does, one for each way through its alternatives."""
    tree = _parser.parse(pattern)
    return list(dict.fromkeys(_sample(tree, turn, {}) for turn in range(3)))


def adversaries(pattern: str) -> Iterator[tuple[str, str, str]]:
    """A beginning, what is repeated after it, and an end."""
    for sample in beginnings(pattern):
        cuts = range(0, min(len(sample), 60) + 1, max(1, len(sample) // 16))
        pieces = [sample[:cut] for cut in cuts] + [sample[cut:] for cut in cuts]
        pumps = dict.fromkeys([*_ALPHABET, *_MORE, *(piece for piece in pieces if piece)])
        for pump in pumps:
            for end in _ENDS:
                yield "", pump, end
        for cut in (*cuts, len(sample)):
            for pump in (*_FEW, *sample[cut : cut + 1]):
                yield sample[:cut], pump, _ENDS[0]


def _sample(tree: Any, turn: int, groups: dict[int, str]) -> str:
    return "".join(_one(str(operation), argument, turn, groups) for operation, argument in tree)


def _one(operation: str, argument: Any, turn: int, groups: dict[int, str]) -> str:
    match operation:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return next(each for each in _MEMBERS if ord(each) != argument)
        case "ANY":
            return "a"
        case "IN":
            return _member(argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = argument
            times: int = min(max(least, 1), int(most))
            return _sample(inner, turn, groups) * times
        case "SUBPATTERN":
            groups[argument[0] or 0] = found = _sample(argument[3], turn, groups)
            return found
        case "ATOMIC_GROUP":
            return _sample(argument, turn, groups)
        case "BRANCH":
            ways = argument[1]
            return _sample(ways[turn % len(ways)], turn, groups)
        case "GROUPREF":
            return groups.get(argument, "")
    return ""


def _member(ways: Any) -> str:
    kinds = {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w"}
    kinds |= {f"CATEGORY_NOT_{name[9:]}": text.upper() for name, text in kinds.items()}
    negated = any(str(kind) == "NEGATE" for kind, _ in ways)

    def takes(character: str) -> bool:
        code = ord(character)
        for kind, argument in ways:
            name = str(kind)
            if name == "LITERAL" and code == argument:
                return True
            if name == "RANGE" and argument[0] <= code <= argument[1]:
                return True
            if name == "CATEGORY" and re.match(kinds[str(argument)], character):
                return True
        return False

    every = _MEMBERS + "".join(chr(code) for code in range(32, 127))
    return next((each for each in every if takes(each) is not negated), "")
