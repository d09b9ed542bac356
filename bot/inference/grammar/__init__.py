"""Answers held to a JSON schema: which tokens may come next."""
