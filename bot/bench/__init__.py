"""`bot bench`: how fast a model answers on this machine.

`comparison.py` measures the configured model beside plain transformers; `synthetic.py` measures the
gpt-oss engine at true size on random weights, beside what the card's memory allows. Both drive an
engine by `driver.py` and give a `Result`, which `report.py` shows. Times are medians, and decoding
is greedy.
"""
