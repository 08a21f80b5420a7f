"""A TCP link that answers late, as a program of its own:

    slow_link.py OWN_PORT SERVER_PORT MILLISECONDS

What the client sends goes on at once; each piece of the answer waits so long. All on 127.0.0.1.
"""

import asyncio
import sys

PIECE = 1 << 16


async def forward(reader, writer):
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()
    writer.close()


async def forward_late(reader, writer, delay):
    loop = asyncio.get_running_loop()
    waiting = asyncio.Queue()

    async def deliver():
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    delivery = asyncio.ensure_future(deliver())
    data = b"first"
    while data:
        data = await reader.read(PIECE)
        waiting.put_nowait((loop.time() + delay, data))
    await delivery


async def main(own_port, server_port, delay):
    async def connected(reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server_port)
        await asyncio.gather(forward(reader, server_writer),
                             forward_late(server_reader, writer, delay), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", own_port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
