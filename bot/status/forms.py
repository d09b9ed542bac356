"""The page's forms: WTForms guards each with a token that only the page of this session has."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from wtforms import Form, PasswordField
from wtforms.csrf.session import SessionCSRF

MOST_FIELDS = 20


class GuardedForm(Form):
    """A form that is only taken from a page of the same session."""

    class Meta:
        csrf = True
        csrf_class = SessionCSRF
        csrf_time_limit = timedelta(hours=12)

    @classmethod
    def empty(cls, request: Request, secret: bytes, values: Mapping[str, Any] = {}) -> Self:
        """The form to fill in, which begins with `values`."""
        return cls(data=values, meta=_meta(request, secret))

    @classmethod
    async def sent(cls, request: Request, secret: bytes) -> Self:
        """What was filled in. Raises HTTPException."""
        try:
            pairs = parse_qsl(
                (await request.body()).decode(),
                keep_blank_values=True,
                max_num_fields=MOST_FIELDS,
            )
        except ValueError:
            raise HTTPException(400, "This is not a form.") from None
        return cls(ImmutableMultiDict(pairs), meta=_meta(request, secret))


class SignIn(GuardedForm):
    token = PasswordField()


def _meta(request: Request, secret: bytes) -> dict[str, Any]:
    return {"csrf_secret": secret, "csrf_context": request.session}
