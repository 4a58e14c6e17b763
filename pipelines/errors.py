"""The error for what a user can fix."""


class UserError(ValueError):
    """A request that can't be met, or a file or machine that fails it.

    The message is one line: what was expected, what was received, and how to fix it. Commands
    print it without a traceback. Subclasses exist where callers catch them separately.
    """
