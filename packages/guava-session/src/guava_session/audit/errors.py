"""What keeps the audit from going on, each with a text for the person who runs it."""


class AuditError(Exception):
    """The audit, or one check of it, could not be run."""


class ConfigError(AuditError):
    """The description of the site is incomplete or wrong."""


class Unreachable(AuditError):
    """The site gave no HTTP answer: no connection, a time-out, or broken off in the middle."""


class Elsewhere(AuditError):
    """The site leads to another host, which nobody has permitted to test."""


class Refused(AuditError):
    """The site does not let us in: a wrong password, or too many requests."""


class OutOfRequests(AuditError):
    """The number of requests that the audit may send is used up."""
