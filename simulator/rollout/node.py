"""A transformer or feeder that the grid operator opens at another time than its neighbourhood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from grid.config import StrictModel


class Node(StrictModel):
    """Array ``[[neighbourhoods.nodes]]``: transformers and feeders with a date and a queue of their own.

    Parameters
    ----------
    transformer
        Which of the neighbourhood's, counted from 0 in the order of its sub-neighbourhoods.
    feeder
        Which cable of that transformer, counted from 0; None: all of them.
    connectable_from
        First month (year, fraction) in which the grid operator connects more poles to it, whatever the
        neighbourhood's date.
    """

    transformer: int = Field(ge=0)
    feeder: int | None = Field(default=None, ge=0)
    connectable_from: float = Field(ge=0.0)

    @property
    def name(self) -> str:
        """What people call it within its neighbourhood."""
        cable = "" if self.feeder is None else f" feeder {self.feeder}"
        return f"transformer {self.transformer}{cable}"


def node_contradictions(nodes: Sequence[Node], transformers: int, feeders: int) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a neighbourhood's nodes: place below the neighbourhood, and remedy.

    Parameters
    ----------
    nodes
        As stated.
    transformers, feeders
        How many the neighbourhood, and each of its transformers, has.
    """
    opened = {node.transformer: node.connectable_from for node in nodes if node.feeder is None}
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        at = f"nodes[{index}]"
        if node.name in seen:
            yield f"{at}.transformer", f"{node.name} is stated twice: keep one of the dates"
        seen.add(node.name)
        if node.transformer >= transformers:
            yield (
                f"{at}.transformer",
                (
                    f"there is no {node.transformer}: the neighbourhood's are 0 to {transformers - 1}, "
                    "or raise transformers"
                ),
            )
        if node.feeder is None:
            continue
        if node.feeder >= feeders:
            yield (
                f"{at}.feeder",
                (
                    f"there is no {node.feeder}: a transformer's are 0 to {feeders - 1}, "
                    "or raise grid.feeders_per_transformer"
                ),
            )
        if node.connectable_from < opened.get(node.transformer, 0.0):
            yield (
                f"{at}.connectable_from",
                (
                    f"is earlier than its transformer's {opened[node.transformer]:g}: "
                    "give that or later, or leave the feeder out"
                ),
            )
