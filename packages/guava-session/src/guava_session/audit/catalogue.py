"""All checks, in the order of the report."""

from . import (
    check_cookie,
    check_forgery,
    check_id,
    check_login,
    check_state,
    check_tamper,
    check_transport,
)
from .report import Check

CHECKS: tuple[Check, ...] = (
    *check_login.CHECKS,
    *check_id.CHECKS,
    *check_tamper.CHECKS,
    *check_cookie.CHECKS,
    *check_forgery.CHECKS,
    *check_state.CHECKS,
    *check_transport.CHECKS,
)

#: What is never tested, and why.
NOT_TESTED = {
    "comparison-time": "whether ids or signatures are compared in constant time: over a network "
    "the noise is a million times larger than the difference; read the code",
    "time-outs": "idle and absolute time-outs: that takes as long as they are; read the settings",
}
