"""The least a web program in Python is: FastAPI, one page, the same server; `python -m tests.bench.bare PORT`."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/chats")
async def page() -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>Bare</title><p>Nothing here.")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_config=None)
