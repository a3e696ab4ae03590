"""The judge's words: event, verdict, violation, judgement."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

# Violation and Judgement are tuples with names: a frozen dataclass takes four times as long to make, and that
# would be most of the judge's own work.

# An answer stays readable and small: what is beyond this is counted, not listed.
MOST_VIOLATIONS: Final = 100


# Where an event that is a JSON object has its name, and its payload: the first of these that is there.
NAME_MEMBERS: Final = ("eventName", "event_name", "event", "name")
PAYLOAD_MEMBERS: Final = ("payload", "properties")


class Verdict(StrEnum):
    """What the judge says of one event."""

    VALID = "valid"
    INVALID = "invalid"
    UNPLANNED = "unplanned"
    EXEMPT = "exempt"


class ViolationKind(StrEnum):
    """The ways in which an event can differ from its plan. Stored; sentences are made when shown."""

    MISSING_PROPERTY = "missing_property"
    EMPTY_VALUE = "empty_value"
    TYPE_MISMATCH = "type_mismatch"
    CONSTRAINT_BROKEN = "constraint_broken"
    UNPLANNED_PROPERTY = "unplanned_property"
    UNPLANNED_EVENT = "unplanned_event"
    CONDITION_BROKEN = "condition_broken"


class Severity(StrEnum):
    """How much a violation weighs. Only an error makes an event invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Event:
    """A named fact as it was sent. `envelope` holds what stands beside name and payload."""

    name: str
    payload: dict[str, Any]
    envelope: dict[str, Any] = field(default_factory=dict)


class Violation(NamedTuple):
    """One way in which one event broke one rule.

    path: where in the payload, `a.b[0].c`; keys with other characters are quoted, `["odd.key"]`; "" is the
    payload itself.
    expected, received: short JSON values, or words for types (text, integer, number, boolean, array,
    object, null, date, datetime). None where there is nothing to say.
    constraint: which one was broken (enum, pattern, minimum, …); only with CONSTRAINT_BROKEN.
    suggestion: the name or value that was probably meant.
    is_private: the rule keeps the received value to itself, so neither `received` nor `suggestion` shows it.
    """

    kind: ViolationKind
    path: str
    expected: Any = None
    received: Any = None
    severity: Severity = Severity.ERROR
    constraint: str | None = None
    suggestion: str | None = None
    is_private: bool = False

    def as_json(self) -> dict[str, Any]:
        """The contract's shape, without the sentence."""
        shape: dict[str, Any] = {
            "kind": self.kind.value,
            "path": self.path,
            "severity": self.severity.value,
            "expected": self.expected,
            "received": self.received,
        }
        if self.constraint is not None:
            shape["constraint"] = self.constraint
        if self.suggestion is not None:
            shape["suggestion"] = self.suggestion
        if self.is_private:
            shape["private"] = True
        return shape


class Judgement(NamedTuple):
    """The verdict on one event with its reasons, errors first. `omitted` counts those beyond 100."""

    verdict: Verdict
    violations: tuple[Violation, ...] = ()
    omitted: int = 0


# Looked up once: a member of an enum costs as much as the rest of a judgement.
_ERROR: Final = Severity.ERROR
_INVALID: Final = Verdict.INVALID
VALID: Final = Judgement(Verdict.VALID)
EXEMPT: Final = Judgement(Verdict.EXEMPT)


def conclude(violations: list[Violation], uncounted: int = 0) -> Judgement:
    """The judgement that these violations amount to: invalid with at least one error, valid otherwise.

    The order is kept, except that errors come before warnings and infos. `uncounted`: violations known to
    exist beyond the listed ones.
    """
    if len(violations) == 1:
        is_error = violations[0].severity is _ERROR
        return Judgement(_INVALID if is_error else Verdict.VALID, (violations[0],), uncounted)
    errors = [violation for violation in violations if violation.severity is _ERROR]
    if errors and len(errors) == len(violations) <= MOST_VIOLATIONS:
        return Judgement(_INVALID, tuple(violations), uncounted)
    if len(errors) != len(violations):
        violations = errors + [v for v in violations if v.severity is not _ERROR]
    verdict = _INVALID if errors else Verdict.VALID
    omitted = max(0, len(violations) - MOST_VIOLATIONS) + uncounted
    return Judgement(verdict, tuple(violations[:MOST_VIOLATIONS]), omitted)
