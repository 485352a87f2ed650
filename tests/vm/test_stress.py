"""A slice of each long run (stress.py, `make stress-device`)."""

from __future__ import annotations

from tests.vm import stress
from tests.vm.machine import Machine


def test_many_clients_at_once_all_get_their_own_answers(vm: Machine) -> None:
    stress.crowd(vm, 64, 20, seed=2)


def test_random_ioctls_of_a_user_end_nothing(vm: Machine) -> None:
    stress.fuzz(vm, 2000, seed=3)


def test_whoever_is_killed_the_others_go_on(vm: Machine) -> None:
    stress.storm(vm, 5, seed=4)


def test_launches_are_through_the_device_what_they_are_otherwise(vm: Machine) -> None:
    stress.ways(vm, "streams_arguments or exit_codes or handle_ctrl_c or stopped or typed or umask")
