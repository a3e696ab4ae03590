"""E-mail addresses: what counts as one, and the one way it is written."""

from email_validator import EmailNotValidError, validate_email

LONGEST = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets


def normalised(typed: str) -> str | None:
    """The address in lower case and Unicode NFC, or None where it is none.

    Closed networks have hosts like `mail.internal`, so a domain need not be reachable from the world.
    Lower case throughout: no provider tells Anna@ from anna@, and two accounts for one person help nobody.
    """
    if len(typed) > LONGEST:
        return None
    try:
        return validate_email(
            typed.strip(), check_deliverability=False, globally_deliverable=False
        ).normalized.lower()
    except EmailNotValidError:
        return None
