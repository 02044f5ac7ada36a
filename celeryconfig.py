"""How messages travel: broker, queues, routes and limits."""

from settings import settings

broker_url = settings.redis_url.get_secret_value() if settings.redis_url else None
broker_connection_retry_on_startup = True
# Longer than any task: the lease in Postgres recovers lost work; a redelivery never has to.
# A worker that publishes its next step into a broker that has gone silent must not wait for ever.
broker_transport_options = {
    "visibility_timeout": 12 * 3600,
    "socket_timeout": 30.0,
    "socket_keepalive": True,
}

# The state of work lives in Postgres; Redis' result backend leaks subscriptions under load.
result_backend = None
task_ignore_result = True

task_serializer = "json"
accept_content = ["json"]
task_acks_late = True
# Redis counts no deliveries: a question that kills its worker would come back for ever.
task_reject_on_worker_lost = False
task_publish_retry = False
worker_prefetch_multiplier = 1
# What waits its turn waits in the queue, where every free worker and the sweep can see it.
worker_disable_prefetch = True
worker_send_task_events = True
worker_hijack_root_logger = False
worker_soft_shutdown_timeout = 10.0
worker_cancel_long_running_tasks_on_connection_loss = False

QUEUES = ("pipeline", "inference", "ingest", "sweep")
task_default_queue = "pipeline"
task_create_missing_queues = True
task_routes = {
    "tasks.generate.*": {"queue": "inference"},
    "tasks.load.*": {"queue": "ingest"},
    "tasks.chunk.*": {"queue": "ingest"},
    "tasks.embed.embed_document": {"queue": "ingest"},
    "tasks.store.*": {"queue": "ingest"},
    "tasks.sweep.*": {"queue": "sweep"},
}
# A file that makes a parser spin is a loss like any other; prefork kills the child.
LOAD_LIMIT_S, EMBED_LIMIT_S = 600.0, 4 * 3600.0
task_annotations = {
    "tasks.load.load_document": {"time_limit": LOAD_LIMIT_S},
    "tasks.chunk.chunk_document": {"time_limit": LOAD_LIMIT_S},
    "tasks.embed.embed_document": {"time_limit": EMBED_LIMIT_S},
    "tasks.store.store_document": {"time_limit": EMBED_LIMIT_S},
}
beat_schedule = {
    "sweep": {
        "task": "tasks.sweep.sweep_lost_work",
        "schedule": settings.sweep_every_s,
        # Long enough for clocks that differ; a sweep too many does no harm.
        "options": {"expires": 60.0},
    }
}
