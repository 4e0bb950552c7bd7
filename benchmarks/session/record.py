"""The session that everybody keeps: some ten values, 400 bytes of JSON."""

from typing import Any


def record(number: int = 4711) -> dict[str, Any]:
    """A fresh one of a visitor's; none of its texts is another's."""
    return {
        "user_id": number,
        "name": f"Ada Lovelace {number}",
        "roles": ["reader", "author"],
        "cart": [
            {"sku": f"book-{number}-{item}", "count": item, "price": number + item + 0.5}
            for item in range(3)
        ],
        "csrf": f"{number:043d}",
        "theme": "dark",
        "locale": "en-GB",
        "seen": 1790000000 + number,
        "visits": 17,
    }


def copied(value: Any) -> Any:
    """A copy as a store of dicts must make it, so that requests share nothing that changes."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if type(value) is list:
        return [copied(item) for item in value]
    return value
