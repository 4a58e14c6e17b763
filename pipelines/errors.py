"""The error for what a user can fix, and what is quoted of others."""


class UserError(ValueError):
    """A request that can't be met, or a file or machine that fails it.

    The message is one line: what was expected, what was received, and how to fix it. Commands
    print it without a traceback. Subclasses exist where callers catch them separately.
    """


def first_line(error):
    """Returns the first line of an error's message, or the name of its type if it has none."""
    # TensorFlow's errors hold their message apart from what it appends.
    text = str(getattr(error, "message", None) or error).strip()
    return text.partition("\n")[0] or type(error).__name__
