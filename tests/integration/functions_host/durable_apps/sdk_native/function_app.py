"""What the public end-to-end suite of the Durable SDK tries, in an app of our own; the native style."""

import os

import azure.durable_functions as df
import azure.functions as func
from client_routes import bp as client_routes
from durabletask.extensions.history_export.writer import HistoryWriter
from entities import bp as entities
from orchestrators import bp as orchestrators
from stores import FolderStore, FolderWriter

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(orchestrators)
app.register_functions(entities)
app.register_functions(client_routes)
app.configure_scheduled_tasks()
_folder = os.environ["SDK_FOLDER"]
_writer = FolderWriter(f"{_folder}/exported")
assert isinstance(_writer, HistoryWriter)
app.configure_history_export(_writer)
app.configure_large_payloads(payload_store=FolderStore(f"{_folder}/payloads"))
