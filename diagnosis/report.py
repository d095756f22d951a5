"""A diagnosis as one self-contained HTML page: tables, and figures as PNG within the page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from core.wording import counted, grouped
from diagnosis import figures, tree_picture
from diagnosis.diagnose import Diagnosis, Scene
from diagnosis.measures import MOST_GUESSED
from diagnosis.verdict import Level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: dict[Level, str] = {
    "trusted": "#2e7d32",
    "care": "#b26a00",
    "untrusted": "#b3261e",
    "unknown": "#5f6368",
}
WORD_COLOURS = {"good": "#2e7d32", "bad": "#b3261e", "unknown": "#666"}

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1b1b; background: #fff; }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse } td, th { padding: .25rem 1.2rem .25rem 0; text-align: left;
       border-bottom: 1px solid #ddd; vertical-align: top }
img { max-width: 100%; height: auto } figure { margin: 1rem 0 } figcaption { color: #444 }
pre { background: #f4f4f4; padding: .6rem .9rem; overflow-x: auto; line-height: 1.2 }
.verdict { color: #fff; padding: .8rem 1rem; border-radius: .4rem; font-weight: 600 }
"""


def page(diagnosis: Diagnosis, subject: str) -> str:
    """The whole page; `subject` says what was diagnosed, such as a checkpoint's path."""
    verdict = diagnosis.verdict
    body = [
        f"<h1>{_text(diagnosis.game)}: how far the learned model can be trusted</h1>",
        f"<p>{_text(subject)}; {_text(played(diagnosis))}.</p>",
        f'<p class="verdict" style="background: {COLOURS[verdict.level]}">{_text(verdict.text)}</p>',
        "<h2>Checks</h2>",
        _table(("check", "found", "wanted", ""), (_check_cells(diagnosis))),
        "<h2>Figures</h2>",
        _table((), ((_text(fact.name), _text(fact.text)) for fact in verdict.facts)),
        *_sections(diagnosis),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{_text(diagnosis.game)}: diagnosis</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def played(diagnosis: Diagnosis) -> str:
    """What the figures are from."""
    returns = diagnosis.played.returns
    whose = "of player 1 " if diagnosis.config.players == 2 else ""
    return (
        f"{counted(len(returns), 'self-play game')}, {grouped(len(diagnosis.played.moves), 'move')}, "
        f"mean return {whose}{returns.mean():.2f}, "
        f"{counted(diagnosis.config.num_simulations, 'simulation')} a move"
    )


def _check_cells(diagnosis: Diagnosis) -> Iterator[tuple[str, ...]]:
    for check in diagnosis.verdict.checks:
        word = f'<strong style="color: {WORD_COLOURS[check.word]}">{check.word}</strong>'
        yield _text(check.name), _text(check.found), _text(check.wanted), word


def _sections(diagnosis: Diagnosis) -> Iterator[str]:
    yield _section(
        "Rewards",
        figures.rewards(diagnosis),
        "Rewards that the model predicts for the moves that were made, against the real ones. On the dashed "
        "line they are the same.",
    )
    yield _section(
        "By horizon",
        figures.horizon(diagnosis),
        "From a real position the model imagines the k moves that were really made. Imagined: what it says "
        "then. Seen: what the network says when it is shown the real position instead. Errors are root mean "
        "squares. The model was trained up to the dotted line.",
    )
    yield _section(
        "Latent drift",
        figures.latents(diagnosis),
        "How far the imagined latent state is from the one that the representation makes of the real "
        "position. Without consistency_loss_weight nothing in the training brings the two together: a drift "
        "alone is no fault then.",
    )
    yield _section(
        "Calibration of values",
        figures.calibration(diagnosis),
        "Discounted returns that followed, by the value that was predicted; on the dashed line values are "
        "right on average. A game that was cut short counts with the search's value of its last position; "
        f"positions in which that makes up more than {MOST_GUESSED:.0%} of the return are left out.",
    )
    yield _section(
        "Search",
        figures.search(diagnosis),
        "Policies and values before and after a search without noise, as when it counts. A search that "
        "changes nothing any more has nothing left to teach.",
    )
    yield _section("One game", figures.trajectory(diagnosis), "A game of median length, move by move.")
    yield from (_scene(scene) for scene in diagnosis.scenes)


def _section(title: str, figure: Figure, caption: str) -> str:
    return (
        f"<h2>{_text(title)}</h2>\n<figure>{image(figure, title)}"
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _scene(scene: Scene) -> str:
    found = scene.analysis
    line = ", ".join(scene.action_names[action] for action in found.principal_variation)
    line += f" ({scene.line_end})" if scene.line_end else ""
    caption = (
        f"The most visited nodes of a search of {counted(found.simulations, 'simulation')}. "
        f"Value of the position to the player to move {found.value:.3g}, before the search "
        f"{found.network_value:.3g}; expected line: {line}."
    )
    picture = tree_picture.figure(found.tree, scene.action_names)
    title = f"Search tree {scene.title}"
    return _section(title, picture, caption).replace("<figure>", f"<pre>{_text(scene.text)}</pre><figure>", 1)


def image(figure: Figure, title: str) -> str:
    """A figure as an `img` element."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="{_text(title)}" src="data:image/png;base64,{data}">'


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of cells that are HTML already."""
    lines = ["".join(f"<th>{cell}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "<table>\n" + "\n".join(f"<tr>{line}</tr>" for line in lines if line) + "\n</table>"


def _text(text: str) -> str:
    return html.escape(text)
