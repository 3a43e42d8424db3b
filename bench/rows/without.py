"""Takes statements out of a source tree: a build without them is what their cost is measured against."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from bench.errors import Broken


def take_out(tree: Path, names: Sequence[str]) -> None:
    """Removes every statement of the tree that only calls a function whose dotted name ends in one of `names`.

    Raises:
        Broken: there is none for a name: what is measured has moved.
    """
    found: set[str] = set()
    for path in tree.rglob("*.py"):
        cleaner = _Cleaner(names)
        module = cleaner.visit(ast.parse(path.read_bytes()))
        if cleaner.found:
            path.write_text(ast.unparse(ast.fix_missing_locations(module)), encoding="utf-8")
            found |= cleaner.found
    if missing := [name for name in names if name not in found]:
        raise Broken(f"no statement of the gateway calls {', '.join(missing)}")


class _Cleaner(ast.NodeTransformer):
    """Puts `pass` in the place of what is taken out, and drops conditions under which nothing else is done."""

    def __init__(self, names: Sequence[str]) -> None:
        self.found: set[str] = set()
        self._names = names

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:  # the name that ast asks for
        """A call that is a statement of its own."""
        if not isinstance(node.value, ast.Call):
            return node
        called = "." + ast.unparse(node.value.func)
        for name in self._names:
            if called.endswith((f".{name}", f"_{name}")):
                self.found.add(name)
                return ast.Pass()
        return node

    def visit_If(self, node: ast.If) -> ast.stmt:  # the name that ast asks for
        """A condition; asking it has no effect that anybody could miss, since these only guard what tells."""
        did_something = not _is_empty(node.body)
        self.generic_visit(node)
        if did_something and _is_empty(node.body) and not node.orelse:
            return ast.Pass()
        return node


def _is_empty(body: Sequence[ast.stmt]) -> bool:
    return all(isinstance(one, ast.Pass) for one in body)
