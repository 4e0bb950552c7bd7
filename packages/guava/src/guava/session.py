"""Sessions and where they are kept; all of it comes from the package guava-session.

store = guava.session.SessionStore(type=guava.session.File, directory="sessions")
guava.router.MVCRouter(mount_point="/", session_store=store)
"""

from guava_session import (
    File,
    FileStore,
    Mem,
    MemoryStore,
    Session,
    SessionManager,
    SessionStore,
    generate_id,
)

__all__ = [
    "File",
    "FileStore",
    "Mem",
    "MemoryStore",
    "Session",
    "SessionManager",
    "SessionStore",
    "generate_id",
]
