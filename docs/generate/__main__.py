"""Write what is made: docs/settings.md and the plots."""

from docs.generate import plots, settings

settings.PAGE.write_text(settings.page(), encoding="utf-8")
for file, drawing in plots.plots().items():
    file.write_text(drawing, encoding="utf-8")
