"""Every pattern of Durable Functions once: orchestrators, activities, entities, routes of a client."""

import azure.durable_functions as df
import azure.functions as func
from activities import bp as activities
from client_routes import bp as client_routes
from entities import bp as entities
from old_style import bp as old_style
from orchestrators import bp as orchestrators

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(orchestrators)
app.register_functions(old_style)
app.register_functions(activities)
app.register_functions(entities)
app.register_functions(client_routes)
app.configure_scheduled_tasks()
