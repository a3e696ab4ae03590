"""The end of every way in: the session begins, the browser is known from then on, and its owner hears of a new one."""

from app.auth import alerts, devices
from app.auth import session as browser
from app.store import organisations


def arrive(user_id: int, *, remember: bool = False, is_new: bool = False) -> bool:
    """Sign the person in; False where there is no organisation to work in. The caller commits.

    remember: ask for no code in this browser for 30 days. is_new: the account was made just now, so nobody is warned.
    """
    organisation_id = organisations.home_of(user_id)
    if organisation_id is None:
        return False
    session_id = browser.begin(user_id, organisation_id)
    was_known = devices.recognise(user_id, browser.user_agent(), browser.address(), remember=remember)
    if not was_known and not is_new:
        alerts.tell(user_id, "new_device", session_id)
    return True
