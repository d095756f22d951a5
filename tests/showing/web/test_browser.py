"""The page in a real browser: games played by clicks in a headless Chromium."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from games.api.sources import load_game
from showing.agent import Agent
from showing.web.lobby import Lobby
from showing.web.rooms import Rooms, Seat
from showing.web.server import listen, make_server
from tests.helpers.web_agents import SIMULATIONS, untrained

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
COLUMNS, ROWS = 7, 6
PATIENCE = 180_000
"""Milliseconds, on a machine that is busy with something else."""

Tab = Any
"""A page of playwright's."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = next((path for path in (CHROMIUM, own) if path.exists()), None)
        if found is None:
            pytest.skip(
                "there is no browser: install Debian's chromium, or run `playwright install chromium`"
            )
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def served(
    game: str, agent: Agent | None, seat: Seat | None = None, others: tuple[str, ...] = ()
) -> Iterator[str]:
    """The address of a running server."""
    rooms = Rooms(load_game(game), agent, seat=seat)
    rooms.warm()
    with listen(0) as listener:
        server = make_server(Lobby(rooms, others, lambda name: Rooms(load_game(name), None)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture(scope="module")
def connect4() -> Iterator[str]:
    with served("connect4", untrained("connect4")) as address:
        yield address


@contextmanager
def opened(browser: Any, address: str, motion: str = "reduce", expected: str = "") -> Iterator[Tab]:
    """A tab on `address`, which must cause no error but the `expected`, and ask no other host."""
    context = browser.new_context(reduced_motion=motion)
    context.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    hosts: set[str] = set()

    def watch(tab: Tab) -> None:
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))

    context.on("page", watch)
    tab = context.new_page()
    tab.goto(address)
    tab.wait_for_selector("#status:not(:text('Loading'))")
    yield tab
    context.close()
    assert [text for text in complaints if not expected or expected not in text] == []
    assert hosts == {address.split("/")[2]}


@pytest.fixture
def tab(browser: Any, connect4: str) -> Iterator[Tab]:
    with opened(browser, connect4) as tab:
        yield tab


def click(tab: Tab, column: int, row: int = 0) -> None:
    tab.click(f'.cell[data-cell="{row * COLUMNS + column}"]')


def stones(tab: Tab) -> list[int]:
    """The board as it is shown."""
    shown: list[int] = tab.eval_on_selector_all(".cell", "cells => cells.map(cell => +cell.dataset.stone)")
    return shown


def at_server(tab: Tab) -> dict[str, Any]:
    """The position as the server knows it."""
    position: dict[str, Any] = tab.evaluate(
        "() => fetch('/api/games/' + location.hash.slice(1)).then(answer => answer.json())"
    )
    return position


def wait_for_moves(tab: Tab, moves: int) -> None:
    """Waits until so many moves have been made, or the game is over, and the agent has thought about it."""
    tab.wait_for_function(
        """moves => document.querySelectorAll("#moves button:not(.ahead)").length === moves
             && !document.querySelector("#view").classList.contains("waiting")
           || document.querySelector("#status").dataset.over === "true" """,
        arg=moves,
    )


@contextmanager
def held_back(tab: Tab, request: str) -> Iterator[None]:
    """Inside it the server does not see any `request`; at its end it does."""
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    tab.route(f"**/{request}", hold)
    yield
    for route in held:
        route.continue_()
    tab.unroute(f"**/{request}")


def text(tab: Tab, selector: str) -> str:
    return str(tab.inner_text(selector))


def tree(tab: Tab) -> str:
    return str(tab.inner_html("#tree"))


def choose(tab: Tab, seat: str, simulations: int = SIMULATIONS) -> None:
    tab.fill("#simulations", str(simulations))
    tab.press("#simulations", "Enter")
    tab.select_option("#seat", seat)


# --- a game against the agent ---


