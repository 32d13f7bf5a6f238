"""Flask with synchronous SQLAlchemy, a thread a connection: ``python -m … PORT DATABASE_URL POOL_SIZE``."""

import logging
import sys
from uuid import UUID

from flask import Flask, Response, request
from sqlalchemy.orm import Session
from werkzeug.serving import WSGIRequestHandler, run_simple

from tests.benchmarks.blocking import BlockingDatabase
from tests.benchmarks.frameworks import query

_PORT = int(sys.argv[1])
_database = BlockingDatabase(sys.argv[2], int(sys.argv[3]))
app = Flask(__name__)


class _KeepAlive(WSGIRequestHandler):
    """Werkzeug's default is a connection a request."""

    protocol_version = "HTTP/1.1"


@app.get("/appointments")
def list_appointments() -> Response:
    """The first page of the month."""

    def work(session: Session) -> str:
        user = session.scalars(query.caller(request.headers[query.CALLER])).one()
        rows = session.scalars(query.page(user.id)).all()
        items = ",".join(query.summary(row).model_dump_json() for row in rows[: query.PAGE])
        return f'{{"items":[{items}],"next":null}}'

    return Response(_database.run(work), mimetype="application/json")


@app.get("/appointments/<uuid:appointment_id>")
def get_appointment(appointment_id: UUID) -> Response:
    """One appointment."""

    def work(session: Session) -> str:
        user = session.scalars(query.caller(request.headers[query.CALLER])).one()
        return query.resource(session.scalars(query.one(user.id, appointment_id)).one()).model_dump_json()

    return Response(_database.run(work), mimetype="application/json")


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple("127.0.0.1", _PORT, app, threaded=True, request_handler=_KeepAlive)
