"""`bot serve`: the model behind OpenAI's API, as a process."""
