"""Weights: embedding, generation, prompts. No database, no queue, no web."""