def test_a_whole_game_by_clicks(tab: Tab) -> None:
    wait_for_moves(tab, 0)
    seen = [(text(tab, "#value"), tree(tab))]
    made = 0
    while tab.get_attribute("#status", "data-over") != "true":
        assert text(tab, "#status") == "Your turn: you are Red"
        column = at_server(tab)["legal"][made % 3]
        click(tab, column)
        made += 2
        wait_for_moves(tab, made)
        position = at_server(tab)
        assert stones(tab) == position["cells"]
        assert position["moves"][made - 2] == column
        if not position["over"]:
            assert position["ply"] == made
            assert len(tab.query_selector_all(".policy .share")) > 0
            seen.append((text(tab, "#value"), tree(tab)))
    position = at_server(tab)
    results = {1: "You win", -1: "The agent wins", 0: "A draw"}
    assert text(tab, "#status") == results[position["returns"][0]]
    assert len(seen) > 3
    assert all(now[0] != before[0] or now[1] != before[1] for before, now in itertools.pairwise(seen))
    assert len({value for value, _ in seen}) > 2
    assert len({branches for _, branches in seen}) == len(seen)
    before = stones(tab)
    click(tab, position["moves"][0])
    assert "The game is over" in text(tab, "#notice")
    assert (stones(tab), at_server(tab)) == (before, position)


def test_what_is_shown_is_what_the_agent_thinks(tab: Tab) -> None:
    click(tab, 2)
    wait_for_moves(tab, 2)
    found = tab.evaluate(
        "() => fetch(`/api/games/${location.hash.slice(1)}/analysis?revision=2`).then(said => said.json())"
    )
    chance = round(100 * (found["value"] + 1) / 2)
    assert text(tab, "#value strong") == f"{chance} %"
    assert text(tab, "#balance-first") == f"Red {chance} %"
    visits = {move["action"]: move["visits"] for move in found["moves"]}
    shown = tab.eval_on_selector_all(
        "#candidates tbody tr", "rows => rows.map(row => [+row.dataset.action, +row.cells[2].textContent])"
    )
    assert dict(shown) == visits
    assert shown[0][0] == max(visits, key=lambda action: visits[action])
    assert tab.get_attribute("#candidates tr.best", "data-action") == str(found["action"])
    line = [str(action + 1) for action in found["line"]][:8]
    assert tab.eval_on_selector_all("#line .move", "moves => moves.map(move => move.textContent)") == line
    assert int(tab.get_attribute(".tree", "data-nodes")) == len(found["tree"]) > 4
    assert tab.get_attribute(".curve", "data-points") == "3"


def test_an_illegal_click_changes_nothing(tab: Tab) -> None:
    choose(tab, "both")
    for move in range(ROWS):
        click(tab, 3)
        wait_for_moves(tab, move + 1)
    before, position, branches = stones(tab), at_server(tab), tree(tab)
    assert 3 not in position["legal"]
    click(tab, 3)
    assert text(tab, "#notice") == "That is not a legal move."
    assert (stones(tab), at_server(tab), tree(tab)) == (before, position, branches)
    click(tab, 4)
    wait_for_moves(tab, ROWS + 1)
    assert text(tab, "#notice") == ""


def test_a_click_while_a_setting_is_under_way_waits_for_it(browser: Any, connect4: str) -> None:
    # the server refuses what was asked of a position that has been left: 409
    with opened(browser, connect4, expected="409") as tab:
        with held_back(tab, "settings"):
            tab.select_option("#seat", "both")
            click(tab, 3)
        wait_for_moves(tab, 1)
        assert at_server(tab)["moves"] == [3]


def test_a_click_before_another_seat_is_no_move_of_that_seat(browser: Any, connect4: str) -> None:
    with opened(browser, connect4, expected="409") as tab:
        wait_for_moves(tab, 0)
        best = int(tab.get_attribute("#candidates tr.best", "data-action"))
        with held_back(tab, "settings"):
            tab.select_option("#seat", "second")
            click(tab, (best + 1) % COLUMNS)
        wait_for_moves(tab, 1)
        assert at_server(tab)["moves"] == [best]  # the agent's, as the seat is its own now


