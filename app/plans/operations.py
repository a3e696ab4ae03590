"""Small changes of a plan's content, each of which can be taken back.

An operation is a JSON object; `op` says which, and the rest is what it needs:

    {"op": "add_event", "event": "purchase", "definition": {"rules": []}, "at": 3}       at: its place; else the end
    {"op": "delete_event", "event": "purchase"}
    {"op": "rename_event", "event": "purchase", "to": "order"}
    {"op": "set_event", "event": "purchase", "set": {"description": "…", "schema": {…}}}    null: remove the member
    {"op": "add_rule", "event": "purchase", "rule": {"path": "total", "type": "number"}, "at": 0}
    {"op": "delete_rule", "event": "purchase", "path": "total"}
    {"op": "set_rule", "event": "purchase", "path": "total", "set": {"required": true, "path": "sum"}}
    {"op": "set_plan", "set": {"judging": {"types": "lenient"}}}
    {"op": "replace", "content": {…}}                                                    the whole plan, as a file would

A bulk edit is many of them in one list: all are done, or none.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from app.plans.content import LONGEST_NAME, Content, complete, identity
from app.validation.compile import CompiledPlan, compile_plan
from app.validation.problems import PlanInvalid, Problem

Operation = dict[str, Any]
Definition = dict[str, Any]
MOST_OPERATIONS: Final = 20_000
LONGEST_TEXT: Final = 5_000
FLAGS: Final = frozenset({"required", "nullable", "blank", "private"})
TEXTS: Final = frozenset({"path", "type", "severity", "epoch", "description", "owner"})
OF_PLAN: Final = frozenset({"matching", "judging", "common"})
# What an event cannot have beside a schema, and beside rules.
OF_RULES: Final = ("rules", "conditions", "unplanned_properties")
OF_SCHEMA: Final = ("schema", "bundle")
OF_EVENT: Final = frozenset({*OF_RULES, *OF_SCHEMA, "description", "tags", "owner"})


def change(content: Content, operations: Sequence[Any]) -> list[Operation]:
    """Do these to the content, in place and in their order; what takes them all back, in its order.

    Raises PlanInvalid with what cannot be done (the content is spoilt then), or what would no longer judge.
    """
    undo: list[Operation] = []
    touched: set[str] | None = set()
    if len(operations) > MOST_OPERATIONS:
        raise _refused("bad_operation", f"More than {MOST_OPERATIONS:,} operations at once. Import a file.")
    for number, operation in enumerate(operations):
        word = operation.get("op") if isinstance(operation, dict) else None
        doing = OPERATIONS.get(word) if isinstance(word, str) else None
        if doing is None:
            message = f"Operation {number + 1} is none of {', '.join(OPERATIONS)}."
            raise _refused("bad_operation", message)
        undo.append(doing(content, operation))
        if touched is not None:
            touched = touched | _named(operation) if word not in ("replace", "set_plan") else None
    check(content, touched)
    return undo[::-1]


def check(content: Content, names: set[str] | None = None, older: CompiledPlan | None = None) -> None:
    """Raises PlanInvalid where the plan (or these events of it, which costs less) could not judge.

    older: a version in use; what did not change since is not compiled again.
    """
    some = content["events"]
    if names is not None:
        some = {name: some[name] for name in names if name in some}
    compile_plan({**content, "events": some}, 0, older=older)


def _named(operation: Operation) -> set[str]:
    return {operation[part] for part in ("event", "to") if isinstance(operation.get(part), str)}


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add_event(content: Content, given: Operation) -> Operation:
    name = _text(given, "event")
    definition = given.get("definition", {"rules": []})
    complete({"events": {name: definition}})
    _check_free(content, name, definition)
    events = list(content["events"].items())
    events.insert(_place(given, len(events)), (name, definition))
    content["events"] = dict(events)
    return {"op": "delete_event", "event": name}


def _delete_event(content: Content, given: Operation) -> Operation:
    name = _text(given, "event")
    definition = _event(content, name)
    at = list(content["events"]).index(name)
    del content["events"][name]
    return {"op": "add_event", "event": name, "definition": definition, "at": at}


def _rename_event(content: Content, given: Operation) -> Operation:
    name, to = _text(given, "event"), _text(given, "to")
    definition = _event(content, name)
    complete({"events": {to: definition}})
    _check_free(content, to, definition, but=name)
    content["events"] = {to if n == name else n: d for n, d in content["events"].items()}
    return {"op": "rename_event", "event": to, "to": name}


def _set_event(content: Content, given: Operation) -> Operation:
    name, members = _text(given, "event"), _members(given)
    before = _event(content, name)
    if unknown := members.keys() - OF_EVENT:
        raise _refused("bad_operation", f"An event has no `{min(unknown)[:100]}`.", name)
    after = _with(before, members)
    if members.get("schema") is not None:
        after = {member: value for member, value in after.items() if member not in OF_RULES}
    elif members.get("rules") is not None:
        after = {member: value for member, value in after.items() if member not in OF_SCHEMA}
    complete({"events": {name: after}})
    if ("schema" in before) != ("schema" in after):
        _check_free(content, name, after, but=name)
    content["events"][name] = after
    changed = {m: before.get(m) for m in {**before, **after} if before.get(m) != after.get(m)}
    return {"op": "set_event", "event": name, "set": changed}


def _event(content: Content, name: str) -> Definition:
    definition = content["events"].get(name)
    if definition is None:
        raise _refused("unknown_event", "The draft has no such event (any more).", name)
    return definition


def _check_free(content: Content, name: str, definition: Definition, but: str | None = None) -> None:
    wanted = identity(name, definition)
    for other, theirs in content["events"].items():
        if other != but and (other == name or identity(other, theirs) == wanted):
            raise _refused("event_taken", f"The plan has this event already, as `{other}`.", name)


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add_rule(content: Content, given: Operation) -> Operation:
    name = _text(given, "event")
    rule = given.get("rule")
    if not isinstance(rule, dict) or "path" not in rule:
        raise _refused("bad_rule", "A rule is an object with a path and a type.", name)
    _check_members(name, rule)
    rules = _rules(content, name)
    rules.insert(_place(given, len(rules)), {m: v for m, v in rule.items() if v is not None})
    return {"op": "delete_rule", "event": name, "path": rule["path"]}


def _delete_rule(content: Content, given: Operation) -> Operation:
    name, path = _text(given, "event"), _text(given, "path")
    at = _position(content, name, path)
    return {"op": "add_rule", "event": name, "rule": _rules(content, name).pop(at), "at": at}


def _set_rule(content: Content, given: Operation) -> Operation:
    name, path, members = _text(given, "event"), _text(given, "path"), _members(given)
    _check_members(name, members)
    at = _position(content, name, path)
    rules = _rules(content, name)
    before = rules[at]
    rules[at] = after = _with(before, members)
    changed = {member: before.get(member) for member in members}
    return {"op": "set_rule", "event": name, "path": after.get("path", path), "set": changed}


def _rules(content: Content, name: str) -> list[dict[str, Any]]:
    definition = _event(content, name)
    if "schema" in definition:
        raise _refused("has_schema", "A JSON Schema describes this event: change the schema.", name)
    return definition.setdefault("rules", [])


def _position(content: Content, name: str, path: str) -> int:
    for at, rule in enumerate(_rules(content, name)):
        if rule.get("path") == path:
            return at
    raise _refused("unknown_rule", "The draft has no such rule (any more).", name, path)


def _check_members(name: str, members: dict[str, Any]) -> None:
    """What validation.rules would read otherwise than it was meant."""
    for member, value in members.items():
        if value is None and member not in ("path", "type"):
            continue
        if member in FLAGS:
            good, wanted = isinstance(value, bool), "true or false"
        elif member in TEXTS:
            good, wanted = isinstance(value, str) and len(value) <= LONGEST_TEXT, "a text"
        else:
            good, wanted = member == "constraints" and isinstance(value, dict), "unknown, or not an object"
        if not good:
            raise _refused("bad_rule", f"A rule's `{member[:100]}` must be {wanted}.", name)


# ── the plan ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set_plan(content: Content, given: Operation) -> Operation:
    members = _members(given)
    if unknown := members.keys() - OF_PLAN:
        raise _refused("bad_operation", f"A plan has no `{min(unknown)[:100]}`.")
    changed = {member: content.get(member) for member in members}
    after = complete(_with(content, members))
    content.clear()
    content.update(after)
    return {"op": "set_plan", "set": changed}


def _replace(content: Content, given: Operation) -> Operation:
    whole = complete(given.get("content"))
    before = dict(content)
    content.clear()
    content.update(whole)
    return {"op": "replace", "content": before}


# ── what they share ──────────────────────────────────────────────────────────────────────────────────────────────────


def _with(before: dict[str, Any], members: dict[str, Any]) -> dict[str, Any]:
    return {m: v for m, v in {**before, **members}.items() if v is not None}


def _text(given: Operation, member: str) -> str:
    value = given.get(member)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise _refused("bad_operation", f"`{given['op']}` needs `{member}`, a text.")
    return value


def _members(given: Operation) -> dict[str, Any]:
    members = given.get("set")
    if not isinstance(members, dict):
        raise _refused("bad_operation", f"`{given['op']}` needs `set`, an object.")
    return members


def _place(given: Operation, most: int) -> int:
    at = given.get("at", most)
    if not isinstance(at, int) or isinstance(at, bool) or at < 0:
        raise _refused("bad_operation", "`at` is a whole number from 0.")
    return min(at, most)


def _refused(code: str, message: str, event: str | None = None, path: str | None = None) -> PlanInvalid:
    shown = event[:LONGEST_NAME] if event is not None else None
    return PlanInvalid([Problem(code, message, event=shown, path=path and path[:LONGEST_NAME])])


OPERATIONS: Final[dict[str, Callable[[Content, Operation], Operation]]] = {
    "add_event": _add_event,
    "delete_event": _delete_event,
    "rename_event": _rename_event,
    "set_event": _set_event,
    "add_rule": _add_rule,
    "delete_rule": _delete_rule,
    "set_rule": _set_rule,
    "set_plan": _set_plan,
    "replace": _replace,
}
