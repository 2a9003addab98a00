"""Tests of the stores of summaries."""
