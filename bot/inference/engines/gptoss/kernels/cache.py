"""The paged cache of a layer: keys and values, each [pages, kv heads, page tokens, head size]."""

import triton
import triton.language as tl


@triton.jit
def cache_line(
    page, kv_head, position, KV_HEADS: tl.constexpr, PAGE: tl.constexpr, HEAD_DIM: tl.constexpr
):
    """Where the head's key or value at `position` begins, which is in `page`.

    An offset into keys or values [pages, KV_HEADS, PAGE, HEAD_DIM].
    """
    return ((page * KV_HEADS + kv_head) * PAGE + position % PAGE) * HEAD_DIM
