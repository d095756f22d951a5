"""Limits every library to one thread before any test imports it."""

from core.threads import use_one_thread

use_one_thread()
