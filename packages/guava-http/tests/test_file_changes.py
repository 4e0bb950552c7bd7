"""FileResponse with files that are not there, change or go while they are sent."""

import os

import pytest
from guava_http import FileMissing, FileResponse, RequestError, Timeouts


def get(*fields):
    return ("GET", fields)


def test_a_file_that_is_not_there(wire, tmp_path, caplog):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    names = iter(["none", "folder", "fifo", "none/none"])
    answers = wire.ask(lambda r: FileResponse(tmp_path / next(names)), *[get()] * 4)
    assert [a.status for a in answers] == [404] * 4
    assert not caplog.records


def test_the_exception(tmp_path):
    with pytest.raises(FileMissing) as caught:
        FileResponse(tmp_path / "none")
    error = caught.value
    assert isinstance(error, FileNotFoundError) and isinstance(error, RequestError)
    assert (error.status, error.errno) == (404, 2)
    assert error.filename == tmp_path / "none"


def test_a_file_that_grows_is_cut_where_it_was(wire, large):
    content = large.read_bytes()

    def handler(request):
        response = FileResponse(large)
        with large.open("ab") as file:
            file.write(b"more")
        return response

    answer, *_ = wire.ask(handler, get())
    assert answer.body == content


@pytest.mark.parametrize("left", [0, 5, 300_000])
@pytest.mark.parametrize("value", [None, "bytes=0-99,400000-600000"])
def test_a_file_that_shrinks_ends_the_connection(wire, large, left, value, caplog):
    def handler(request):
        response = FileResponse(large)
        os.truncate(large, left)
        return response

    async def scenario(server, connect):
        client = await connect()
        fields = "" if value is None else f"Range: {value}\r\n"
        await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        received = await client.end()
        head, _, body = received.partition(b"\r\n\r\n")
        # It may be that not even the head came out; what came is never padded.
        assert len(body) <= left + 1000
        assert b"Content-Length" in head or received == b""

    wire.run(handler, scenario)


def test_a_file_that_is_replaced_is_sent_as_it_was_opened(wire, large):
    content = large.read_bytes()

    def handler(request):
        response = FileResponse(large)
        large.unlink()
        large.write_bytes(b"new")
        return response

    (answer,) = wire.ask(handler, get())
    assert answer.body == content


def test_clients_that_leave(whole, large):
    async def scenario(server, connect):
        before = len(os.listdir("/dev/fd"))
        for fields in ("", "Range: bytes=0-99,200-1000000\r\n"):
            for _ in range(5):
                client = await connect(4096)
                await client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
                await client.receive()
                client.reset()
        await whole.until(lambda: server.connections == 0)
        await whole.until(lambda: len(os.listdir("/dev/fd")) <= before)

    whole.run(lambda r: FileResponse(large), scenario)


def test_a_client_that_stalls_is_cut_off(whole, tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 28)

    async def scenario(server, connect):
        client = await connect(4096)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.receive()
        await whole.until(lambda: server.connections == 0)

    whole.run(lambda r: FileResponse(path), scenario, timeouts=Timeouts(write=0.3))


def test_descriptors_are_closed(native, small, large):
    paths = [small, large]
    fields = [
        (),
        (("Range", "bytes=0-0,-1"),),
        (("Range", "bytes=9999999-"),),
        (("If-None-Match", "*"),),
    ]

    async def scenario(server, connect):
        client = await connect()
        counts = []
        for _ in range(3):
            for _ in range(10):
                for each in fields:
                    await client.get("/", "".join(f"{n}: {v}\r\n" for n, v in each))
            counts.append(len(os.listdir("/dev/fd")))
        assert counts[0] == counts[1] == counts[2]

    for path in paths:
        native.run(lambda r, path=path: FileResponse(path), scenario)