def test_what_is_being_typed_stays(browser: Any, connect4: str) -> None:
    with opened(browser, connect4, expected="409") as tab:
        wait_for_moves(tab, 0)
        tab.fill("#simulations", "77")
        click(tab, 3)
        wait_for_moves(tab, 2)
        assert tab.input_value("#simulations") == "77"


def test_of_two_clicks_at_once_the_second_does_nothing(tab: Tab) -> None:
    choose(tab, "both")
    with held_back(tab, "moves"):
        click(tab, 3)
        click(tab, 4)
    wait_for_moves(tab, 1)
    click(tab, 5)
    wait_for_moves(tab, 2)
    assert at_server(tab)["moves"] == [3, 5]


def test_a_reload_keeps_the_game(tab: Tab) -> None:
    click(tab, 2)
    wait_for_moves(tab, 2)
    before, position = stones(tab), at_server(tab)
    tab.reload()
    wait_for_moves(tab, 2)
    assert (stones(tab), at_server(tab)) == (before, position)
    click(tab, 2)
    wait_for_moves(tab, 4)
    assert sum(stone > 0 for stone in stones(tab)) == 4


def test_two_tabs_play_independently(tab: Tab, connect4: str) -> None:
    other = tab.context.new_page()
    other.goto(connect4)
    click(tab, 0)
    wait_for_moves(tab, 2)
    click(other, 6)
    wait_for_moves(other, 2)
    click(other, 5)
    wait_for_moves(other, 4)
    assert at_server(tab)["id"] != at_server(other)["id"]
    assert (len(at_server(tab)["moves"]), len(at_server(other)["moves"])) == (2, 4)
    assert (stones(tab)[35], stones(other)[41]) == (1, 1)
    assert stones(tab) == at_server(tab)["cells"]


def test_two_tabs_on_one_game_come_together(browser: Any, connect4: str) -> None:
    with opened(browser, connect4, expected="409") as tab:
        choose(tab, "both")
        other = tab.context.new_page()
        other.goto(tab.url)
        other.wait_for_selector(".cell")  # before, there are no moves either
        click(tab, 0)
        wait_for_moves(tab, 1)
        click(other, 6)  # on a board that is no longer so
        wait_for_moves(other, 1)
        assert "changed elsewhere" in text(other, "#notice")
        assert stones(other) == stones(tab) == at_server(tab)["cells"]


def test_stepping_back_and_trying_another_move(tab: Tab) -> None:
    click(tab, 2)
    wait_for_moves(tab, 2)
    click(tab, 2)
    wait_for_moves(tab, 4)
    tab.click("#back")
    wait_for_moves(tab, 2)
    assert text(tab, "#status") == "Your turn: you are Red"
    click(tab, 6)
    wait_for_moves(tab, 4)
    assert at_server(tab)["moves"][::2] == [2, 6]
    tab.click("#moves li:nth-child(2) button")
    wait_for_moves(tab, 2)
    assert at_server(tab)["moves"][0] == 2
    assert len(at_server(tab)["moves"]) == 2


def test_moves_are_looked_at_again_without_losing_any(tab: Tab) -> None:
    click(tab, 3)
    wait_for_moves(tab, 2)
    click(tab, 2)
    wait_for_moves(tab, 4)
    made = at_server(tab)["moves"]
    for ply in (1, 3, 2):
        tab.click(f'#moves button[data-ply="{ply}"]')
        tab.wait_for_selector(f'#moves button[data-ply="{ply}"][aria-current="step"]')
        assert at_server(tab)["moves"] + at_server(tab)["ahead"] == made
        assert tab.locator("#moves button.ahead").count() == 4 - ply
    tab.click("#forward")
    tab.wait_for_selector('#moves button[data-ply="3"][aria-current="step"]')
    tab.click('#moves button[data-ply="2"]')
    tab.wait_for_selector('#moves button[data-ply="2"][aria-current="step"]')
    click(tab, 6)  # another move: what was ahead is gone, and the agent replies
    wait_for_moves(tab, 4)
    assert at_server(tab)["moves"][:3] == [*made[:2], 6]
    assert at_server(tab)["ahead"] == []


