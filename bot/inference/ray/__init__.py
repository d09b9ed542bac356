"""`bot serve` on many cards, under Ray Serve: `serve run bot.inference.ray.application:app`.

A front takes the requests and hands each to a replica, which is the service of one card as
`bot serve` has it, without its socket. Requests of one conversation go to the same replica.
https://docs.ray.io/en/latest/serve/
"""
