"""Who generates when: a fair queue, slots, and the thread that drives the engine."""