def test_another_opponent_is_chosen_on_the_page(tab: Tab) -> None:
    tab.select_option("#opponent", "expert")
    click(tab, 3)
    tab.wait_for_selector("#status:has-text('Your turn')")
    wait_for_moves(tab, 2)
    assert at_server(tab)["opponent"] == "expert"
    tab.select_option("#seat", "second")
    tab.wait_for_function("() => document.querySelectorAll('#moves button').length === 3")
    tab.fill("#simulations", "")
    tab.press("#simulations", "Tab")
    tab.wait_for_selector("#notice:has-text('Simulations per move: type a whole number from 0 to ')")


def test_the_row_that_has_won_and_legal_squares_stand_out(browser: Any) -> None:
    with served("tictactoe", None, "both") as address, opened(browser, address) as tab:
        for cell in (0, 3, 1, 4, 2):
            tab.click(f'.cell[data-cell="{cell}"]')
            tab.wait_for_selector(f'.cell[data-cell="{cell}"].last')
        won = tab.eval_on_selector_all(".cell.won", "cells => cells.map(cell => +cell.dataset.cell)")
        assert won == [0, 1, 2]
        assert tab.query_selector(".cell.hint") is None
    with served("othello", None, "both") as address, opened(browser, address) as tab:
        hints = tab.eval_on_selector_all(".cell.hint", "cells => cells.map(cell => +cell.dataset.action)")
        assert hints == at_server(tab)["legal"]
        assert len(hints) == 4


def test_the_other_seat_and_other_simulations(tab: Tab) -> None:
    wait_for_moves(tab, 0)
    choose(tab, "second", 3)
    wait_for_moves(tab, 1)
    position = at_server(tab)
    assert (position["seat"], position["simulations"], position["ply"]) == ("second", 3, 1)
    assert text(tab, "#status") == "Your turn: you are Blue"
    assert text(tab, "#grown") == "3"
    tab.click("#new")
    tab.wait_for_function("name => location.hash !== '#' + name", arg=position["id"])
    wait_for_moves(tab, 1)
    assert (at_server(tab)["seat"], at_server(tab)["simulations"]) == ("second", 3)


def test_bad_simulations_are_refused(browser: Any, connect4: str) -> None:
    with opened(browser, connect4, expected="422") as tab:
        tab.fill("#simulations", "999999")
        tab.press("#simulations", "Enter")
        tab.wait_for_selector("#notice:has-text('must be from 0 to 5000')")
        assert tab.input_value("#simulations") == str(SIMULATIONS)


def test_a_hint_is_played(tab: Tab) -> None:
    wait_for_moves(tab, 0)
    best = int(tab.get_attribute("#candidates tr.best", "data-action"))
    tab.click("#advance")
    wait_for_moves(tab, 2)
    assert at_server(tab)["moves"][0] == best


def test_playing_by_keyboard(tab: Tab) -> None:
    tab.focus('.cell[data-cell="4"]')
    tab.keyboard.press("Enter")
    wait_for_moves(tab, 2)
    assert at_server(tab)["moves"][0] == 4


def test_the_agent_can_keep_its_thoughts_to_itself(tab: Tab) -> None:
    tab.uncheck("#thoughts")
    click(tab, 3)
    tab.wait_for_function("() => document.querySelectorAll('#moves li').length === 2")
    assert not tab.is_visible("#view")
    assert not tab.is_visible("#balance")
    assert tab.query_selector_all(".policy .share") == []
    tab.check("#thoughts")
    tab.wait_for_selector(".policy .share")


