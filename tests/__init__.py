"""Tests of monitor436; the folders mirror the package."""
