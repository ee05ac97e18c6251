"""Waiting, as every room does it."""

from cluster.waiting import Timeout, wait_until

__all__ = ["Timeout", "wait_until"]
