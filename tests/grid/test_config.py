from __future__ import annotations

from datetime import time
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator

from grid.config import Document, ProblemCollector, StrictModel, load_document, parse_document, validate
from grid.errors import DocumentError


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Leaf(StrictModel):
    value: float = Field(ge=0.0)
    colour: Colour = Colour.RED
    at: time | None = None


class Tree(StrictModel):
    id: str
    height: int = 1
    wet: bool = False
    leaves: tuple[Leaf, ...] = ()
    best: Leaf | None = None

    @field_validator("id")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 5:
            raise ValueError("must have five letters at most: shorten it")
        return value


class Options(StrictModel):
    depth: int = 3


def read(text: str) -> Document:
    return parse_document(text, source="street.toml", directory=Path())


def problems_of(text: str) -> dict[str, str]:
    with pytest.raises(DocumentError) as caught:
        read(text).array("trees", Tree)
    assert caught.value.source == "street.toml"
    return {problem.path: problem.message for problem in caught.value.problems}


def test_tables_become_models() -> None:
    (tree,) = read('[[trees]]\nid = "oak"\nleaves = [{value = 3, colour = "green", at = "17:00"}]').array(
        "trees", Tree
    )
    assert tree.leaves == (Leaf(value=3.0, colour=Colour.GREEN, at=time(17)),)


def test_native_toml_times_are_times() -> None:
    (tree,) = read('[[trees]]\nid = "oak"\nbest = {value = 1, at = 17:30:00}').array("trees", Tree)
    assert tree.best == Leaf(value=1.0, at=time(17, 30))


def test_every_error_is_listed_with_its_path() -> None:
    problems = problems_of(
        """
        [[trees]]
        id = "too long a name"
        leafs = []
        leaves = [{value = 1.0}, {value = -1.0, unit = "kW"}]
        [[trees]]
        height = "400"
        wet = 1
        best = {value = 1.0, colour = "blue"}
        """
    )
    assert set(problems) == {
        "trees[0].id",
        "trees[0].leafs",
        "trees[0].leaves[1].value",
        "trees[0].leaves[1].unit",
        "trees[1].id",
        "trees[1].height",
        "trees[1].wet",
        "trees[1].best.colour",
    }


def test_an_unknown_key_names_the_known_ones_and_a_guess() -> None:
    problems = problems_of('[[trees]]\nid = "oak"\nleafs = []\nbest = {vlaue = 1, value = 1}')
    assert "did you mean 'leaves'?" in problems["trees[0].leafs"]
    assert "best, height, id, leaves, wet" in problems["trees[0].leafs"]
    assert "did you mean 'value'?" in problems["trees[0].best.vlaue"]
    assert "at, colour, value" in problems["trees[0].best.vlaue"]


def test_messages_say_what_is_wrong_with_the_value() -> None:
    problems = problems_of('[[trees]]\nid = "a long name"\nheight = "400"\nleaves = [{value = -2.0}]')
    assert problems["trees[0].id"] == "must have five letters at most: shorten it"
    assert "not '400'" in problems["trees[0].height"]
    assert "greater than or equal to 0" in problems["trees[0].leaves[0].value"]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_are_finite(number: str) -> None:
    assert set(problems_of(f'[[trees]]\nid = "oak"\nbest = {{value = {number}}}')) == {"trees[0].best.value"}


def test_a_missing_table_is_named_unless_it_needs_nothing() -> None:
    assert read("").table("options", Options) == Options()
    with pytest.raises(DocumentError, match=r"tree: the table is missing: add \[tree\] with the keys id"):
        read("").table("tree", Tree)


def test_a_table_instead_of_an_array_is_explained() -> None:
    assert problems_of('[trees]\nid = "oak"') == {
        "trees": "must be an array of tables: write [[trees]] instead of [trees]"
    }


def test_an_array_instead_of_a_table_is_refused() -> None:
    with pytest.raises(DocumentError, match="options: "):
        read("[[options]]\ndepth = 1").table("options", Options)


def test_unknown_tables_are_refused() -> None:
    document = read("[prices]\n[price]\n[sun]")
    with pytest.raises(DocumentError, match=r"price: unknown key: did you mean 'prices'\?") as caught:
        document.refuse_unknown_tables(["prices", "sun"])
    assert len(caught.value.problems) == 1
    document.refuse_unknown_tables(["prices", "sun", "price"])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="give the path of a TOML file"):
        load_document(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(DocumentError, match="give the path of a TOML file"):
        load_document(tmp_path / "latin.toml")
    (tmp_path / "bad.toml").write_text("a = \n")
    with pytest.raises(DocumentError, match=r"bad.toml.*\n.*line 1"):
        load_document(tmp_path / "bad.toml")


def test_a_document_knows_its_directory(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[options]\ndepth = 4")
    document = load_document(tmp_path / "a.toml")
    assert document.directory == tmp_path
    assert document.table("options", Options).depth == 4


def test_a_collector_gathers_across_documents() -> None:
    collector = ProblemCollector("street.toml")
    assert collector.attempt(lambda: 7) == 7
    assert collector.attempt(lambda: read("[options]\ndeth = 1").table("options", Options)) is None
    other = parse_document("depth = true", source="tariff.toml", directory=Path())
    assert collector.attempt(lambda: validate(Options, other.tables, source=other.source)) is None
    collector.add("sun.node", "there is none")
    with pytest.raises(DocumentError) as caught:
        collector.finish()
    assert [problem.path for problem in caught.value.problems] == [
        "options.deth",
        "tariff.toml: depth",
        "sun.node",
    ]


def test_a_collector_without_problems_is_silent() -> None:
    ProblemCollector("street.toml").finish()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=8,
    )
)
def test_any_data_is_a_model_or_a_document_error(data: object) -> None:
    collector = ProblemCollector("fuzz")
    tree = collector.attempt(lambda: validate(Tree, data, source="fuzz"))
    assert isinstance(tree, Tree) or collector.problems
