"""The page about programs is what its table says."""

from __future__ import annotations

from . import survey


def test_the_page_is_the_one_that_the_table_makes() -> None:
    assert survey.page() == survey.PAGE.read_text(), "run python -m tests.real_programs.survey"


def test_programs_that_work_are_asked_for_something_that_shows() -> None:
    assert [work.name for work in survey.WORK if not (work.says or work.makes)] == []
