"""What gunicorn serves."""

from api import events
from api.app import create_app
from api.prefix import EnvPrefix

app = EnvPrefix(create_app())
events.end_with_process()
