"""All drills."""

from tests.soak import clients, deaths, faults, load

DRILLS = [*load.DRILLS, *deaths.DRILLS, *faults.DRILLS, *clients.DRILLS]
