"""How many tests each module has, and how many loops of ours they made, when last counted.

A module that suddenly runs fewer has lost some without a failure: a class that no longer loads, or
loops that are no longer ours. Releases of one version differ (3.11.2 has 22 tests of time-outs,
3.11.7 has 32), so two thirds will do; a version of Python that is not listed is not held to any.
"""

# module: {version: (tests, loops)}
COUNTED = {
    "test_base_events": {
        "3.11": (109, 57),
        "3.12": (109, 57),
        "3.13": (111, 57),
    },
    "test_buffered_proto": {
        "3.11": (2, 1),
        "3.12": (1, 1),
        "3.13": (2, 1),
    },
    "test_context": {
        "3.11": (1, 1),
        "3.12": (1, 1),
        "3.13": (1, 1),
    },
    "test_eager_task_factory": {
        "3.12": (39, 39),
        "3.13": (40, 40),
    },
    "test_events": {
        "3.11": (253, 252),
        "3.12": (256, 255),
        "3.13": (259, 258),
    },
    "test_futures": {
        "3.11": (155, 0),
        "3.12": (155, 0),
        "3.13": (162, 0),
    },
    "test_futures2": {
        "3.11": (3, 3),
        "3.12": (7, 7),
        "3.13": (7, 7),
    },
    "test_locks": {
        "3.11": (70, 71),
        "3.12": (70, 71),
        "3.13": (75, 76),
    },
    "test_pep492": {
        "3.11": (10, 0),
        "3.12": (11, 0),
        "3.13": (11, 0),
    },
    "test_protocols": {
        "3.11": (5, 0),
        "3.12": (5, 0),
        "3.13": (5, 0),
    },
    "test_queues": {
        "3.11": (44, 44),
        "3.12": (44, 44),
        "3.13": (59, 59),
    },
    "test_runners": {
        "3.11": (26, 0),
        "3.12": (27, 0),
        "3.13": (29, 1),
    },
    "test_selector_events": {
        "3.11": (111, 0),
        "3.12": (121, 0),
        "3.13": (122, 0),
    },
    "test_sendfile": {
        "3.11": (60, 60),
        "3.12": (60, 60),
        "3.13": (60, 60),
    },
    "test_server": {
        "3.11": (3, 2),
        "3.12": (4, 4),
        "3.13": (12, 11),
    },
    "test_sock_lowlevel": {
        "3.11": (39, 39),
        "3.12": (39, 39),
        "3.13": (39, 39),
    },
    "test_ssl": {
        "3.11": (22, 22),
        "3.12": (22, 22),
        "3.13": (22, 22),
    },
    "test_sslproto": {
        "3.11": (32, 21),
        "3.12": (21, 21),
        "3.13": (33, 22),
    },
    "test_staggered": {
        "3.13": (5, 5),
    },
    "test_streams": {
        "3.11": (67, 67),
        "3.12": (67, 67),
        "3.13": (73, 73),
    },
    "test_subprocess": {
        "3.11": (148, 117),
        "3.12": (141, 139),
        "3.13": (145, 143),
    },
    "test_taskgroups": {
        "3.11": (35, 35),
        "3.12": (35, 35),
        "3.13": (39, 39),
    },
    "test_tasks": {
        "3.11": (913, 325),
        "3.12": (945, 341),
        "3.13": (977, 365),
    },
    "test_threads": {
        "3.11": (6, 6),
        "3.12": (6, 6),
        "3.13": (6, 6),
    },
    "test_timeouts": {
        "3.11": (32, 32),
        "3.12": (32, 32),
        "3.13": (34, 34),
    },
    "test_transports": {
        "3.11": (7, 0),
        "3.12": (7, 0),
        "3.13": (7, 0),
    },
    "test_unix_events": {
        "3.11": (120, 48),
        "3.12": (125, 53),
        "3.13": (125, 53),
    },
    "test_waitfor": {
        "3.11": (15, 15),
        "3.12": (19, 19),
        "3.13": (19, 19),
    },
}


def floor(module: str, version: str) -> tuple[int, int]:
    """The least numbers of tests and of loops that a module must have had.

    Args:
        module: of test.test_asyncio.
        version: of Python, as "3.11".
    """
    tests, loops = COUNTED.get(module, {}).get(version, (1, 0))
    return tests * 2 // 3, loops * 2 // 3
