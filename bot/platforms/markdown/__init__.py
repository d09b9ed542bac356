"""Markdown as models write it, shown whole on platforms that take little of it at a time."""
