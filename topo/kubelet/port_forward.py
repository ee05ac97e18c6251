"""port-forward: connections to ports of a pod's own loopback, as the kubelet makes them: IPv4, then IPv6."""

from __future__ import annotations

import asyncio

from topo.kubelet import dial, tasks
from topo.kubelet.remote import Connection, Forward

_LOOPBACKS = ("127.0.0.1", "::1")


async def run(connection: Connection, namespace: str, pod: str) -> None:
    """Until the client leaves, or all that can be forwarded has ended. `namespace` is the pod's (a path), `pod` how a
    message calls it."""
    running: set[asyncio.Task[None]] = set()
    leaving = asyncio.create_task(connection.lost.wait())
    try:
        async for forward in connection.forwards():
            task = asyncio.create_task(_serve(forward, namespace, pod))
            running.add(task)
            task.add_done_callback(running.discard)
        while running and not leaving.done():
            await asyncio.wait([leaving, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await tasks.cancel((leaving, *running))


async def _serve(forward: Forward, namespace: str, pod: str) -> None:
    try:
        server = await dial.SocketEnd.of(await dial.connect(namespace, _LOOPBACKS, forward.port))
    except (dial.Refused, OSError) as error:
        message = f"error forwarding port {forward.port} to pod {pod}: {error}"
        await forward.error.write(message.encode())
    else:
        asking = asyncio.create_task(dial.copy(forward.data, server))
        try:
            # What the pod has closed is over; a client that has asked all it wants still waits for the answer.
            await dial.copy(server, forward.data)
        finally:
            await tasks.cancel([asking])
            server.abandon()
    await forward.data.close()
    await forward.error.close()
