"""Words for people: numbers with their nouns."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """`1 game`, `2 games`, `1000 losses`."""
    return f"{number} {_form(number, noun)}"


def grouped(number: float, noun: str) -> str:
    """The same for large numbers: `1,000 games`."""
    return f"{number:,} {_form(number, noun)}"


def _form(number: float, noun: str) -> str:
    if number == 1:
        return noun
    return noun + ("es" if noun.endswith("s") else "s")


def in_words(number: int) -> str:
    """`two` for 2; large numbers in digits."""
    words = ("none", "one", "two", "three", "four", "five", "six")
    return words[number] if number < len(words) else str(number)


def record(wins: float, draws: float, losses: float) -> str:
    """`2 wins, 1 draw, 0 losses`."""
    return f"{counted(wins, 'win')}, {counted(draws, 'draw')}, {counted(losses, 'loss')}"


def score_of_mean(mean: float) -> str:
    """The mean return of games for two as a score, where returns are those of wins and losses."""
    return f"{(mean + 1) / 2:.0%}" if abs(mean) <= 1 else f"mean return {mean:.1f}"


def judged(mean: float, players: int) -> str:
    """An evaluation's mean return, or in a game for two the score: the share of wins and half the draws."""
    if players == 1 or abs(mean) > 1:
        return f"mean return {mean:.4g}"
    return f"score {score_of_mean(mean)}"
