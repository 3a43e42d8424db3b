"""Structured logs; metrics and traces join here later."""
