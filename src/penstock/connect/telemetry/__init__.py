"""Telemetry of inference: an engine's and an accelerator's counters, and spans of requests, made into columns."""
