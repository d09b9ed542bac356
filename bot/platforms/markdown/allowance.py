"""How much of a message is read by parsers that take long for little."""

from dataclasses import dataclass

LONGEST = 500
"""Characters of a formula or a cell that is read; a longer one is shown as it is."""
READ = 600
"""Characters of formulas that are read for a message. Each takes at most 20 µs."""
BEGUN, MARKS_BEGUN = 8, 2
"""As many as it takes to begin a formula, and a cell with marks."""
CHARACTERS_OF_A_CELL = 4
"""Read in the time of one character of a formula; an opening bracket takes as long as that."""


@dataclass
class Allowance:
    """How much may still be read of one message's formulas and cells; what is left of these is
    shown as it was typed."""

    left: int = READ

    def takes_formula(self, latex: str) -> bool:
        """Whether there is enough left for a formula, which is then used up."""
        return self._takes(BEGUN + min(len(latex), LONGEST))

    def takes_marks(self, cell: str) -> bool:
        """Whether there is enough left for a cell with marks, which is then used up."""
        needed = MARKS_BEGUN + len(cell) // CHARACTERS_OF_A_CELL + cell.count("[")
        return len(cell) <= LONGEST and self._takes(needed)

    def _takes(self, needed: int) -> bool:
        if needed > self.left:
            return False
        self.left -= needed
        return True
