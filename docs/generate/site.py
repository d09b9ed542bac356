"""mkdocs's hook: what stands outside docs/ and is linked from there becomes part of the site.

README.md is the first page. Files that no page is made of, such as config/bot.yaml, are copied. A
link to what doesn't exist stays as it is, and ends the build.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?<=\]\()[^)\s#]+(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, page in PAGES.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_moved(text, path)))
    for page in [*PAGES, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]:
        source = ROOT / page
        for link in LINK.finditer(source.read_text(encoding="utf-8") if source.exists() else ""):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link[0]))
            copy = f"files/{path}"
            outside = path not in PAGES and not path.startswith("docs/")
            if outside and (ROOT / path).is_file() and copy not in files.src_uris:
                files.append(File.generated(config, copy, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    return markdown if page.file.generated_by else _moved(markdown, f"docs/{page.file.src_uri}")


def _moved(markdown: str, path: str) -> str:
    """The text of the file at `path`, its links as they are on the site."""

    def moved(link: re.Match[str]) -> str:
        if "://" in link[0] or link[0].startswith("mailto:"):
            return link[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link[0]))
        if target in PAGES:
            return PAGES[target]
        if target.startswith("docs/"):
            return target.removeprefix("docs/")
        return f"files/{target}" if (ROOT / target).is_file() else link[0]

    return LINK.sub(moved, markdown)
