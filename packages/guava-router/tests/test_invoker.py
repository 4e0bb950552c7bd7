"""Invoker: a fresh instance for each call, and what counts as an answer."""

import gc
import sys
import weakref

import pytest
from guava_router import Invoker


class Base:
    __slots__ = ("extra", "out", "req", "resp")


START = {"out": None, "resp": None}


def invoker(cls, name="act", finish=lambda instance, result: (instance, result), **changes):
    arguments = {
        "controller": cls,
        "function": getattr(cls, name, print),
        "owner": Base,
        "request": "req",
        "fresh": START,
        "written": "out",
        "finish": finish,
    }
    return Invoker(**(arguments | changes))


def act(body):
    return type("Acting", (Base,), {"act": body})


@pytest.mark.parametrize("args", [(), ("a",), ("a", "b"), tuple("x" * 15)])
def test_what_the_method_gets(args: tuple) -> None:
    seen = []

    def body(self, *given):
        seen.append((type(self), self.req, self.out, self.resp, given))
        return "done"

    cls = act(body)
    assert invoker(cls)("request", *args) == "done"
    assert seen == [(cls, "request", None, None, args)]


def test_a_str_returned_or_written_is_the_answer() -> None:
    assert invoker(act(lambda self: "returned"))(1) == "returned"

    def write(self):
        self.out = "written"

    assert invoker(act(write))(1) == "written"
    assert invoker(act(lambda self: ""))(1) == ""


class Text(str):
    pass


@pytest.mark.parametrize(
    ("out", "resp", "result"),
    [
        (None, None, None),
        (None, None, b"bytes"),
        (None, None, Text("text")),
        (None, None, {"a": 1}),
        ("written", None, "returned"),
        ("written", None, 5),
        (["several"], None, None),
        (Text("written"), None, None),
        (None, "set", "returned"),
        (None, "set", None),
        ("written", "set", None),
    ],
)
def test_everything_else_is_finished(out, resp, result) -> None:
    def body(self):
        self.out, self.resp = out, resp
        return result

    instance, given = invoker(act(body))(1)
    assert (instance.out, instance.resp, given) == (out, resp, result)


def test_a_slot_that_was_deleted() -> None:
    def body(self):
        del self.out

    instance, result = invoker(act(body))(1)
    assert not hasattr(instance, "out") and result is None


def test_every_call_has_an_instance_of_its_own() -> None:
    instances = [invoker(act(lambda self: None))(n)[0] for n in range(3)]
    assert len({id(instance) for instance in instances}) == 3
    assert [instance.req for instance in instances] == [0, 1, 2]


def test_classes_with_init_and_new() -> None:
    class Own(Base):
        def __init__(self):
            self.mine = "init"

        def act(self):
            return self.mine

    assert invoker(Own)(1) == "init"

    class New(Base):
        def __new__(cls):
            self = super().__new__(cls)
            self.mine = "new"
            return self

        def act(self):
            return self.mine

    assert invoker(New)(1) == "new"

    class Stranger(Base):
        def __new__(cls):
            return object()

        act = New.act

    with pytest.raises(TypeError, match="no instance"):
        invoker(Stranger)(1)

    class Failing(Base):
        def __init__(self):
            raise LookupError

        act = New.act

    with pytest.raises(LookupError):
        invoker(Failing)(1)


def test_errors_come_out() -> None:
    def fail(*args):
        raise LookupError

    with pytest.raises(LookupError):
        invoker(act(fail))(1)
    with pytest.raises(LookupError):
        invoker(act(lambda self: None), finish=fail)(1)
    with pytest.raises(TypeError, match="argument"):
        invoker(act(lambda self: None))(1, 2)


def test_what_it_cannot_be_made_of() -> None:
    class Shadow(Base):
        req = None

        def act(self): ...

    class Property(Base):
        out = property(lambda self: 1)

        def act(self): ...

    for cls, changes in [
        (Shadow, {}),
        (Property, {}),
        (Base, {"request": "act"}),
        (Base, {"fresh": {"missing": 1}}),
        (Base, {"fresh": {1: 1}}),
        (object, {}),
        (Base, {"function": None}),
        (Base, {"finish": None}),
        (Base, {"fresh": []}),
    ]:
        with pytest.raises((TypeError, AttributeError)):
            invoker(cls, **changes)
    with pytest.raises(ValueError, match="at most"):
        invoker(Base, fresh=dict.fromkeys(("req", "out", "resp", "extra", "more")))


def test_wrong_calls() -> None:
    call = invoker(act(lambda self, *args: "done"))
    for args, names in [((), {}), ((1,), {"a": 1}), (tuple(range(17)), {})]:
        with pytest.raises(TypeError, match="request"):
            call(*args, **names)


def test_it_leaves_nothing_behind() -> None:
    class Token:
        pass

    cls = act(lambda self: "done")
    token = Token()
    alive = weakref.ref(token)
    cls.call = call = invoker(cls, fresh={"out": None, "resp": token})
    also = invoker(act(lambda self: None), finish=lambda instance, result: None)

    def all_of_them(call: Invoker = call) -> None:
        call("request")
        also("request")
        try:
            call("request", "too many")
        except TypeError:
            pass

    all_of_them()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(2000):
        all_of_them()
    assert sys.getallocatedblocks() - before < 50
    del token, cls, call, all_of_them
    gc.collect()
    assert alive() is None
