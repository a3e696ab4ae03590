"""What a person has to put right before the stack can run."""


class Trouble(Exception):  # noqa: N818 (what people have, not what the code has)
    """Its message is one clear line for a terminal; the command then ends with status 2."""
