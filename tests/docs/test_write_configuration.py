from config import field_docs
from docs.write_configuration import PATH, page, row


def test_the_page_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == page(), "run: python -m docs.write_configuration"


def test_every_field_has_its_row() -> None:
    lines = page().splitlines()
    for name in field_docs():
        assert sum(line.startswith(f"| `{name}` |") for line in lines) == 1


def test_a_row_by_hand() -> None:
    assert row("momentum", field_docs()["momentum"]) == (
        "| `momentum` | `--momentum` | float | at least 0, at most 1 | `0.9` | momentum of SGD |\n"
    )
    assert r"puct\|gumbel\|MODULE:CLASS" in row("search", field_docs()["search"])
