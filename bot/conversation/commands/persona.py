"""`/persona`: which persona answers, and the server's own personas with their versions."""

from dataclasses import replace

from bot.config import DESCRIPTION_LENGTH, PROMPT_LENGTH, ConfigError, Effort, check_persona
from bot.conversation.commands.definition import Command, CommandError, Context, Option, OptionKind
from bot.conversation.commands.effort import SCOPE
from bot.conversation.importing import NotImported, free_name, imported
from bot.conversation.personas import Persona, UnknownPersona, persona_named
from bot.conversation.texts import Texts
from bot.storage import StoredPersona, TooManyPersonas


async def use(context: Context, name: str, scope: str | None = None) -> str:
    persona = _named(context, name)
    target = context.scope(scope)
    context.require_change(target.kind)
    await context.store.settings.set(target, "persona", persona.name, context.author.id)
    return context.texts(f"persona_set_{target.kind}", name=persona.name)


async def show(context: Context, name: str) -> str:
    persona = _named(context, name)
    heading = context.texts("persona_heading", name=persona.name, origin=_origin(context, persona))
    return "\n".join([heading, *(f"> {line}" for line in persona.prompt.splitlines())])


async def list_all(context: Context) -> str:
    return "\n".join(
        f"- **{p.name}** ({_origin(context, p)}): {p.description or p.prompt.splitlines()[0][:80]}"
        for p in context.here.personas.values()
    )


async def create(
    context: Context, name: str, text: str, description: str = "", level: str = ""
) -> str:
    if name in context.here.personas:
        raise CommandError(context.texts("persona_exists", name=name))
    saved = await _save(context, Persona(name, text, description, _effort(level)))
    context.drafts.drop(_draft_key(context))
    return saved


async def create_form(context: Context) -> dict[str, str]:
    context.require_change("server", "not_allowed_personas")
    draft = context.drafts.get(_draft_key(context))
    if draft is None:
        return {}
    return {"name": draft.name, "text": draft.prompt, "description": draft.description}


async def import_file(context: Context, name: str = "") -> str:
    """Show what persona a file makes; the form to make one then begins with it."""
    texts = context.texts
    context.require_change("server", "not_allowed_personas")
    attached = await context.conversation.attached(context.here)
    if attached is None:
        raise CommandError(texts("import_no_file"))
    file_name, data = attached
    try:
        draft = await imported(file_name, data)
    except NotImported as error:
        raise CommandError(texts(str(error), name=file_name)) from error
    draft = replace(draft, name=name or free_name(draft.name, context.here.personas))
    if (length := len(draft.prompt)) > PROMPT_LENGTH:
        raise CommandError(
            texts("import_too_long", name=file_name, length=length, limit=PROMPT_LENGTH)
        )
    context.drafts.put(_draft_key(context), draft)
    heading = texts("import_preview", name=draft.name, length=length, limit=PROMPT_LENGTH)
    shown = draft.prompt if length <= PREVIEWED else f"{draft.prompt[:PREVIEWED]}…"
    lines = [heading, draft.description, *(f"> {line}" for line in shown.splitlines())]
    if draft.left_out:
        lines.append(texts("import_left_out"))
    return "\n".join([*filter(None, lines), texts("import_next")])


def _draft_key(context: Context) -> tuple[str, ...]:
    return context.place.platform, context.place.server, context.author.id


async def edit(
    context: Context,
    name: str,
    text: str,
    description: str | None = None,
    level: str | None = None,
) -> str:
    """A new version; what isn't given stays as it is."""
    persona = replace(_named(context, name), prompt=text)
    if description is not None:
        persona = replace(persona, description=description)
    if level is not None:
        persona = replace(persona, effort=_effort(level))
    return await _save(context, persona)


async def edit_form(context: Context, name: str) -> dict[str, str]:
    context.require_change("server", "not_allowed_personas")
    persona = _named(context, name)
    return {
        "text": persona.prompt,
        "description": persona.description,
        "level": persona.effort or "",
    }


async def delete(context: Context, name: str) -> str:
    context.require_change("server", "not_allowed_personas")
    persona = _named(context, name)
    if persona.version is None:
        raise CommandError(context.texts("persona_of_file", name=name))
    place = context.place
    await context.store.personas.delete(place.platform, place.server, name, context.author.id)
    return context.texts("persona_deleted", name=name)


