"""The id map against a plain model."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import Id


class IdMapMachine(RuleBasedStateMachine):
    """Adds, answers (rightly, twice, wrongly), drains; compares with a list of pairs."""

    @initialize()
    def begin(self) -> None:
        """An empty map."""
        self.ids: IdMap[object] = IdMap()
        self.waiting: list[tuple[int, object]] = []
        self.given: list[int] = []

    @rule()
    def add(self) -> None:
        """A fresh id, greater than all before."""
        value = object()
        fresh = self.ids.add(value)
        assert fresh > max(self.given, default=0)
        self.given.append(fresh)
        self.waiting.append((fresh, value))

    @rule(data=st.data(), as_float=st.booleans())
    def pop_a_given_one(self, data: st.DataObject, *, as_float: bool) -> None:
        """What waits there, once."""
        if not self.given:
            return
        asked = data.draw(st.sampled_from(self.given))
        expected = next((value for given, value in self.waiting if given == asked), None)
        assert self.ids.get(asked) is expected
        assert self.ids.pop(float(asked) if as_float else asked, None) is expected
        self.waiting = [row for row in self.waiting if row[0] != asked]

    @rule(stranger=st.text() | st.integers(max_value=0) | st.floats(max_value=0.5) | st.none())
    def pop_a_stranger(self, stranger: Id | None) -> None:
        """Nothing, and nothing changes."""
        assert self.ids.pop(stranger, None) is None

    @rule()
    def pop_one_as_text(self) -> None:
        """Looks like ours, and is not."""
        if self.given:
            assert self.ids.pop(str(self.given[-1]), None) is None

    @rule()
    def drain(self) -> None:
        """All that waits, oldest first."""
        assert self.ids.drain() == [value for _, value in self.waiting]
        self.waiting = []

    @invariant()
    def shows_what_waits(self) -> None:
        """Length and iteration agree with the model."""
        if hasattr(self, "waiting"):
            assert list(self.ids.values()) == [value for _, value in self.waiting]
            assert len(self.ids) == len(self.waiting)


TestIdMap = IdMapMachine.TestCase