def test_the_tree_grows(browser: Any, connect4: str) -> None:
    with opened(browser, connect4, motion="no-preference") as tab:
        tab.wait_for_selector(f"#grown:text-is('{SIMULATIONS}')")
        tab.evaluate(
            """() => {
              window.grown = [];
              const note = () => window.grown.push(+document.querySelector(".tree").dataset.nodes);
              new MutationObserver(note).observe(document.querySelector("#tree"), { childList: true });
            }"""
        )
        tab.select_option("#seat", "both")  # the same position is thought about again
        tab.wait_for_function(f"() => window.grown.length === {SIMULATIONS}")
        sizes = tab.evaluate("window.grown")
        assert sizes == sorted(sizes)
        assert (sizes[0], sizes[1]) == (2, 3)
        assert sizes[-1] == int(tab.get_attribute(".tree", "data-nodes")) > 4
        tab.fill("#moment", "1")
        assert (text(tab, "#grown"), tab.get_attribute(".tree", "data-nodes")) == ("2", "3")


def test_a_game_that_is_no_longer_open_gives_way_to_a_new_one(browser: Any, connect4: str) -> None:
    with opened(browser, connect4 + "#unknown", expected="404") as tab:
        wait_for_moves(tab, 0)
        assert "this game is no longer open" in text(tab, "#notice")
        assert at_server(tab)["ply"] == 0
        assert not tab.url.endswith("#unknown")


# --- other games ---


def test_a_board_whose_cells_have_names(browser: Any) -> None:
    with served("tictactoe", None, "both") as address, opened(browser, address) as tab:
        tab.click('.cell[data-cell="0"]', position={"x": 14, "y": 16})  # on the name
        tab.wait_for_selector('.cell[data-cell="0"][data-stone="1"]')
        assert text(tab, "#status") == "Blue to move"


def test_another_game_is_chosen_on_the_page(browser: Any) -> None:
    expected = "422"  # the browser's own line about the answer to the game that is not there
    with (
        served("tictactoe", None, "both", ("gomoku", "tictactoe")) as address,
        opened(browser, address, expected=expected) as tab,
    ):
        offered = tab.eval_on_selector_all("#which option", "options => options.map(option => option.value)")
        assert offered == ["tictactoe", "gomoku"]
        tab.select_option("#which", "gomoku")
        tab.wait_for_selector("h1:has-text('gomoku')")
        tab.wait_for_function("() => document.querySelectorAll('.cell').length === 49")
        tab.select_option("#seat", "both")
        tab.click('.cell[data-cell="24"]')
        tab.wait_for_function("() => document.querySelectorAll('#moves li').length === 1")
        tab.reload()  # the same game of the same kind
        tab.wait_for_function("() => document.querySelectorAll('#moves li').length === 1")
        assert (text(tab, "h1"), tab.input_value("#which")) == ("gomoku", "gomoku")
        tab.go_back()
        tab.wait_for_selector("h1:has-text('tictactoe')")
        assert tab.input_value("#which") == "tictactoe"
        tab.goto(address + "?game=gomokku")
        tab.wait_for_selector("#notice:has-text('no game')")
        assert text(tab, "#status") == "There is nothing to play."
        tab.select_option("#which", "gomoku")  # and the way out
        tab.wait_for_selector("h1:has-text('gomoku')")


def test_a_board_of_cells_with_a_pass(browser: Any) -> None:
    with served("othello", None, "both") as address, opened(browser, address) as tab:
        assert text(tab, "#agent") == "No agent of this game yet."
        assert not tab.is_visible("#view")
        tab.click('.cell[data-cell="8"]')
        tab.wait_for_function("() => document.querySelectorAll('#moves li').length === 1")
        assert text(tab, "#status") == "Blue to move"
        assert (stones(tab).count(1), stones(tab).count(2)) == (4, 1)
        assert (text(tab, "#choices button"), tab.is_disabled("#choices button")) == ("pass", True)
        assert tab.get_attribute('.cell[data-cell="8"]', "aria-label") == "c2: Red, newest"


