"""The HTTP API: OpenAI's chat completions and embeddings, and what the server tells of itself."""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from loadgen.llm_server import answers
from loadgen.llm_server.behaviour import Behaviour
from loadgen.llm_server.error_mix import BROKEN
from loadgen.llm_server.exposition import CONTENT_TYPE, expose
from loadgen.llm_server.plan import KINDS, ChatPlan, Kind, plan_chat, plan_embedding
from loadgen.llm_server.recording import RecordedRequest, Records
from loadgen.llm_server.requests import ApiError, ChatRequest, EmbeddingRequest, read_request
from loadgen.llm_server.slots import Slots
from loadgen.llm_server.vectors import count_words, embed

LARGEST_BODY = 64 << 20
STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """The handlers of one server, and its counts. Belongs to the loop that is running when it is made."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._loop = asyncio.get_running_loop()
        self._records: dict[Kind, Records] = {kind: Records() for kind in KINDS}
        self._numbers = {kind: itertools.count() for kind in KINDS}
        limits = (behaviour.concurrency, behaviour.embedding_concurrency)
        self._slots = {
            kind: Slots(limit, self._records[kind], reject=behaviour.when_full == "reject")
            for kind, limit in zip(KINDS, limits, strict=True)
        }

    def make_app(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._answer_errors])
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/counts", self._counts)
        app.router.add_delete("/counts", self._counts)
        app.router.add_get("/metrics", self._metrics)
        return app

    @web.middleware
    async def _answer_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            if error.status == 429:  # noqa: PLR2004 - the status has no shorter name
                seconds = self._behaviour.retry_after
                error.headers |= {"Retry-After": str(seconds), "Retry-After-Ms": str(1000 * seconds)}
            return web.json_response(error.body, status=error.status, headers=error.headers)
        except web.HTTPException as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            said = ApiError(error.status, f"{request.method} {request.path}: {error.reason}", "invalid")
            return web.json_response(said.body, status=error.status, headers=allowed)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        with RecordedRequest(self._records["chat"], self._loop) as call:
            wanted = read_request(ChatRequest, await _read_body(request))
            plan = plan_chat(self._behaviour, next(self._numbers["chat"]), wanted.most_tokens)
            _raise_planned(plan.error)
            async with self._slots["chat"].take(call):
                stream = ChatStream(request, call, wanted, plan)
                return await (stream.send() if wanted.stream else stream.send_whole())

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        with RecordedRequest(self._records["embedding"], self._loop) as call:
            wanted = read_request(EmbeddingRequest, await _read_body(request))
            plan = plan_embedding(self._behaviour, next(self._numbers["embedding"]))
            _raise_planned(plan.error)
            async with self._slots["embedding"].take(call):
                texts, dim = wanted.texts, wanted.find_dim(self._behaviour.embedding_dim)
                tokens = count_words(texts)
                vectors = [embed(text, dim) for text in texts]
                in_base64 = wanted.encoding_format == "base64"
                body = _pack(answers.make_embeddings(wanted.model, vectors, tokens, as_base64=in_base64))
                await call.wait(plan.delay)
                if plan.error == BROKEN:
                    return await _break_off(request, call, body)
                call.end("ok", prompt_tokens=tokens, texts=len(texts))
                return web.Response(body=body, content_type="application/json")

    async def _models(self, _: web.Request) -> web.Response:
        names = ("simulated", f"simulated:{self._behaviour.embedding_dim}")
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "milvus-loadgen"} for name in names]
        return web.json_response({"object": "list", "data": data})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _counts(self, request: web.Request) -> web.Response:
        body = {kind: records.describe() for kind, records in self._records.items()}
        if request.method == "DELETE":
            for records in self._records.values():
                records.reset()
        return web.json_response(body)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=expose(self._records), headers={"Content-Type": CONTENT_TYPE})


class ChatStream:
    """The answer to one chat."""

    def __init__(self, request: web.Request, call: RecordedRequest, wanted: ChatRequest, plan: ChatPlan) -> None:
        self._request = request
        self._call = call
        self._wanted = wanted
        self._plan = plan
        self._head = {"id": f"chatcmpl-{plan.number}", "created": int(time.time()), "model": wanted.model}
        self._words = [answers.word_at(plan.number, place) for place in range(len(plan.offsets))]
        self._finish = "length" if plan.limited else "stop"
        self._usage = answers.make_usage(wanted.prompt_tokens, len(plan.offsets))

    async def send(self) -> web.StreamResponse:
        """Each token at its time; the headers come with the first."""
        response = web.StreamResponse(headers=STREAM)
        role = {"role": "assistant"}
        for place, (offset, word) in enumerate(zip(self._plan.offsets, self._words, strict=True)):
            if place == self._plan.cut_after:
                return self._cut(response)
            await self._call.wait(offset)
            if not place:
                await response.prepare(self._request)
            self._call.token()
            await response.write(answers.make_event(self._head, {**(role if not place else {}), "content": word}))
        end = answers.make_event(self._head, {}, self._finish)
        if self._wanted.wants_usage:
            end += answers.make_usage_event(self._head, self._usage)
        self._end()
        await response.write_eof(end + answers.DONE)
        return response

    async def send_whole(self) -> web.StreamResponse:
        """All tokens in one answer, when the last is due."""
        body = _pack(answers.make_chat(self._head, "".join(self._words), self._finish, self._usage))
        cut = self._plan.cut_after
        if produced := self._plan.offsets[:cut]:
            await self._call.wait(produced[-1])
        if cut is not None:
            return await _break_off(self._request, self._call, body)
        self._end(len(produced))
        return web.Response(body=body, content_type="application/json")

    def _cut(self, response: web.StreamResponse) -> web.StreamResponse:
        _close(self._request, self._call)
        return response

    def _end(self, whole: int = 0) -> None:
        """Count it; `whole` are tokens that were not counted one by one."""
        self._call.end("ok", prompt_tokens=self._usage["prompt_tokens"], completion_tokens=whole)


def _raise_planned(error: str) -> None:
    """The planned error as an answer, except for a cut connection, which happens later."""
    if not error or error == BROKEN:
        return
    status = int(error)
    code = "rate_limit_exceeded" if status == 429 else "simulated"  # noqa: PLR2004 - the status has no shorter name
    raise ApiError(status, f"Simulated error {error}.", error, code=code)


async def _read_body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, f"the request exceeds {LARGEST_BODY:,} bytes", "invalid") from None


async def _break_off(request: web.Request, call: RecordedRequest, body: bytes) -> web.StreamResponse:
    """Send half of a body, then cut the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    _close(request, call)
    return response


def _close(request: web.Request, call: RecordedRequest) -> None:
    call.end(BROKEN)
    if request.transport is not None:
        request.transport.close()


def _pack(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
