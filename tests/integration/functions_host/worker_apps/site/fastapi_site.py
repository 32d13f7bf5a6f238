"""A site of FastAPI."""

import logging

import azure.functions as func
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

site = FastAPI()


@site.get("/greet", response_class=PlainTextResponse)
async def greet(name: str = "world") -> str:
    logging.info("greeting %s", name)
    return f"hello {name}"


@site.post("/text", response_class=PlainTextResponse)
async def text(request: Request) -> str:
    return f"hello {(await request.body()).decode()}"


@site.get("/path/{number}", response_class=PlainTextResponse)
async def path(number: int) -> str:
    return f"hello {number}"


@site.post("/json")
async def takes_json(request: Request) -> dict:
    return await request.json()


@site.post("/binary")
async def binary(request: Request) -> Response:
    return Response(await request.body(), media_type="image/png")


@site.get("/missing")
async def missing() -> None:
    raise HTTPException(404, "no such thing")


@site.get("/fails")
async def fails() -> float:
    return 1 / 0


@site.get("/empty")
async def empty() -> Response:
    return Response()


@site.get("/page", response_class=HTMLResponse)
async def page() -> str:
    return "<h1>Grüße</h1>"


@site.get("/redirect")
async def redirect() -> RedirectResponse:
    return RedirectResponse("page", 302)


app = func.AsgiFunctionApp(app=site, http_auth_level=func.AuthLevel.ANONYMOUS)
