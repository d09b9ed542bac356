"""MCP servers: each has a task that owns its connection, and the tools that are allowed of it."""
