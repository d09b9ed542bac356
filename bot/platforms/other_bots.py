"""Which posts of other bots are questions: none, unless a server allows it, and never in a loop."""

from collections import OrderedDict

from bot.config import AnswerBots, Config
from bot.conversation.events import Place

REMEMBERED = 2000


class OtherBots:
    """Remembers where another bot was answered since a person last spoke."""

    def __init__(self) -> None:
        self._answered: OrderedDict[Place, None] = OrderedDict()

    def person_spoke(self, place: Place) -> None:
        """A person wrote in the channel or thread: a bot may ask there again."""
        self._answered.pop(place, None)

    def may_ask(self, place: Place, config: Config) -> bool:
        """Whether another bot's mention is answered at `place`; counts it if so.

        Once until a person speaks there: two bots that answer each other would never end.
        """
        server = config.servers.get(place.server)
        if server is None or server.answer_bots is not AnswerBots.MENTIONS:
            return False
        if place in self._answered:
            return False
        self._answered[place] = None
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        return True
