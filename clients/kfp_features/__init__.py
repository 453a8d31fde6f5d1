"""Pipelines by theme, each of which shows features of the SDK; `clients/test_kfp_features.py` runs them all."""
