"""hypercorn has no setting for a loop of others. Two ways that do not need one."""

import asyncio
import signal

import h2.config
import h2.connection
import h2.events
import httpx
import pytest
from websockets.sync.client import connect

APPLICATION = """
import asyncio

{install}


async def app(scope, receive, send):
    module = type(asyncio.get_running_loop()).__module__
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], module, flush=True)
            await send({{"type": message["type"] + ".complete"}})
            if message["type"] == "lifespan.shutdown":
                return
    elif scope["type"] == "http":
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        body = f"{{scope['http_version']}} {{module}} {{size}}".encode()
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": body}})
    else:
        await receive()
        await send({{"type": "websocket.accept"}})
        while (message := await receive())["type"] == "websocket.receive":
            await send({{"type": "websocket.send", "text": message["text"]}})


{serve}
"""

# The program that serves: it makes the loop itself.
SERVE = """
if __name__ == "__main__":
    import sys
    import guava_loop
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config.from_mapping(bind=[f"fd://{{sys.argv[1]}}"], **{options})
    with asyncio.Runner(loop_factory={factory}) as runner:
        runner.run(serve(app, config))
"""

# The command "hypercorn": each worker loads the application before it makes its loop.
INSTALL = "import guava_loop\n\nguava_loop.install()"


@pytest.fixture(params=["asyncio", "guava"])
def loop(request):
    return request.param


def module_of(loop):
    return "asyncio.unix_events" if loop == "asyncio" else "guava_loop.loop"


@pytest.fixture(params=["program", "command"])
def hypercorn(request, serve, tmp_path, loop, authority):
    def hypercorn(tls=False):
        ours = loop == "guava"
        files = {"certfile": str(authority.certificate), "keyfile": str(authority.key)}
        options = files if tls else {}
        if request.param == "program":
            factory = "guava_loop.new_event_loop" if ours else "asyncio.SelectorEventLoop"
            parts = {"install": "", "serve": SERVE.format(factory=factory, options=options)}
            command = ["app", "{fd}"]
        else:
            parts = {"install": INSTALL if ours else "", "serve": ""}
            command = ["hypercorn", "--bind", "fd://{fd}", "app:app"]
            command += [part for name, file in options.items() for part in (f"--{name}", file)]
        (tmp_path / "app.py").write_text(APPLICATION.format(**parts))
        return serve(*command)

    return hypercorn


def over(server, loop):
    code, said = server.ended()
    assert f"lifespan.startup {module_of(loop)}" in said
    assert f"lifespan.shutdown {module_of(loop)}" in said
    assert "Traceback" not in said
    assert code == 0


def test_http_and_websocket(hypercorn, loop):
    server = hypercorn()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        for size in (0, 10, 5_000_000):
            answer = client.post("/", content=bytes(size)).text
            assert answer == f"1.1 {module_of(loop)} {size}"
    with connect(f"ws://127.0.0.1:{server.port}/", max_size=None) as socket:
        for message in ("hello", "x" * 1_000_000):
            socket.send(message)
            assert socket.recv() == message
    over(server, loop)


def test_http2_over_tls(hypercorn, loop, authority):
    """ALPN, many streams on one connection, and flow control that the client drives."""
    server = hypercorn(tls=True)

    async def main():
        context = authority.client()
        context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection("localhost", server.port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        connection = h2.connection.H2Connection(h2.config.H2Configuration())
        connection.initiate_connection()
        head = [(":method", "POST"), (":path", "/"), (":scheme", "https"), (":authority", "a")]
        for stream in range(1, 40, 2):
            connection.send_headers(stream, head)
            connection.send_data(stream, bytes(100 + stream), end_stream=True)
        writer.write(connection.data_to_send())
        bodies, ended = {}, 0
        while ended < 20:
            for event in connection.receive_data(await reader.read(65536)):
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                elif isinstance(event, h2.events.StreamEnded):
                    ended += 1
            writer.write(connection.data_to_send())
        assert bodies == {
            stream: f"2 {module_of(loop)} {100 + stream}".encode() for stream in range(1, 40, 2)
        }
        connection.close_connection()
        writer.write(connection.data_to_send())
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())
    over(server, loop)


def test_two_workers(serve, tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION.format(install=INSTALL, serve=""))
    server = serve("hypercorn", "--workers", "2", "--bind", "fd://{fd}", "app:app")
    for _ in range(5):
        answer = httpx.get(f"http://127.0.0.1:{server.port}/", trust_env=False)
        assert answer.text == "1.1 guava_loop.loop 0"
    server.until_said("lifespan.startup guava_loop.loop", 2)
    code, said = server.ended(signal.SIGINT)
    assert "Traceback" not in said
    assert said.count("lifespan.shutdown guava_loop.loop") == 2
    assert code == 0
