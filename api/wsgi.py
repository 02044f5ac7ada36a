"""What gunicorn serves."""

from api.app import create_app
from api.prefix import EnvPrefix

app = EnvPrefix(create_app())
