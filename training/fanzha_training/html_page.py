"""One HTML page that needs nothing else: a style, tables, and plots embedded as PNG."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fanzha_training.atomic import replaced_file

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1240px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .7em;"
    "text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}"
    ".note{color:#555;font-size:13px;margin-top:.3em}"
    ".cards{display:flex;flex-wrap:wrap;gap:1em;margin:1em 0}"
    ".cards div{border:1px solid #ccc;border-radius:8px;padding:.7em 1.1em;flex:1;min-width:170px}"
    ".cards b{display:block;font-size:27px}.cards small{color:#555}"
    ".wide{overflow-x:auto;font-size:13px}.wide td,.wide th{padding:.2em .5em}"
    "summary{cursor:pointer}"
)


def write_page(file: Path, title: str, body: Sequence[str]) -> None:
    """Write a page in one step.

    Args:
        file: the HTML file, replaced.
        title: its title, plain text.
        body: parts of its body, HTML.

    Raises:
        SetupError: the file cannot be written.

    """
    page = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><body>{''.join(body)}</body></html>"
    )
    with replaced_file(file) as draft:
        draft.write_text(page, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; all cells are plain text."""
    line = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{line}</tr>{lines}</table>"


def cards(figures: Sequence[tuple[str, str, str]]) -> str:
    """Return large figures side by side: name, value and a remark of each, plain text."""
    each = "".join(
        f"<div>{escape(name)}<b>{escape(value)}</b><small>{escape(remark)}</small></div>"
        for name, value, remark in figures
    )
    return f"<div class='cards'>{each}</div>"


def folded(title: str, *parts: str) -> str:
    """Return parts, HTML, that are shown when the reader opens the title."""
    return f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def wide(part: str) -> str:
    """Return a part, HTML, that scrolls sideways where the page is too narrow for it."""
    return f"<div class='wide'>{part}</div>"


def image(title: str, figure: Figure, *notes: str) -> str:
    """Return a figure under a heading, with notes (plain text) below it."""
    return f"<h2>{escape(title)}</h2>{picture(title, figure)}{note(*notes)}"


def note(*texts: str) -> str:
    """Return a paragraph of notes, plain text; nothing without any."""
    text = " ".join(filter(None, texts))
    return f"<p class='note'>{escape(text)}</p>" if text else ""


def picture(description: str, figure: Figure) -> str:
    """Return a figure as an image with a description."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='{escape(description)}' src='data:image/png;base64,{data}'>"


def axes(x: str, y: str) -> tuple[Figure, Axes]:
    """Return a figure with one plot, its axes named."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    plot = figure.add_subplot()
    plot.set_xlabel(x)
    plot.set_ylabel(y)
    plot.grid(visible=True, alpha=0.3)
    return figure, plot
