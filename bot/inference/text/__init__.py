"""Between text and token ids: prompts into a model, reasoning and answers out of it."""
