"""The transitions of a job."""

import pytest

from bot.job import FINAL_STATES, TRANSITIONS, IllegalTransition, State, check_transition


@pytest.mark.parametrize("start", State)
@pytest.mark.parametrize("end", State)
def test_a_job_goes_only_where_the_rules_say(start: State, end: State) -> None:
    if end in TRANSITIONS[start]:
        check_transition(start, end)
    else:
        with pytest.raises(IllegalTransition):
            check_transition(start, end)


def test_what_may_have_been_paid_for_is_never_cancelled() -> None:
    assert [state for state in State if State.CANCELLED in TRANSITIONS[state]] == [State.GATHERING, State.QUEUED]


def test_every_life_can_come_to_an_end() -> None:
    reaches: set[State] = set(FINAL_STATES)
    for _ in State:
        reaches |= {state for state in State if TRANSITIONS[state] & reaches}
    assert reaches == set(State)
    assert {State.SUCCEEDED, State.FAILED, State.CANCELLED} == FINAL_STATES
