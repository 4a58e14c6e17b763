"""The error that a user can mend."""


class UserError(ValueError):
    """A request that can't be met, or a file or machine that fails it.

    The message is one line: what was expected, what was received, and how to mend it. Commands
    print it alone, without a traceback. Subclasses exist where callers catch them apart.
    """
