"""How messages travel: broker, queues, routes and limits."""

from redis.connection import parse_url

from settings import settings


def tls_of(url: str) -> dict[str, object] | None:
    """What the broker's URL says of TLS, as every other client of Redis reads it."""
    told = {name: value for name, value in parse_url(url).items() if name.startswith("ssl_")}
    return {"ssl_cert_reqs": "required"} | told if url.startswith("rediss://") else None


broker_url = settings.redis_url.get_secret_value() if settings.redis_url else None
# With rediss:// alone Celery would believe every certificate.
broker_use_ssl = tls_of(broker_url) if broker_url else None
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
# What waits its turn waits in the queue, where every free worker and the sweep can see it.
worker_disable_prefetch = True
# No second limit: kombu's own counts a message whose acknowledgement broke with the connection for
# as long as the worker lives, which would take one message less at once after each.
worker_prefetch_multiplier = 0
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
    "tasks.index.*": {"queue": "ingest"},
    "tasks.sync.*": {"queue": "ingest"},
    "tasks.embed_file.*": {"queue": "ingest"},
    # A mail server that is slow holds up neither questions nor the sweep.
    "tasks.mail.*": {"queue": "ingest"},
    "tasks.invite.*": {"queue": "ingest"},
    # A large tenant takes its time.
    "tasks.closing.*": {"queue": "ingest"},
    # Removing files takes its time, and the sweep may not wait for it.
    "tasks.tidy.*": {"queue": "ingest"},
    "tasks.due.*": {"queue": "sweep"},
    "tasks.rebuild.*": {"queue": "sweep"},
    "tasks.sweep.*": {"queue": "sweep"},
}
beat_schedule = {
    "index": {
        "task": "tasks.index.index_collections",
        "schedule": settings.index_every_s,
        "options": {"expires": settings.index_every_s},
    },
    "rebuild": {
        "task": "tasks.rebuild.advance_rebuilds",
        "schedule": settings.sweep_every_s,
        "options": {"expires": 60.0},
    },
    "due": {
        "task": "tasks.due.start_due_work",
        "schedule": settings.sweep_every_s,
        "options": {"expires": 60.0},
    },
    "unused": {
        "task": "tasks.due.remove_unused_collections",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "tidy": {
        "task": "tasks.tidy.tidy_store",
        "schedule": settings.loose_every_s,
        "options": {"expires": settings.loose_every_s},
    },
    "expired": {
        "task": "tasks.due.remove_expired_secrets",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "closing": {
        "task": "tasks.closing.remove_closed_tenants",
        "schedule": settings.closing_every_s,
        "options": {"expires": settings.closing_every_s},
    },
    "sweep": {
        "task": "tasks.sweep.sweep_lost_work",
        "schedule": settings.sweep_every_s,
        # Long enough for clocks that differ; a sweep too many does no harm.
        "options": {"expires": 60.0},
    },
}
