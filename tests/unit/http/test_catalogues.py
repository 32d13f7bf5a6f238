"""What the code names is listed: each error code, each action of the audit."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import function_app
from shared import errors
from shared.database import engine
from shared.domain.audit.actions import ACTIONS, RESOURCE_TYPES
from shared.domain.calendars.calendar_authorisation import Objection
from shared.domain.categories.category import IssueKind
from shared.errors import FieldError
from shared.services.identity import tokens
from shared.services.people import first_sign_in
from shared.services.person_keys import keys as person_keys
from shared.triggers.http import field_messages
from shared.triggers.http.error_texts import ERRORS, FIELD_CODES

_SHARED = Path(errors.__file__).parent
#: Modules with errors of their own that nothing else has loaded yet.
_LOADED = (engine, first_sign_in, person_keys, tokens)
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")


def _classes(base: type[errors.AdminAssistantError]) -> Iterator[type[errors.AdminAssistantError]]:
    yield base
    for each in base.__subclasses__():
        yield from _classes(each)


@pytest.fixture(scope="module")
def calls() -> list[ast.Call]:
    assert function_app.app
    trees = [ast.parse(path.read_text()) for path in _SHARED.rglob("*.py")]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "id", None) or getattr(call.func, "attr", ""))


def test_every_error_code_has_its_cause_and_remedy(calls: list[ast.Call]) -> None:
    kinds = {kind.__name__: kind for kind in _classes(errors.AdminAssistantError)}
    raised = {kind.code: {kind.status} for kind in kinds.values()}
    for call in calls:
        for keyword in call.keywords if _name(call) in kinds else ():
            if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                raised.setdefault(str(keyword.value.value), set()).add(kinds[_name(call)].status)
    codes = set(raised) | {str(each) for each in Objection}
    assert codes - set(ERRORS) == set()
    assert set(ERRORS) - codes == set()
    wrong = {code: statuses for code, statuses in raised.items() if ERRORS[code].status not in statuses}
    assert wrong == {}


#: Where the code of a field stands among the arguments.
_FIELD_CODES = {"FieldError": 2, "PydanticCustomError": 0, "_blamed": 1, "_invalid": 2}


def test_every_code_of_a_field_has_its_meaning(calls: list[ast.Call]) -> None:
    named = {FieldError("", "").code, *field_messages.codes(), *map(str, set(IssueKind) - {IssueKind.NONE})}
    for call in calls:
        place = _FIELD_CODES.get(_name(call), len(call.args))
        given = [*call.args[place : place + 1], *(each.value for each in call.keywords if each.arg == "code")]
        if _name(call) in _FIELD_CODES:
            named |= {str(each.value) for each in given if isinstance(each, ast.Constant)}
    assert named - FIELD_CODES.keys() - ERRORS.keys() == set()
    assert FIELD_CODES.keys() - named == set()


#: Where the type of a resource stands among the arguments.
_RESOURCE_TYPES = {"record": 2, "AuditFact": 1}


def _texts(node: Any) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def test_every_action_of_the_audit_is_listed(calls: list[ast.Call]) -> None:
    wanted = {"record", "_record", "AuditFact", "_fact", "_changed", "_audit_of"}
    named: set[str] = set()
    kinds: set[str] = set()
    for call in calls:
        if _name(call) not in wanted:
            continue
        given = [*call.args, *(each.value for each in call.keywords if each.arg == "action")]
        for argument in given:
            if isinstance(argument, ast.Constant | ast.IfExp):
                named |= {text for text in _texts(argument) if _ACTION.fullmatch(text)}
            elif isinstance(argument, ast.JoinedStr):
                begin = next(_texts(argument), "")
                if begin.endswith("."):
                    assert [action for action in ACTIONS if action.startswith(begin)], begin
        place = _RESOURCE_TYPES.get(_name(call), len(call.args))
        kinds |= {str(each.value) for each in call.args[place : place + 1] if isinstance(each, ast.Constant)}
    assert len(named) > 30
    assert len(kinds) > 10
    assert named - set(ACTIONS) == set()
    assert kinds - set(RESOURCE_TYPES) == set()
