"""How messages travel: broker, queues, routes and limits."""

from settings import settings

broker_url = settings.redis_url.get_secret_value() if settings.redis_url else None
broker_connection_retry_on_startup = True
# Longer than any task: the lease in Postgres recovers lost work; a redelivery never has to.
broker_transport_options = {"visibility_timeout": 12 * 3600}

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
worker_send_task_events = True
task_send_sent_event = True
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
beat_schedule = {
    "sweep": {
        "task": "tasks.sweep.sweep_lost_work",
        "schedule": settings.sweep_every_s,
        "options": {"expires": settings.sweep_every_s},
    }
}
