"""Each kernel beside the same computation in plain float32 torch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bot.inference.engines.gptoss.chunk import Chunk, Part
from bot.inference.engines.gptoss.kernels.attention import DecodeAttention, prefill_attention
from bot.inference.engines.gptoss.kernels.decoded_experts import decoded_experts
from bot.inference.engines.gptoss.kernels.embedding import embed, gather_state
from bot.inference.engines.gptoss.kernels.experts import grouped_experts, rows_together
from bot.inference.engines.gptoss.kernels.few_experts import few_experts
from bot.inference.engines.gptoss.kernels.group import combine, group
from bot.inference.engines.gptoss.kernels.linear import linear, norm_qkv
from bot.inference.engines.gptoss.kernels.rotary import rotate_and_store
from bot.inference.engines.gptoss.kernels.route import MANY, Router
from bot.inference.engines.gptoss.model import FEW
from bot.inference.engines.gptoss.mxfp4 import dequantize, pack
from tests.inference.engines.gptoss.tiny import assert_close

HEADS, KV_HEADS, SIZE, PAGE = 4, 2, 16, 32
EPSILON = 1e-5


def normal(*shape: int) -> Tensor:
    return torch.randn(shape)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * weight


def integers(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def test_embed_looks_tokens_up() -> None:
    table = normal(10, 96)
    assert torch.equal(embed(integers(3, 9, 3), table), table[[3, 9, 3]])


def test_gather_state_reads_the_slots_of_a_batch() -> None:
    tokens, positions = gather_state(integers(2, 0), integers(7, 8, 9), integers(1, 2, 3))
    assert (tokens.tolist(), positions.tolist()) == ([9, 7], [3, 1])


@pytest.mark.parametrize("normed", [False, True])
def test_linear_is_a_product_with_or_without_norm(normed: bool) -> None:
    x, weight, bias, norm = normal(1, 96), normal(20, 96), normal(20), normal(96)
    expected = F.linear(rms_norm(x, norm) if normed else x, weight, bias)
    result = linear(x, weight, bias=bias, norm=norm if normed else None, epsilon=EPSILON)
    assert_close(result, expected)


class Paged:
    """A cache whose sequences' pages are scattered."""

    def __init__(self, *lengths: int) -> None:
        pages = -(-max(lengths) // PAGE)
        self.lengths = lengths
        self.tables = 1 + torch.randperm(len(lengths) * pages).int().view(len(lengths), pages)
        self.cache = normal(2, 1 + self.tables.numel(), KV_HEADS, PAGE, SIZE)

    def sequence(self, slot: int) -> tuple[Tensor, Tensor]:
        """Keys and values [heads, length, size], repeated for the heads that share them."""
        pages = self.cache[:, self.tables[slot].long()].transpose(1, 2).flatten(2, 3)
        keys, values = pages[:, :, : self.lengths[slot]].repeat_interleave(HEADS // KV_HEADS, 1)
        return keys, values


def attention(paged: Paged, slot: int, query: Tensor, sinks: Tensor, window: int) -> Tensor:
    """Of a query [heads, size] at the last position, [heads * size]."""
    keys, values = paged.sequence(slot)
    scores = torch.einsum("hd,hkd->hk", query, keys) * SIZE**-0.5
    if window:
        scores = scores[:, -window:]
        values = values[:, -window:]
    weights = torch.cat((scores, sinks[:, None]), dim=1).softmax(1)[:, :-1]
    return torch.einsum("hk,hkd->hd", weights, values).flatten()


@pytest.mark.parametrize("window", [0, 16, 200])
@pytest.mark.parametrize("splits", [1, 2, 4])
def test_decode_attention_of_unlike_lengths(splits: int, window: int) -> None:
    paged = Paged(1, 2, 33, 129, 400)
    queries, sinks = normal(5, HEADS, SIZE), normal(HEADS)
    attend = DecodeAttention(5, HEADS, paged.cache, splits, torch.float32)
    arguments = (integers(0, 1, 32, 128, 399), integers(*range(5)), paged.tables, window)
    result = attend(queries, paged.cache, sinks, *arguments)
    expected = [attention(paged, i, queries[i], sinks, window) for i in range(5)]
    assert_close(result, torch.stack(expected))
    again = attend(queries, paged.cache, sinks, *arguments)
    assert torch.equal(again, result)


@pytest.mark.parametrize("window", [0, 16])
def test_prefill_attention_sees_what_came_before_the_chunk_and_nothing_after(window: int) -> None:
    start, end = 30, 70
    queries, sinks = normal(end - start, HEADS, SIZE), normal(HEADS)
    paged = Paged(end)
    chunk = Chunk(end - start, 1, paged.cache.device)
    arguments = (chunk.fill([Part([7] * (end - start), start, 0)], filler=0), paged.tables)
    result = prefill_attention(queries, paged.cache, sinks, *arguments, window, torch.float32)
    expected = []
    for i in range(start, end):
        paged.lengths = (i + 1,)
        expected.append(attention(paged, 0, queries[i - start], sinks, window))
    assert_close(result, torch.stack(expected))


@pytest.mark.parametrize("window", [0, 16])
def test_rows_that_fill_up_a_chunk_see_no_key_behind_its_last(window: int) -> None:
    rows, count = 200, 10
    paged = Paged(rows)
    paged.cache[:, paged.tables[0, 1:].long()] = torch.nan  # pages that are not the prompt's
    queries, sinks = normal(rows, HEADS, SIZE), normal(HEADS)
    chunk = Chunk(rows, 1, paged.cache.device).fill([Part([7] * count, 0, 0)], filler=0)
    result = prefill_attention(
        queries, paged.cache, sinks, chunk, paged.tables, window, torch.float32
    )
    assert result.isfinite().all()


def test_prefill_attention_leaves_out_what_it_has_not_begun_when_its_chunk_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paged = Paged(40)
    queries, sinks = normal(40, HEADS, SIZE), normal(HEADS)
    chunk = Chunk(40, 1, paged.cache.device).fill([Part([7] * 40, 0, 0)], filler=0)
    monkeypatch.setattr(torch, "empty", torch.zeros)  # what is not written stays so
    arguments = (queries, paged.cache, sinks, chunk, paged.tables, 0, torch.float32)
    assert prefill_attention(*arguments).all()
    chunk.cancel()
    assert not prefill_attention(*arguments).any()


@pytest.mark.parametrize("window", [0, 16])
def test_prefill_attention_of_several_prompts_sees_each_ones_own_keys(window: int) -> None:
    paged = Paged(150, 40, 3)
    parts = [Part([7] * 140, 10, 0), Part([7] * 5, 35, 1), Part([7] * 3, 0, 2)]
    chunk = Chunk(150, 3, paged.cache.device).fill(parts, filler=0)
    queries, sinks = normal(150, HEADS, SIZE), normal(HEADS)
    result = prefill_attention(
        queries, paged.cache, sinks, chunk, paged.tables, window, torch.float32
    )
    row = 0
    for slot, part in enumerate(parts):
        for i in range(len(part.tokens)):
            paged.lengths = tuple(part.start + i + 1 for _ in parts)
            expected = attention(paged, slot, queries[row], sinks, window)
            assert_close(result[row], expected)
            row += 1
    assert chunk.last.tolist() == [139, 144, 147]
    assert torch.equal(result[row:], torch.zeros_like(result[row:]))


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`x` [heads, size] with the halves that turn together interleaved."""
    a, b = x[:, ::2], x[:, 1::2]
    return torch.stack((a * cosine - b * sine, b * cosine + a * sine), dim=-1).flatten(1)


def test_queries_and_keys_are_rotated_and_keys_and_values_are_stored() -> None:
    paged = Paged(40, 5)
    before = paged.cache.clone()
    angles = normal(64, SIZE // 2)
    rotation = (angles.cos(), angles.sin())
    qkv = normal(2, (HEADS + 2 * KV_HEADS) * SIZE)
    queries = rotate_and_store(
        qkv, paged.cache, rotation, integers(39, 4), integers(0, 1), paged.tables, HEADS
    )
    for row, position in ((0, 39), (1, 4)):
        heads = qkv[row].view(-1, SIZE)
        turn = (rotation[0][position], rotation[1][position])
        assert_close(queries[row], rotated(heads[:HEADS], *turn))
        keys, values = paged.sequence(row)
        expected = rotated(heads[HEADS : HEADS + KV_HEADS], *turn)
        assert_close(keys[:: HEADS // KV_HEADS, position], expected)
        assert torch.equal(values[:: HEADS // KV_HEADS, position], heads[HEADS + KV_HEADS :])
        page = paged.tables[row, position // PAGE]
        before[:, page, :, position % PAGE] = paged.cache[:, page, :, position % PAGE]
    assert torch.equal(paged.cache, before)


def test_one_row_gets_its_queries_keys_and_values_from_one_kernel() -> None:
    paged, twin = Paged(40), Paged(40)
    twin.tables, twin.cache = paged.tables, paged.cache.clone()
    angles = normal(64, SIZE // 2)
    rotation = (angles.cos(), angles.sin())
    hidden, norm = normal(1, 96), normal(96)
    weight, bias = normal((HEADS + 2 * KV_HEADS) * SIZE, 96), normal((HEADS + 2 * KV_HEADS) * SIZE)
    place = (rotation, integers(39), integers(0))
    qkv = F.linear(rms_norm(hidden, norm), weight, bias)
    expected = rotate_and_store(qkv, twin.cache, *place, twin.tables, HEADS)
    result = norm_qkv(hidden, norm, weight, bias, paged.cache, *place, paged.tables, HEADS, EPSILON)
    assert_close(result, expected)
    assert_close(paged.cache, twin.cache)


@pytest.mark.parametrize(
    ("rows", "together", "size", "fragments"),
    [(3, 4, 192, True), (3, 4, 1216, True), (3, 0, 1216, False), (MANY + 5, 4, 192, False)],
    ids=["one part", "parts", "more rows", "many rows"],
)
def test_route_adds_norms_and_chooses_the_best_experts(
    rows: int, together: int, size: int, fragments: bool
) -> None:
    hidden, added, norm = normal(rows, size), normal(rows, size), normal(size)
    router, bias = normal(4, size), normal(4)
    total = hidden + added
    route = Router(4, 2, hidden.device, rows=together)
    before = hidden.clone()
    arguments = (added, norm, router, bias, EPSILON, torch.float32, fragments)
    x, chosen, shares = route(hidden, *arguments)
    normed = rms_norm(total, norm)
    best = F.linear(normed, router, bias).topk(2)
    assert_close(hidden, total)
    assert_close(x, in_fragments(normed) if fragments else normed)
    assert torch.equal(chosen, best.indices.int())
    assert_close(shares, best.values.softmax(1))
    again = route(before, *arguments)
    assert all(map(torch.equal, again, (x, chosen, shares)))


@pytest.mark.parametrize("rows", [3, MANY])
def test_a_row_that_is_no_number_gets_experts_that_exist(rows: int) -> None:
    hidden, added, norm = normal(rows, 64), normal(rows, 64), normal(64)
    hidden[1, 5] = torch.inf
    router, bias = normal(4, 64), normal(4)
    route = Router(4, 2, hidden.device)
    _, chosen, _ = route(hidden, added, norm, router, bias, EPSILON, torch.float32, False)
    assert sorted(chosen[1].tolist()) == [0, 1]


def test_group_sorts_choices_by_expert_and_keeps_their_order() -> None:
    chosen = torch.randint(0, 4, (300, 4)).int()
    chosen[chosen == 2] = 3  # an expert that nobody chose
    order, starts = group(chosen, 4)
    expected = chosen.flatten().sort(stable=True)
    assert torch.equal(order, expected.indices.int())
    assert starts.tolist() == [int((chosen < expert).sum()) for expert in range(5)]


def test_combine_adds_the_experts_in_their_shares_and_norms() -> None:
    hidden, outputs, norm = normal(3, 96), normal(6, 96), normal(96)
    shares = normal(3, 2).softmax(1)
    expected = hidden + (outputs.view(3, 2, 96) * shares[:, :, None]).sum(1)
    x = combine(hidden, (outputs, shares), norm, EPSILON, torch.float32)
    assert_close(hidden, expected)
    assert_close(x, rms_norm(expected, norm))


def test_combine_without_experts_only_norms() -> None:
    hidden, norm = normal(3, 96), normal(96)
    before = hidden.clone()
    assert_close(combine(hidden, None, norm, EPSILON, torch.float32), rms_norm(before, norm))
    assert torch.equal(hidden, before)


class Experts:
    """Random ones, and what they make of rows in float32."""

    def __init__(self, columns: int = 192, inner: int = 64, experts: int = 4) -> None:
        def weights(rows: int, columns: int) -> tuple[Tensor, Tensor]:
            blocks = torch.randint(0, 256, (experts, rows, columns // 32, 16), dtype=torch.uint8)
            scales = torch.randint(115, 124, (experts, rows, columns // 32), dtype=torch.uint8)
            return blocks, scales

        gate_up, down = weights(2 * inner, columns), weights(columns, inner)
        self._gate_up, self._down = dequantize(*gate_up), dequantize(*down)
        self._gate_up_bias, self._down_bias = normal(experts, 2 * inner), normal(experts, columns)
        self.arguments = (pack(*gate_up), self._gate_up_bias, pack(*down), self._down_bias, 7.0)

    def __call__(self, x: Tensor, chosen: Tensor) -> Tensor:
        """[rows * top, columns]; gpt-oss's experts as its model card has them."""
        outputs = []
        for row, experts in zip(x, chosen.tolist(), strict=True):
            for expert in experts:
                gate_up = self._gate_up[expert] @ row + self._gate_up_bias[expert]
                gate = gate_up[::2].clamp(max=7)
                up = gate_up[1::2].clamp(-7, 7)
                activated = gate * torch.sigmoid(1.702 * gate) * (up + 1)
                outputs.append(self._down[expert] @ activated + self._down_bias[expert])
        return torch.stack(outputs)


def in_fragments(x: Tensor) -> Tensor:
    """The columns 8 j + 2 c + i of each block in the order c, j, i."""
    return x.view(len(x), -1, 4, 4, 2).transpose(2, 3).reshape(x.shape)


@pytest.mark.parametrize("rows", [1, 5, 12, 70], ids=["one", "eight", "eights", "in order"])
def test_grouped_experts(rows: int) -> None:
    experts = Experts()
    x = normal(rows, 192) * 4  # far enough for the clamp to matter
    chosen = torch.rand(rows, 4).topk(2).indices.int()
    fragments = rows_together(rows, 2, 4) <= 8
    arguments = (chosen, group(chosen, 4), *experts.arguments)
    result = grouped_experts(in_fragments(x) if fragments else x, *arguments)
    assert_close(result, experts(x, chosen))


def test_experts_that_are_decoded_first_make_the_same() -> None:
    experts = Experts()
    x = normal(5, 192) * 4
    chosen = integers(0, 2, 0, 3, 3, 0, 2, 0, 0, 3).view(5, 2)  # nobody chooses expert 1
    assert_close(decoded_experts(x, group(chosen, 4), *experts.arguments), experts(x, chosen))


@pytest.mark.parametrize("rows", [1, FEW])
def test_few_experts(rows: int) -> None:
    experts = Experts()
    x, hidden = normal(rows, 192) * 4, normal(rows, 192)
    chosen = torch.rand(rows, 4).topk(2).indices.int()
    shares = normal(rows, 2).softmax(1)
    outputs = experts(x, chosen).view(rows, 2, 192)
    expected = hidden + (outputs * shares[:, :, None]).sum(1)
    few_experts(hidden, in_fragments(x), (chosen, shares), *experts.arguments)
    assert_close(hidden, expected)
