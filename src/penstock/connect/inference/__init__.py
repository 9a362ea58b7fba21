"""Inference: models in this process and servers elsewhere, and the power they draw."""
