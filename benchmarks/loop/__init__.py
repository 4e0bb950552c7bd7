"""guava-loop beside asyncio's own loop and uvloop."""
