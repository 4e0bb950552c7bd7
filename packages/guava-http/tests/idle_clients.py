"""Idle connections, from a process of their own: `idle_clients.py PORT`.

Reads lines from its input: a number is how many connections to have open from now on, a request
answered on each; it answers with the number once they are there. Each address of a machine has as
many ports as two thousand connections need many times over, so one is enough.
"""

import socket
import sys

REQUEST = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: idle\r\nAccept: */*\r\n\r\n"


def main() -> None:
    port = int(sys.argv[1])
    clients: list[socket.socket] = []
    for line in sys.stdin:
        wanted = int(line)
        while len(clients) > wanted:
            clients.pop().close()
        while len(clients) < wanted:
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(REQUEST)
            data = b""
            while not data.endswith(b"\r\n\r\nidle"):
                part = client.recv(4096)
                if not part:
                    raise SystemExit(f"connection {len(clients)} was closed")
                data += part
            clients.append(client)
        print(wanted, flush=True)


main()
