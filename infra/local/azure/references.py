"""What the compiler would say of names: undeclared symbols, parameters of modules, files that are absent."""

from collections.abc import Iterator
from pathlib import Path

import tree_sitter

from infra.local.azure.bicep import (
    BicepFile,
    Finding,
    body,
    every,
    first_string,
    name_of,
    properties,
    text,
    value_at,
)

_KINDS = ("parameter", "variable", "resource", "module")
#: Namespaces that may stand where a symbol stands.
_BUILT_IN = {"az", "sys"}
_NOT_A_REFERENCE = {"call_expression", "decorator", "object_property", "type", "output_declaration"}


def check(file: BicepFile) -> Iterator[Finding]:
    """Symbols that nobody declares, that nobody uses, and modules called wrongly."""
    declared = {name_of(node): node for kind in _KINDS for node in file.declared(kind)}
    used = set()
    for node in _references(file.root):
        name = text(node)
        used.add(name)
        if name not in declared and name not in _BUILT_IN and name not in _loop_names(node):
            yield file.at(node, f"{name} is not declared")
    for name, node in declared.items():
        if node.type in ("parameter_declaration", "variable_declaration") and name not in used:
            yield file.at(node, f"{name} is not used")
    for module in file.declared("module"):
        yield from _module(file, module, declared)


def _references(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    for node in every(root, "identifier"):
        parent = node.parent
        if parent is None or (parent.type.endswith("_declaration") and parent.named_children[0] == node):
            continue
        # The name of a function, of a decorator, the key of a property.
        if parent.type in _NOT_A_REFERENCE and parent.named_children[0] == node:
            continue
        yield node


def _loop_names(node: tree_sitter.Node) -> set[str]:
    names: set[str] = set()
    at: tree_sitter.Node | None = node
    while at is not None:
        if at.type == "for_statement":
            # ``for name in …``, or ``for (name, index) in …``.
            first = at.named_children[0]
            names |= {text(each) for each in (first.named_children or [first])}
        at = at.parent
    return names


def _module(
    file: BicepFile, module: tree_sitter.Node, declared: dict[str, tree_sitter.Node]
) -> Iterator[Finding]:
    path = (file.path.parent / first_string(module)).resolve()
    if not path.is_file():
        yield file.at(module, f"the module {first_string(module)} is not there")
        return
    called = BicepFile.read(path)
    wanted = {name_of(node): _has_default(node) for node in called.declared("parameter")}
    given_object = value_at(body(module), "params")
    given = {key for key, _, _ in properties(given_object)} if given_object is not None else set()
    for name in sorted(given - set(wanted)):
        yield file.at(module, f"{path.name} has no parameter {name}")
    for name, has_default in wanted.items():
        if not has_default and name not in given:
            yield file.at(module, f"the parameter {name} of {path.name} is not given")
    outputs = {name_of(node) for node in called.declared("output")}
    yield from _outputs(file, name_of(module), path, outputs)


def _outputs(file: BicepFile, symbol: str, path: Path, outputs: set[str]) -> Iterator[Finding]:
    for node in every(file.root, "member_expression"):
        parts = text(node).replace("!", "").replace("?", "").split(".")
        if parts[0] == symbol and len(parts) == 3 and parts[1] == "outputs" and parts[2] not in outputs:
            yield file.at(node, f"{path.name} has no output {parts[2]}")


def _has_default(parameter: tree_sitter.Node) -> bool:
    return "=" in [text(child) for child in parameter.children]
