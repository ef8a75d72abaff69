"""A handler that only produces the body it gets: what the gateway's checks and parsers are measured against.

`python -m benchmarks.ingest_raw PORT BROKER TOPIC` answers 202 when the broker has acknowledged the body.
"""

import asyncio
import sys
import threading

import uvicorn
from confluent_kafka import Producer
from fastapi import FastAPI, Request, Response

from argus.stack.ports import LOOPBACK
from feature_store.log import producer


def application(client: Producer, topic: str) -> FastAPI:
    """POST / takes a body."""
    app = FastAPI()

    @app.post("/")
    async def take(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[object] = loop.create_future()
        client.produce(
            topic, await request.body(), on_delivery=lambda error, _: loop.call_soon_threadsafe(told.set_result, error)
        )
        return Response(status_code=503 if await told else 202)

    return app


def main() -> None:
    """The entry point."""
    port, broker, topic = sys.argv[1:]
    client = producer(broker, **{"linger.ms": 2, "delivery.timeout.ms": 15_000})

    def listen() -> None:
        while True:
            client.poll(0.05)

    threading.Thread(target=listen, daemon=True).start()
    uvicorn.run(application(client, topic), host=LOOPBACK, port=int(port), log_level="error")


if __name__ == "__main__":
    main()
