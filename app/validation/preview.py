"""Values as they stand in an explanation: short ones as they are, long ones cut."""

from typing import Any, Final

MOST_CHARACTERS: Final = 200


def preview(value: Any) -> Any:
    """The value itself where it is short; a long text cut, a large array or object in words."""
    if isinstance(value, str):
        return value if len(value) <= MOST_CHARACTERS else value[: MOST_CHARACTERS - 1] + "…"
    if isinstance(value, (list, dict)) and _room_after(value, MOST_CHARACTERS) < 0:
        noun = "items" if isinstance(value, list) else "properties"
        return f"{'array' if isinstance(value, list) else 'object'} of {len(value)} {noun}"
    return value


def preview_options(options: list[Any]) -> list[Any]:
    """As many of a list's values as are short together, then how many more there are."""
    room = MOST_CHARACTERS
    shown: list[Any] = []
    for option in options:
        room = _room_after(option, room - 2)
        if room < 0 and shown:
            return [*shown, f"… {len(options) - len(shown)} more"]
        shown.append(preview(option))
    return shown


def _room_after(value: Any, room: int) -> int:
    """The room that is left after writing the value; below 0, and no further looked at, where it does not
    fit.
    """
    if isinstance(value, str):
        return room - len(value) - 2
    if isinstance(value, list):
        for item in value:
            if (room := _room_after(item, room - 1)) < 0:
                break
        return room
    if isinstance(value, dict):
        for key, item in value.items():
            if (room := _room_after(item, room - len(key) - 4)) < 0:
                break
        return room
    return room - 5
