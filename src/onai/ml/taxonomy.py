"""A hierarchy of codes, so that a model can answer at the level it is sure of and learn from coarse labels.

Nothing here knows a particular classification: UK SIC, NAICS or a bank's own list is a table of
(code, parent, title) rows. Loaders that know one live in `onai.ml.data`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from onai.ml.errors import DataError, UnknownCodeError

Row = tuple[str, str | None, str]


class Taxonomy:
    """An immutable forest of codes. Level 0 is the coarsest; each code has one parent, roots have none.

    `levels` names the levels from coarse to fine; `codes` are in depth-first order, siblings in code order.
    """

    def __init__(self, rows: Iterable[Row], *, levels: Sequence[str] = (), name: str = "") -> None:
        """Build from (code, parent, title) rows in any order; parent None marks a root.

        Raises `DataError` for an empty table, a code given twice with different parents, a parent that is not in
        the table, a circle, or fewer level names than levels.
        """
        self.name = name
        self._parents: dict[str, str | None] = {}
        self._titles: dict[str, str] = {}
        for code, parent, title in rows:
            if self._parents.get(code, parent) != parent:
                raise DataError(f"code {code!r} has two parents: {self._parents[code]!r} and {parent!r}")
            self._parents[code] = parent
            self._titles[code] = title or self._titles.get(code, "")
        if not self._parents:
            raise DataError("a taxonomy needs at least one code")
        by_parent: dict[str | None, list[str]] = {}
        for code, parent in self._parents.items():
            if parent is not None and parent not in self._parents:
                raise DataError(f"the parent {parent!r} of {code!r} is not in the table", "Add a row for the parent.")
            by_parent.setdefault(parent, []).append(code)
        self._children = {parent: tuple(sorted(siblings)) for parent, siblings in by_parent.items()}
        self._depths = self._walk()
        deepest = max(self._depths.values()) + 1
        if levels and len(levels) < deepest:
            raise DataError(f"the table has {deepest} levels but {len(levels)} names were given")
        self.levels: tuple[str, ...] = tuple(levels)[:deepest] or tuple(f"level{n + 1}" for n in range(deepest))
        if len(set(self.levels)) != len(self.levels):
            raise DataError(f"level names must differ: {', '.join(self.levels)}")

    @classmethod
    def from_codes(cls, codes: Iterable[str], *, name: str = "") -> Taxonomy:
        """Infer the hierarchy from the codes alone.

        Codes of digits are read as decimal classifications are (SIC, NAICS): the first two digits are the top
        level and each further digit one more. Any other codes are a flat list of one level.
        """
        given = sorted(set(codes))
        if not all(code.isascii() and code.isdigit() for code in given):
            return cls(((code, None, "") for code in given), levels=("code",), name=name)
        lengths = sorted({length for code in given for length in range(2, len(code) + 1)} | {len(c) for c in given})
        rows: dict[str, Row] = {}
        for code in given:
            path = [code[:length] for length in lengths if length <= len(code)]
            for parent, child in zip([None, *path], path, strict=False):
                rows[child] = (child, parent, "")
        return cls(rows.values(), levels=[f"{length}-digit" for length in lengths], name=name)

    def __contains__(self, code: object) -> bool:
        return code in self._parents

    def __len__(self) -> int:
        return len(self._parents)

    def __iter__(self) -> Iterator[str]:
        return iter(self._depths)

    def __repr__(self) -> str:
        return f"Taxonomy({self.name or 'unnamed'}: {len(self)} codes, levels {' > '.join(self.levels)})"

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code, depth first."""
        return tuple(self._depths)

    @property
    def roots(self) -> tuple[str, ...]:
        return self._children[None]

    def parent(self, code: str) -> str | None:
        """Return the parent of `code`, None for a root. Raises `UnknownCodeError`."""
        self._check(code)
        return self._parents[code]

    def children(self, code: str) -> tuple[str, ...]:
        """Return the direct children in code order, empty for a leaf. Raises `UnknownCodeError`."""
        self._check(code)
        return self._children.get(code, ())

    def depth(self, code: str) -> int:
        """Return 0 for a root, 1 for its children, and so on. Raises `UnknownCodeError`."""
        self._check(code)
        return self._depths[code]

    def level(self, code: str) -> str:
        """Return the name of the level of `code`. Raises `UnknownCodeError`."""
        return self.levels[self.depth(code)]

    def title(self, code: str) -> str:
        """Return the title of `code`, `""` when the table had none. Raises `UnknownCodeError`."""
        self._check(code)
        return self._titles[code]

    def best_title(self, code: str) -> str:
        """Return the title of `code` or, when it has none, of its nearest ancestor that has one."""
        return next((self._titles[step] for step in reversed(self.path(code)) if self._titles[step]), "")

    def path(self, code: str) -> tuple[str, ...]:
        """Return the codes from the root to `code`, both included. Raises `UnknownCodeError`."""
        self._check(code)
        path = [code]
        while (parent := self._parents[path[-1]]) is not None:
            path.append(parent)
        return tuple(reversed(path))

    def at_level(self, code: str, level: str) -> str:
        """Return the ancestor-or-self of `code` at `level`, or `code` itself when it is coarser than `level`."""
        path = self.path(code)
        return path[min(self.level_index(level), len(path) - 1)]

    def level_index(self, level: str) -> int:
        """Return the place of `level` in `levels`. Raises `DataError` for a name that is not one."""
        if level not in self.levels:
            raise DataError(f"there is no level {level!r}", f"Levels: {', '.join(self.levels)}.")
        return self.levels.index(level)

    def rows(self) -> list[Row]:
        """Return the table this taxonomy can be built from again."""
        return [(code, self._parents[code], self._titles[code]) for code in self]

    def _check(self, code: str) -> None:
        if code not in self._parents:
            name = self.name or "this taxonomy"
            raise UnknownCodeError(
                f"{code!r} is not a code of {name}",
                f"Codes are strings such as {', '.join(map(repr, self.codes[-3:]))}; leading zeros count.",
            )

    def _walk(self) -> dict[str, int]:
        """Return each code's depth, depth first. Codes that are never reached form a circle."""
        depths: dict[str, int] = {}
        stack = [(root, 0) for root in reversed(self._children.get(None, ()))]
        while stack:
            code, depth = stack.pop()
            depths[code] = depth
            stack.extend((child, depth + 1) for child in reversed(self._children.get(code, ())))
        if len(depths) != len(self._parents):
            lost = sorted(set(self._parents) - set(depths))
            raise DataError(f"the parents of {lost[0]!r} form a circle")
        return depths
