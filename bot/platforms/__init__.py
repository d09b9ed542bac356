"""Adapters: each turns a platform's events into questions, and replies into its messages."""
