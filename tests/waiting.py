"""How long tests wait for what must come: so long that only a hang takes it, on any machine."""

HANG_SECONDS = 300.0
