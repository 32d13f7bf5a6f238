"""Bicep files as syntax trees (tree-sitter), since the compiler is on no package registry."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tree_sitter
import tree_sitter_bicep

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that is wrong, or not checked, at a place."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class BicepFile:
    """One parsed file."""

    path: Path
    root: tree_sitter.Node

    @classmethod
    def read(cls, path: Path) -> "BicepFile":
        """Parse a file; errors of its syntax stand in the tree."""
        return cls(path, _PARSER.parse(path.read_bytes()).root_node)

    def at(self, node: tree_sitter.Node, what: str) -> Finding:
        """A finding at a node."""
        return Finding(self.path, node.start_point[0] + 1, what)

    def declared(self, kind: str) -> Iterator[tree_sitter.Node]:
        """The declarations of a kind: resource, module, parameter, variable or output."""
        return every(self.root, f"{kind}_declaration")

    def syntax_errors(self) -> Iterator[tree_sitter.Node]:
        """What the grammar does not know."""
        return (node for node in walk(self.root) if node.type == "ERROR" or node.is_missing)


def walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """A node and everything below it, in the order of the text."""
    yield node
    for child in node.children:
        yield from walk(child)


def every(node: tree_sitter.Node, kind: str) -> Iterator[tree_sitter.Node]:
    """Every node of a kind at or below a node."""
    return (each for each in walk(node) if each.type == kind)


def text(node: tree_sitter.Node) -> str:
    """The node as it is written."""
    return (node.text or b"").decode()


def literal(node: tree_sitter.Node) -> str | None:
    """The value of a string without interpolation; None for everything else."""
    written = text(node)
    return written[1:-1] if node.type == "string" and "${" not in written else None


def name_of(declaration: tree_sitter.Node) -> str:
    """The symbol that a declaration makes."""
    return next((text(child) for child in declaration.named_children if child.type == "identifier"), "")


def first_string(declaration: tree_sitter.Node) -> str:
    """The type of a resource, the path of a module."""
    return next((literal(child) or "" for child in declaration.named_children if child.type == "string"), "")


def body(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The object of a resource or module, inside its condition or loop."""
    for child in node.named_children:
        if child.type == "object":
            return child
        if child.type in _AROUND and (found := body(child)) is not None:
            return found
    return None


_AROUND = {
    *("if_statement", "if_expression", "for_statement", "for_expression", "array"),
    "parenthesized_expression",
}


def properties(
    node: tree_sitter.Node,
) -> Iterator[tuple[str, tree_sitter.Node, tree_sitter.Node]]:
    """Key, node of the key and node of the value for each property of an object."""
    for child in node.named_children:
        if child.type == "object_property" and len(child.named_children) >= 2:
            key = child.named_children[0]
            yield text(key).strip("'"), key, child.named_children[-1]


def value_at(node: tree_sitter.Node | None, *keys: str) -> tree_sitter.Node | None:
    """The value below an object by the names of properties; None where it is not written out."""
    for wanted in keys:
        if node is None or node.type != "object":
            return None
        node = next((value for key, _, value in properties(node) if key == wanted), None)
    return node
