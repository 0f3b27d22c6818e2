"""Plain English, held by the sources: the words that name no actor, or the wrong one, stay out of prose."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BANNED = re.compile(
    r"\b(nobody|somebody|whoever|beneath|of ours|in place of|stands? for|stands? still|goes nowhere"
    r"|(is|are|be) (had|told)|\w+ tells (of|what|how|when)|(driver|system|nobody|it) can't tell"
    r"|(is|are) no (?!longer|more|later|less|earlier))\b|^Owns ",
    re.IGNORECASE,
)


def prose(source: str) -> Iterator[str]:
    """The docstrings and the comments of a module, or all of a page."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


# The most words of a sentence.
LONGEST = 25
END_OF_A_SENTENCE = re.compile(r"[.!?][)'\"*`]*\s|\n\s*\n|\n\s*(?:[-*|]|\d+\.|\w+:|=+)\s?|\|")


def long_sentences(path: Path, source: str) -> list[str]:
    """Those of the docstrings and comments of a module, or of a page, but not in its code and tables."""
    code_and_tables = re.compile(r"^```.*?^```|^\|.*?$|^ *===+ +===.*^ *===+ +===+$", re.DOTALL | re.MULTILINE)
    found = []
    for text in prose(source) if path.suffix == ".py" else [source]:
        sentences = END_OF_A_SENTENCE.split(re.sub(r"``?[^`]*``?", "code", code_and_tables.sub("", text)))
        found += [f"{path}: {' '.join(words.split())}" for words in sentences if len(words.split()) > LONGEST]
    return found


def banned_in(path: Path, source: str) -> list[str]:
    texts = prose(source) if path.suffix == ".py" else [source]
    found = []
    for text in texts:
        found += [f"{path}: {match.group()!r}" for match in BANNED.finditer(" ".join(text.split()))]
    return found


PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("serialwrite/**/*.py")]


def test_prose_is_free_of_banned_words() -> None:
    assert [word for page in PAGES for word in banned_in(page.relative_to(ROOT), page.read_text())] == []


def test_no_sentence_is_too_long() -> None:
    assert [words for page in PAGES for words in long_sentences(page.relative_to(ROOT), page.read_text())] == []


def test_a_planted_long_sentence_is_found() -> None:
    words = "one, two: " * (LONGEST // 2 + 1)
    assert long_sentences(Path("planted.py"), f'"""Say\n{words}."""')
    assert long_sentences(Path("page.md"), f"A page.\n{words}\n")
    assert not long_sentences(Path("page.md"), "One. Two! " * LONGEST)


@pytest.mark.parametrize(
    "planted", ['"""Owns it."""', "x = 1  # nobody\n# knows", '"""Wait for the stream\nbeneath it."""']
)
def test_a_planted_word_is_found(planted: str) -> None:
    assert banned_in(Path("planted.py"), planted)
    assert banned_in(Path("page.md"), "A close that\nnobody sees.")
