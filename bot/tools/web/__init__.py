"""The web: a search engine, pages as text, and the browser that models were trained on."""
