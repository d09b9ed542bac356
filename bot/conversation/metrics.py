"""The bot's Prometheus metrics, by platform; the inference service has metrics of its own."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)

RUNNING = Gauge("bot_answers_running", "Answers that are waited for or written now.", ["platform"])
ANSWERS = Counter("bot_answers", "Answers ended.", ["platform", "outcome"])
FIRST_TEXT = Histogram(
    "bot_first_text_seconds",
    "From the question to the answer's first text or reasoning.",
    ["platform"],
    buckets=SECONDS,
)
ANSWER = Histogram(
    "bot_answer_seconds", "From the question to the answer's end.", ["platform"], buckets=SECONDS
)
REFUSALS = Counter(
    "bot_questions_refused", "Questions refused by access lists and quotas.", ["platform"]
)