def watched(tab: Tab, selector: str) -> int:
    """Waits for three moves, then stops; the number of moves made."""
    tab.wait_for_function("() => +document.querySelector('.curve:nth-child(2)').dataset.points >= 3")
    tab.click("#pause")
    tab.wait_for_selector("#view:not(.waiting)")
    tab.wait_for_timeout(300)
    ply = int(at_server(tab)["ply"])
    assert tab.query_selector(selector) is not None
    assert tab.eval_on_selector_all(".curve", "curves => curves.map(curve => +curve.dataset.points)") == [
        ply + 1,
        ply,
    ]
    return ply


def test_a_game_for_one_is_watched_as_text(browser: Any) -> None:
    with served("gridworld", untrained("gridworld"), "none") as address, opened(browser, address) as tab:
        ply = watched(tab, "#board pre")
        assert "A" in text(tab, "#board pre")
        assert all(tab.eval_on_selector_all("#choices button", "all => all.map(one => one.disabled)"))
        tab.click("#back")
        tab.wait_for_selector(f"#status:has-text('Move {ply},')")
        tab.click("#advance")
        tab.wait_for_selector(f"#status:has-text('Move {ply + 1},')")
        tab.select_option("#seat", "first")
        tab.click("#choices button >> nth=1")
        tab.wait_for_selector(f"#status:has-text('Move {ply + 2},')")
        assert at_server(tab)["moves"][-1] == 1


def test_a_game_for_one_is_watched_as_pictures(browser: Any) -> None:
    pytest.importorskip("pygame", reason="cartpole draws itself with pygame")
    with served("cartpole", untrained("cartpole"), "none") as address, opened(browser, address) as tab:
        ply = watched(tab, "#board img")
        tab.wait_for_selector(f'#board img[data-ply="{ply}"]')
        assert tab.eval_on_selector("#board img", "image => image.naturalWidth") == 600


NAMELESS = """() => [...document.querySelectorAll('button, select, input, [role=button], [tabindex="0"]')]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.ariaLabel || one.labels?.[0]?.innerText || one.textContent).trim())
    .map((one) => one.outerHTML)"""


def test_by_keyboard_and_by_ear(browser: Any) -> None:
    """What can be chosen is reached by Tab, used by Enter, seen while it has the focus, and has a name."""
    with served("connect4", untrained("connect4"), "both") as address, opened(browser, address) as tab:
        tab.wait_for_selector("#moment")
        assert tab.evaluate(NAMELESS) == []
        names = tab.eval_on_selector_all(".cell", "cells => cells.map(one => one.ariaLabel)")
        assert len(set(names)) == COLUMNS * ROWS, "the squares of a column are told apart"
        assert names[0] == f"1, row {ROWS}: empty"
        reached: list[str | int] = []
        tab.reload()
        tab.wait_for_selector("#status:has-text('to move')")
        for _ in range(40):
            tab.keyboard.press("Tab")
            focus = tab.evaluate(
                "() => [document.activeElement.id, document.activeElement.dataset.cell ?? '']"
            )
            if focus == ["", ""]:
                break
            reached.append(focus[0] or int(focus[1]))
        assert [one for one in reached if isinstance(one, int)] == list(range(COLUMNS)), (
            "a stop for each move"
        )
        assert {"new", "seat", "opponent", "simulations", "thoughts"} <= set(reached)
        tab.focus('.cell[data-cell="3"]')
        tab.keyboard.press("Tab")
        tab.keyboard.press("Shift+Tab")
        square = "() => getComputedStyle(document.activeElement.querySelector('.square')).strokeWidth"
        resting = tab.eval_on_selector('.cell[data-cell="5"] .square', "e => getComputedStyle(e).strokeWidth")
        assert tab.evaluate(square) != resting, "the focus can be seen"
        tab.keyboard.press("Enter")
        tab.wait_for_function("() => document.querySelectorAll('#moves li').length === 1")
        assert tab.get_attribute('.cell[data-cell="38"]', "aria-label") == "4, row 1: Red, newest"
        live = tab.eval_on_selector_all("[aria-live], [role=status], [role=alert]", "all => all.length")
        assert live >= 3, "whose turn it is, that the agent thinks, and what is wrong are spoken"
