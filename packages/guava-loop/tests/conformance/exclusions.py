"""Every test of the standard library that is not run on guava-loop, and why.

A name is a module of test.test_asyncio, or a module and a part of a test's id. What asyncio's own
tests skip by themselves (Windows only, say) is not listed here.
"""

# Modules that have nothing to run on a loop like ours.
MODULES = {
    "test_proactor_events": "tests the Windows proactor",
    "test_windows_events": "tests the Windows loops",
    "test_windows_utils": "tests Windows pipes",
}

# A socket that is a mock has a fileno() that is no int; our pollers ask for a real descriptor.
_MOCK = "the socket is a mock without a file descriptor"

TESTS = {
    "test_base_events.BaseEventLoopWithSelectorTests": {
        "test_create_connection_ip_addr": _MOCK,
        "test_create_connection_ipv6_scope": _MOCK,
        "test_create_connection_no_inet_pton": _MOCK,
        "test_create_connection_service_name": _MOCK,
        "test_create_datagram_endpoint_ip_addr": _MOCK,
        "test_create_server_soreuseport_only_defined": _MOCK,
    },
}


def reason(test_id: str) -> str | None:
    """Why a test is left out; None: it is run.

    Args:
        test_id: as unittest spells it, "test.test_asyncio.module.Class.method".
    """
    name = test_id.removeprefix("test.test_asyncio.")
    group, _, method = name.rpartition(".")
    return TESTS.get(group, {}).get(method)
