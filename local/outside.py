"""What has to lie outside of `var`: PostgreSQL's account may be unable to enter it, and must not be let in.

A checkout or `var` below a private home is the usual case. Permissions of folders that are not ours are never
widened for it.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from local.places import Places

OUTSIDE = Path("/var/lib/live-validation")


def folder(places: Places) -> Path:
    """A folder for the data of this `var`; beside it a file says to which `var` it belongs."""
    OUTSIDE.mkdir(mode=0o711, exist_ok=True)
    _forget_the_temporary()
    place = OUTSIDE / places.mark
    known = places.run / "outside"
    if place.exists() and not known.exists():
        # `var` was removed and made anew: its old data are not shown to the new stack, and not destroyed.
        kept = OUTSIDE / f"{places.mark}-{int(place.stat().st_mtime)}"
        place.rename(kept)
        print(f"  {places.var} is new; the data of its predecessor were moved to {kept}")
    known.write_text(str(place))
    _owner_of(place).write_text(str(places.var))
    return place


def forget(places: Places) -> None:
    """Remove the data of this `var` that lie outside of it."""
    _remove(OUTSIDE / places.mark)


def copied(name: str, folders: Iterable[Path]) -> Path:
    """A copy of these folders that every account can read, made once."""
    copy = OUTSIDE / name
    if not copy.exists():
        OUTSIDE.mkdir(mode=0o711, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=OUTSIDE))
        for original in folders:
            shutil.copytree(original, unfinished / original.name, symlinks=True)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:  # another stack made it meanwhile
            shutil.rmtree(unfinished)
            if not copy.exists():
                raise
    return copy


def _forget_the_temporary() -> None:
    """Remove what belonged to tests and tries: their `var` was in the temporary folder, and is gone."""
    for owner in OUTSIDE.glob("*.var"):
        try:
            var = Path(owner.read_text())
        except FileNotFoundError:  # another stack that starts or ends now was quicker
            continue
        place = owner.with_suffix("")
        is_running = (
            place / "data" / "postmaster.pid"
        ).exists()  # with a temporary folder of its own, perhaps
        if var.is_relative_to(tempfile.gettempdir()) and not var.exists() and not is_running:
            _remove(place)


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    _owner_of(place).unlink(missing_ok=True)


def _owner_of(place: Path) -> Path:
    return place.with_suffix(".var")
