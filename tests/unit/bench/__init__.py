"""Tests of the harness: what it computes and what it understands; not how fast anything is."""
