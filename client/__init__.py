"""Redten over HTTPS: a small typed client and the commands on it."""

from client.client import Client
from client.errors import ClientError, JobFailed

__all__ = ["Client", "ClientError", "JobFailed"]
