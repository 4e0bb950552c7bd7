"""Random requests of one visitor, overlapping in time, against a model with deep copies."""

import copy
import json
import random

import pytest
from guava_session import FileStore, MemoryStore, SessionManager, SessionStore


class DictStore(SessionStore):
    """The four methods over a dict, with the inherited merge."""

    def __init__(self):
        super().__init__()
        self.rows = {}

    def set(self, sid, value):
        self.rows[sid] = json.dumps(value)

    def get(self, sid):
        return json.loads(self.rows.get(sid, "null"))

    def delete(self, sid):
        self.rows.pop(sid, None)


class Model:
    """One request: what it loaded, what it has now, and which keys it assigned."""

    def __init__(self, kept):
        self.base = copy.deepcopy(kept)
        self.now = copy.deepcopy(kept)
        self.assigned = set()
        self.cleared = False

    def commit(self, kept):
        if self.cleared:
            kept.clear()
        for key in self.base:
            if key not in self.now:
                kept.pop(key, None)
        for key, value in self.now.items():
            same = key in self.base and json.dumps(value) == json.dumps(self.base[key])
            if key in self.assigned or not same:
                kept[key] = copy.deepcopy(value)


VALUES = (1, True, 1.0, "text", None, [], [1], {}, {"a": [1]}, [[], {"b": 2}])


def change(chance, session, model):
    """The same random change to both."""
    key = chance.choice("abcde")
    what = chance.randrange(10)
    if what < 3:
        value = chance.choice(VALUES)
        session[key] = copy.deepcopy(value)
        model.now[key] = copy.deepcopy(value)
        model.assigned.add(key)
    elif what < 5:
        assert session.pop(key, "none") == model.now.pop(key, "none")
        model.assigned.discard(key)
    elif what < 8:
        for mapping in (session, model.now):
            value = mapping.get(key)
            if isinstance(value, list):
                value.append(what)
            elif isinstance(value, dict):
                value["new"] = {"n": len(value)}
    elif what == 8 and chance.random() < 0.2:
        session.clear()
        model.now.clear()
        model.assigned.clear()
        model.cleared = True
    assert repr(sorted(session.items())) == repr(sorted(model.now.items()))


@pytest.mark.parametrize("kind", ["memory", "file", "dict"])
@pytest.mark.parametrize("seed", range(6))
def test_overlapping_requests(kind, seed, tmp_path):
    chance = random.Random(f"{kind}{seed}")
    make = {
        "memory": MemoryStore,
        "file": lambda: FileStore(tmp_path / "sessions"),
        "dict": DictStore,
    }
    manager = SessionManager(make[kind]())
    session = manager.open(None)
    session["a"] = [1]
    sid = manager.commit(session).value
    kept = {"a": [1]}
    running = []
    for _ in range(400):
        if len(running) < 3 and chance.random() < 0.4:
            session = manager.open(sid)
            len(session)  # it is loaded now
            running.append((session, Model(kept)))
        elif running and chance.random() < 0.7:
            change(chance, *chance.choice(running))
        elif running:
            session, model = running.pop(chance.randrange(len(running)))
            manager.commit(session)
            model.commit(kept)
            found = dict(manager.open(sid))
            assert repr(sorted(found.items())) == repr(sorted(kept.items()))
    manager.store.close()
