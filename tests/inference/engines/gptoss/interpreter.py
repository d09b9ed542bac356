"""Triton's interpreter without what it does again and again: kernels take a third of the time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import triton.language as tl
from triton.runtime import interpreter


@contextmanager
def made_faster() -> Iterator[None]:
    """What kernels compute stays the same. For the whole process, until the context ends."""
    with ExitStack() as patches:
        for target, name, replacement in (
            (interpreter, "_patch_lang", _language_patched_once(patches)),
            # Overflow is looked for in int64, and the result dropped: it takes `debug` to assert.
            (
                interpreter.interpreter_builder,
                "options",
                interpreter.InterpreterOptions(sanitize_overflow=False),
            ),
            (interpreter, "_get_np_dtype", _numpy_types_looked_up_once()),
            (tl.block_type, "__init__", _block_types_checked_once()),
            (tl.tensor, "__init__", _shapes_made_once()),
        ):
            patches.enter_context(patch.object(target, name, replacement))
        yield


def _language_patched_once(patches: ExitStack) -> Callable[[Any], Any]:
    """Until `patches` end, not at each launch and whenever a function calls another."""
    patch_lang = interpreter._patch_lang
    patched: set[frozenset[int]] = set()

    def patched_once(function: Any) -> Any:
        names = function.__globals__
        langs = frozenset(id(names[name]) for name in ("tl", "core") if name in names)
        if langs not in patched:
            patched.add(langs)
            patches.callback(patch_lang(function).restore)
        return SimpleNamespace(restore=lambda: None)

    return patched_once


def _numpy_types_looked_up_once() -> Callable[[Any], Any]:
    look_up = interpreter._get_np_dtype
    known: dict[str, Any] = {}

    def numpy_type(dtype: Any) -> Any:
        name = dtype.scalar.name
        if name not in known:
            known[name] = look_up(dtype)
        return known[name]

    return numpy_type


def _block_types_checked_once() -> Callable[..., None]:
    check = tl.block_type.__init__
    known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    @wraps(check)
    def make(self: Any, element_ty: Any, shape: Any) -> None:
        key = (element_ty.name, *shape)
        if key not in known:
            check(self, element_ty, shape)
            known[key] = (self.shape, self.numel, self.name)
        self.element_ty = element_ty
        self.shape, self.numel, self.name = known[key]

    return make


def _shapes_made_once() -> Callable[..., None]:
    measure = tl.tensor.__init__
    known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    @wraps(measure)
    def make(self: Any, handle: Any, type: Any) -> None:
        key = (*type.shape,) if type.is_block() else ()
        if key not in known:
            measure(self, handle, type)
            known[key] = (self.shape, self.numel)
        self.handle, self.type, self.dtype = handle, type, type.scalar
        self.shape, self.numel = known[key]

    return make
