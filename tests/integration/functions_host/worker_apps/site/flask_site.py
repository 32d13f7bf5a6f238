"""The same site of Flask."""

import logging

import azure.functions as func
from flask import Flask, Response, jsonify, redirect, request

site = Flask("site")


@site.get("/greet")
def greet() -> Response:
    name = request.args.get("name", "world")
    logging.info("greeting %s", name)
    return Response(f"hello {name}", mimetype="text/plain")


@site.post("/text")
def text() -> Response:
    return Response(f"hello {request.data.decode()}", mimetype="text/plain")


@site.get("/path/<int:number>")
def path(number: int) -> Response:
    return Response(f"hello {number}", mimetype="text/plain")


@site.post("/json")
def takes_json() -> Response:
    return jsonify(request.get_json())


@site.post("/binary")
def binary() -> Response:
    return Response(request.data, mimetype="image/png")


@site.get("/missing")
def missing() -> tuple[Response, int]:
    return jsonify(detail="no such thing"), 404


@site.get("/fails")
def fails() -> str:
    return str(1 / 0)


@site.get("/empty")
def empty() -> Response:
    return Response()


@site.get("/page")
def page() -> str:
    return "<h1>Grüße</h1>"


@site.get("/redirect")
def redirects() -> Response:
    return redirect("page", 302)


app = func.WsgiFunctionApp(app=site.wsgi_app, http_auth_level=func.AuthLevel.ANONYMOUS)
