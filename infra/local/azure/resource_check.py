"""Resource bodies against the published types.

Found: unknown, read-only and missing properties, wrong values of enumerations, literals of a wrong type.
Not seen: functions, spread, ``extension`` declarations. A type that is not in ``infra/azure/resource-types``
is not checked.
"""

from pathlib import Path

import tree_sitter

from infra.local.azure.bicep import BicepFile, Finding, body, first_string, literal, properties, text
from infra.local.azure.resource_types import DEPLOY_TIME, READ_ONLY, REQUIRED, Shape, followed, known

_ALWAYS_ALLOWED = {"dependson", "scope", "parent"}
_NEVER = {
    "IntegerType": {"string", "boolean", "object", "array"},
    "BooleanType": {"string", "number", "object", "array"},
    "StringType": {"number", "boolean", "object", "array"},
}


class ResourceCheck:
    """Checks the resources of one file."""

    def __init__(self, file: BicepFile) -> None:
        self._file = file
        self.findings: list[Finding] = []
        self.not_checked: list[Finding] = []
        self.resources = 0

    def run(self) -> None:
        """Fill ``findings``, ``not_checked`` and ``resources``."""
        for error in list(self._file.syntax_errors())[:5]:
            self._say(error, "syntax: " + text(error)[:50].replace("\n", " "))
        for declaration in self._file.declared("resource"):
            self._declaration(declaration)

    def _say(self, node: tree_sitter.Node, what: str) -> None:
        self.findings.append(self._file.at(node, what))

    def _declaration(self, node: tree_sitter.Node) -> None:
        name = first_string(node)
        self.resources += 1
        shape = known().get(name.lower())
        if shape is None:
            self.not_checked.append(self._file.at(node, f"type not known here: {name}"))
        elif not any(text(child) == "existing" for child in node.children):
            written = body(node)
            if written is None:
                self._say(node, "no body found")
            else:
                self._value(shape[0], followed(*shape), written, "")

    def _value(self, path: Path, shape: Shape, node: tree_sitter.Node, where: str) -> None:
        if node.type == "ternary_expression":
            for child in node.named_children[1:]:
                self._value(path, shape, child, where)
            return
        match shape["$type"]:
            case "ObjectType" | "DiscriminatedObjectType" if node.type == "object":
                self._object(path, shape, node, where)
            case "ArrayType" if node.type == "array":
                for child in node.named_children:
                    self._value(path, followed(path, shape["itemType"]), child, where + "[]")
            case "UnionType" if (value := literal(node)) is not None:
                self._enumeration(path, shape, node, where, value)
            case "IntegerType" | "BooleanType" | "StringType" as wanted if node.type in _NEVER[wanted]:
                self._say(node, f"{where} wants {wanted}, has {node.type}")

    def _enumeration(self, path: Path, shape: Shape, node: tree_sitter.Node, where: str, value: str) -> None:
        options = [followed(path, each) for each in shape["elements"]]
        allowed = [option.get("value") for option in options if option["$type"] == "StringLiteralType"]
        # A plain string among the options leaves the enumeration open.
        if value not in allowed and len(allowed) == len(options):
            self._say(node, f"{where} = {value!r}, not one of {allowed}")

    def _object(self, path: Path, shape: Shape, node: tree_sitter.Node, where: str) -> None:
        allowed = dict(shape.get("properties") or shape.get("baseProperties") or {})
        if shape["$type"] == "DiscriminatedObjectType":
            chosen = [literal(value) for key, _, value in properties(node) if key == shape["discriminator"]]
            if not chosen or chosen[0] not in shape["elements"]:
                return
            allowed.update(followed(path, shape["elements"][chosen[0]])["properties"])
        present = set()
        for key, key_node, value in properties(node):
            present.add(key.lower())
            if where == "" and key.lower() in _ALWAYS_ALLOWED:
                continue
            if key in allowed:
                if allowed[key]["flags"] & READ_ONLY:
                    self._say(key_node, f"read-only property {where}.{key}")
                self._value(path, followed(path, allowed[key]["type"]), value, f"{where}.{key}")
            elif shape.get("additionalProperties"):
                rest = followed(path, shape["additionalProperties"])
                self._value(path, rest, value, f"{where}.{key}")
            else:
                self._unknown(key, key_node, allowed, where)
        for key, definition in allowed.items():
            flags = definition["flags"]
            needed = flags & REQUIRED and not flags & (READ_ONLY | DEPLOY_TIME)
            if needed and key.lower() not in present:
                self._say(node, f"missing property {where}.{key}")

    def _unknown(self, key: str, node: tree_sitter.Node, allowed: dict[str, Shape], where: str) -> None:
        spelled = {each.lower(): each for each in allowed}
        if "${" in key or (node.type != "identifier" and key.lower() not in spelled):
            return
        meant = spelled.get(key.lower())
        hint = f" (did you mean {meant}?)" if meant else ""
        self._say(node, f"unknown property {where}.{key}{hint}")
