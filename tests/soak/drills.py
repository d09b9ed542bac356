"""All drills."""

from tests.soak import clients, deaths, faults, load, rebirth

DRILLS = [*load.DRILLS, *deaths.DRILLS, *rebirth.DRILLS, *faults.DRILLS, *clients.DRILLS]
