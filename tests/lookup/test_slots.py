"""First come, first served; and who leaves takes nothing along."""

from __future__ import annotations

import asyncio

from exo_auth.lookup.slots import Slots


async def turn(slots: Slots, order: list[int], number: int) -> None:
    if not slots.take():
        await slots.wait()
    order.append(number)


def test_who_waits_first_is_served_first() -> None:
    async def go() -> list[int]:
        slots, order = Slots(2), []
        tasks = [asyncio.create_task(turn(slots, order, number)) for number in range(5)]
        await asyncio.sleep(0)
        assert order == [0, 1]
        for _ in range(3):
            slots.release()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(go()) == [0, 1, 2, 3, 4]


def test_a_slot_given_to_one_who_just_left_goes_to_the_next() -> None:
    async def go() -> list[int]:
        slots, order = Slots(0), []
        leaving, gone, staying = (asyncio.create_task(turn(slots, order, number)) for number in range(3))
        await asyncio.sleep(0)
        gone.cancel()  # before it is given one
        await asyncio.sleep(0)
        slots.release()
        leaving.cancel()  # in the moment in which it is given one
        await asyncio.wait_for(staying, 5)
        assert leaving.cancelled()
        assert gone.cancelled()
        return order

    assert asyncio.run(go()) == [2]


def test_what_is_given_back_is_free_again() -> None:
    slots = Slots(1)
    assert slots.take()
    assert not slots.take()
    slots.release()
    assert slots.take()