async def history(context: Context, name: str) -> str:
    versions = await context.store.personas.versions(
        context.place.platform, context.place.server, name
    )
    if not versions:
        raise CommandError(context.texts("persona_no_versions", name=name))
    return "\n".join(_version_line(context, version) for version in versions)


async def undo(context: Context, name: str) -> str:
    context.require_change("server", "not_allowed_personas")
    place = context.place
    restored = await context.store.personas.undo(
        place.platform, place.server, name, context.author.id
    )
    if restored is None:
        raise CommandError(context.texts("persona_nothing_to_undo", name=name))
    if restored.deleted:
        return context.texts("persona_deleted", name=name)
    return context.texts("persona_restored", name=name, version=restored.version)


async def _save(context: Context, persona: Persona) -> str:
    """Save a new version; the configuration's rules for names and lengths hold here too."""
    context.require_change("server", "not_allowed_personas")
    place = context.place
    _check(persona, context.texts)
    limits = context.config.storage
    try:
        saved = await context.store.personas.save(
            place.platform,
            place.server,
            persona.name,
            prompt=persona.prompt,
            description=persona.description,
            effort=persona.effort,
            by=context.author.id,
            most_personas=limits.personas_per_server,
            most_versions=limits.versions_per_persona,
        )
    except TooManyPersonas as error:
        limit = limits.personas_per_server
        raise CommandError(context.texts("persona_too_many", count=limit)) from error
    return context.texts("persona_saved", name=persona.name, version=saved.version)


def _check(persona: Persona, texts: Texts) -> None:
    """Raise CommandError unless it keeps the configuration's rules."""
    try:
        check_persona(persona.name, "-")
    except ConfigError as error:
        raise CommandError(texts("persona_bad_name", name=persona.name)) from error
    try:
        check_persona(persona.name, persona.prompt, persona.description)
    except ConfigError as error:
        limits = {"prompt": PROMPT_LENGTH, "description": DESCRIPTION_LENGTH}
        raise CommandError(texts("persona_bad_text", **limits)) from error


def _effort(level: str) -> Effort | None:
    return Effort(level) if level else None


def _named(context: Context, name: str) -> Persona:
    try:
        return persona_named(context.here.personas, name)
    except UnknownPersona as error:
        hint = (
            context.texts("did_you_mean", name=error.nearest)
            if error.nearest
            else context.texts("persona_known", names=context.texts.choice(error.known))
        )
        raise CommandError(context.texts("persona_unknown", name=name, hint=hint)) from error


def _origin(context: Context, persona: Persona) -> str:
    if persona.version is None:
        return context.texts("from_file")
    return context.texts("from_server", version=persona.version)


def _version_line(context: Context, version: StoredPersona) -> str:
    when = f"{version.created_at:%Y-%m-%d %H:%M}"
    if version.deleted:
        return context.texts("version_deleted", version=version.version, when=when)
    first_line = version.prompt.splitlines()[0][:60]
    return context.texts("version_line", version=version.version, when=when, prompt=first_line)


PREVIEWED = 1000
"""Characters of an imported prompt that are shown; the form has all."""

FILE = Option(OptionKind.FILE, "option_file", False)
NAME = Option(OptionKind.PERSONA, "option_persona")
NEW_NAME = Option(OptionKind.NAME, "option_new_name")
PROMPT = Option(OptionKind.TEXT)
DESCRIPTION = Option(OptionKind.DESCRIPTION, required=False, form_only=True)
LEVEL = Option(OptionKind.EFFORT, required=False, form_only=True)

COMMANDS = [
    Command("persona use", use, (NAME, SCOPE)),
    Command("persona list", list_all),
    Command("persona show", show, (NAME,)),
    Command(
        "persona create",
        create,
        (NEW_NAME, PROMPT, DESCRIPTION, LEVEL),
        fill_form=create_form,
    ),
    Command(
        "persona import",
        import_file,
        (FILE, replace(NEW_NAME, required=False)),
        then="persona create",
    ),
    Command(
        "persona edit",
        edit,
        (NAME, PROMPT, DESCRIPTION, LEVEL),
        fill_form=edit_form,
    ),
    Command("persona delete", delete, (NAME,)),
    Command("persona history", history, (NAME,)),
    Command("persona undo", undo, (NAME,)),
]
