"""The pages of the servers: their settings, and their personas with all versions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.config import Effort
from bot.conversation.commands import CommandResult, Context
from bot.conversation.commands.general import shown_value
from bot.conversation.commands.setting import CHOICES
from bot.conversation.personas import Persona
from bot.conversation.texts import Texts
from bot.status.editing import EDITABLE, Editor, PersonaForm, SettingForm
from bot.status.forms import GuardedForm
from bot.status.people import who
from bot.status.rendering import texts_of
from bot.status.site import Site
from bot.storage import StoredPersona

NOTHING = {"name": "", "text": "", "description": "", "level": ""}

AForm = TypeVar("AForm", bound=GuardedForm)


@dataclass(frozen=True)
class SettingEntry:
    """A setting of the whole server, and from where its value comes.

    choices: the values that it can have; none where it is to be typed.
    """

    key: str
    value: str
    source: str
    editable: bool
    choices: Sequence[str]


@dataclass(frozen=True)
class VersionEntry:
    number: int
    at: datetime
    who: str
    deleted: bool
    text: str

    @property
    def start(self) -> str:
        return self.text.partition("\n")[0][:80]


@dataclass(frozen=True)
class Server:
    """A server that a page is about."""

    platform: str
    id: str
    name: str
    address: str
    editor: Editor


class ServerPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def all_servers(self, request: Request) -> Response:
        servers = await self._site.servers()
        links = [(f"/servers/{servers.handle(*s)}", servers.name(*s)) for s in servers.known]
        return self._site.page(request, "servers.html", servers=links)

    async def server(self, request: Request) -> Response:
        return await self._server_page(request, await self._server(request))

    async def change_setting(self, request: Request) -> Response:
        server, key = await self._server(request), request.path_params["key"]
        if key not in EDITABLE:
            raise HTTPException(404, "Not Found")
        form = await SettingForm.sent(request, self._site.secret)
        result = await self._carried_out(form, lambda f: server.editor.change_setting(key, f))
        if result.done:
            return self._site.tell(request, result.text, server.address)
        return await self._server_page(request, server, 422, told=result.text, done=False)

    async def create(self, request: Request) -> Response:
        server = await self._server(request)
        form = await PersonaForm.sent(request, self._site.secret)
        result = await self._carried_out(form, server.editor.create_persona)
        if result.done:
            return self._site.tell(request, result.text, server.address)
        filled = _filled(form)
        return await self._server_page(
            request, server, 422, told=result.text, done=False, filled=filled
        )

    async def persona(self, request: Request) -> Response:
        return await self._persona_page(request, await self._server(request))

    async def edit(self, request: Request) -> Response:
        server, name = await self._server(request), request.path_params["name"]
        form = await PersonaForm.sent(request, self._site.secret)
        result = await self._carried_out(form, lambda f: server.editor.edit_persona(name, f))
        if result.done:
            return self._site.tell(request, result.text, request.url.path)
        filled = _filled(form)
        return await self._persona_page(
            request, server, 422, told=result.text, done=False, filled=filled
        )

    async def undo_or_delete(self, request: Request) -> Response:
        server, name = await self._server(request), request.path_params["name"]
        work = {"undo": server.editor.undo_persona, "delete": server.editor.delete_persona}
        carry_out = work.get(request.path_params["action"])
        if carry_out is None:
            raise HTTPException(404, "Not Found")
        form = await GuardedForm.sent(request, self._site.secret)
        result = await self._carried_out(form, lambda _: carry_out(name))
        if result.done:
            return self._site.tell(request, result.text, f"{server.address}/personas/{name}")
        return await self._persona_page(request, server, 422, told=result.text, done=False)

    async def _server(self, request: Request) -> Server:
        """The one in the address. Raises HTTPException, StorageError."""
        servers = await self._site.servers()
        handle = request.path_params["handle"]
        found = servers.find(handle)
        if found is None:
            raise HTTPException(404, "Not Found")
        editor = Editor(self._site.core, *found)
        return Server(*found, servers.name(*found), f"/servers/{handle}", editor)

    async def _carried_out(
        self, form: AForm, work: Callable[[AForm], Awaitable[CommandResult]]
    ) -> CommandResult:
        """What came of a form that may have been forged, or have lain open for too long."""
        if not form.validate():
            return CommandResult(self._site.texts("page_form_expired"), done=False)
        return await work(form)

    async def _server_page(
        self, request: Request, server: Server, status: int = 200, **values: Any
    ) -> Response:
        context = await server.editor.context()
        texts = texts_of(self._site.core.config(), server.platform)
        personas = [
            {"name": p.name, "origin": _origin(p, texts), "description": p.description}
            for p in context.here.personas.values()
        ]
        about = {
            "server": server.name,
            "address": server.address,
            "settings": _settings(context, texts),
            "personas": personas,
            "efforts": list(Effort),
            "form": GuardedForm.empty(request, self._site.secret),
            "filled": NOTHING,
        }
        return self._site.page(request, "server.html", status, **(about | values))

    async def _persona_page(
        self, request: Request, server: Server, status: int = 200, **values: Any
    ) -> Response:
        context, texts = await server.editor.context(), self._site.texts
        name = request.path_params["name"]
        persona = context.here.personas.get(name)
        stored = self._site.core.store.personas
        versions = await stored.versions(server.platform, server.id, name)
        if persona is None and not versions:
            raise HTTPException(404, "Not Found")
        about = {
            "server": server.name,
            "address": server.address,
            "name": name,
            "exists": persona is not None,
            "origin": _origin(persona, texts) if persona else "",
            "versions": [self._version(version, server) for version in versions],
            "efforts": list(Effort),
            "form": GuardedForm.empty(request, self._site.secret),
            "filled": _values(persona) if persona else NOTHING,
        }
        return self._site.page(request, "persona.html", status, **(about | values))

    def _version(self, version: StoredPersona, server: Server) -> VersionEntry:
        return VersionEntry(
            version.version,
            version.created_at,
            who(version.created_by, server.platform, self._site.texts, self._site.shows_ids),
            version.deleted,
            version.prompt,
        )


def routes(site: Site) -> list[Route]:
    pages, server = ServerPages(site), "/servers/{handle}"
    persona = f"{server}/personas/{{name}}"
    return [
        Route("/servers", pages.all_servers),
        Route(server, pages.server),
        Route(f"{server}/settings/{{key}}", pages.change_setting, methods=["POST"]),
        Route(f"{server}/personas", pages.create, methods=["POST"]),
        Route(persona, pages.persona),
        Route(persona, pages.edit, methods=["POST"]),
        Route(f"{persona}/{{action}}", pages.undo_or_delete, methods=["POST"]),
    ]


def _settings(context: Context, texts: Texts) -> list[SettingEntry]:
    choices = {"effort": tuple(Effort), "persona": tuple(context.here.personas), **CHOICES}
    return [
        SettingEntry(
            key,
            "" if setting.value == "" else shown_value(setting, texts),
            texts(f"source_{setting.source}"),
            key in EDITABLE,
            choices.get(key, ()),
        )
        for key, setting in context.here.listed
    ]


def _origin(persona: Persona, texts: Texts) -> str:
    if persona.version is None:
        return texts("from_file")
    return texts("from_server", version=persona.version)


def _values(persona: Persona) -> dict[str, str]:
    return {
        "name": persona.name,
        "text": persona.prompt,
        "description": persona.description,
        "level": persona.effort or "",
    }


def _filled(form: PersonaForm) -> Mapping[str, str]:
    return {name: form[name].data or "" for name in NOTHING}
