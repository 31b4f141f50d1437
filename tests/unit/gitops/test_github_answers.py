"""What GitHub said before: kept within bounds, and never in the way."""

from __future__ import annotations

from pathlib import Path

from finops_dagster.gitops.github.answers import Answer, Answers


def answer(body: str) -> Answer:
    headers = {"etag": 'W/"1"', "link": '<x>; rel="next"', "set-cookie": "secret", "date": "now"}
    return Answer.of(headers, body)


def test_an_answer_is_found_by_its_address_alone(tmp_path: Path) -> None:
    """Harm: one page of pull requests is taken for another."""
    answers = Answers(tmp_path)
    answers.put("https://api/pulls?page=1", answer("one"))
    answers.put("https://api/pulls?page=2", answer("two"))
    found = Answers(tmp_path).get("https://api/pulls?page=1")
    assert found is not None
    assert (found.body, found.etag) == ("one", 'W/"1"')
    assert found.headers == {"link": '<x>; rel="next"'}, "no header that nobody reads is kept"
    assert answers.get("https://api/pulls?page=3") is None


def test_what_is_broken_is_asked_again(tmp_path: Path) -> None:
    """Harm: a half-written file stops every later run."""
    answers = Answers(tmp_path)
    answers.put("https://api/pulls", answer("one"))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:10])
    assert answers.get("https://api/pulls") is None


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    """Harm: the state folder grows until the disk is full."""
    for number in range(6):
        Answers(tmp_path, max_answers=3).put(f"https://api/{number}", answer("x"))
    kept = [n for n in range(6) if Answers(tmp_path).get(f"https://api/{n}") is not None]
    assert kept == [3, 4, 5]
    for number in range(6):
        Answers(tmp_path, max_bytes=2_000).put(f"https://api/{number}", answer("y" * 900))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2_000
