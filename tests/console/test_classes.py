"""The console's Classes view: what a class is made of, what it was, and the ways back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from patchbank.bank.edge.store import EdgeStore
from patchbank.client import Client
from patchbank.embedding.embedder import Embedder
from patchbank.teaching.teacher import Teacher
from tests.helpers.browser import barriers, opened, tell_longest
from tests.helpers.candidates import Taught, nearly, taught
from tests.helpers.http_service import serving, typed
from tests.helpers.pictures import defective_png, folder_of, png

HOSTILE = "<img src=x onerror=window.hurt=1>"
TABS = ("Thresholds", "Versions", "Shadow", "References", "Known defects", "Drift", "Audit")


@dataclass(frozen=True)
class Running:
    """A service with the sound class ``part``, which has two versions, and the class ``torn``: the version of it that
    serves is damaged, the one before is not."""

    client: Client
    part: Taught
    sound: str

    @property
    def address(self) -> str:
        return self.client.address

    def serving_version(self) -> str:
        return self.client.show_class("part").version


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("classes")
    part = taught(folder, embedder)
    store = EdgeStore(part.settings.data_dir)
    teacher = Teacher(part.settings, embedder, store)
    pictures = sorted(folder_of(folder / "torn", 4).iterdir())
    sound, broken = (teacher.teach("torn", pictures).manifest for _ in range(2))
    store.close()
    (part.settings.data_dir / "collections" / broken.ref.collection / "manifest.json").write_text("{")
    with serving(part.settings) as http:
        yield Running(typed(http), part, sound.version)


@pytest.fixture
def page(browser: Browser, running: Running) -> Iterator[Page]:
    with opened(browser, running.address, path="/classes/part") as page:
        expect(page.get_by_role("heading", name="part", exact=True)).to_be_visible()
        yield page
        assert page.evaluate("window.hurt") is None
        tell_longest(page)


def tab(page: Page, name: str) -> Locator:
    """The content of a tab, chosen by it."""
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)


def test_the_thresholds_are_shown_with_the_scores_that_set_them(page: Page, running: Running) -> None:
    detail = running.client.show_class("part")
    content = tab(page, "Thresholds")
    histogram = content.get_by_role("img", name="Scores of 4 calibration images")
    expect(histogram.locator("g.limit")).to_have_count(2)
    content.get_by_text("The same as a table").click()
    counts = content.locator("details tbody td:last-child").all_inner_texts()
    assert sum(map(int, counts)) == len(detail.calibration["scores"]) == 4
    expect(content.locator(".strip img")).to_have_count(4)
    expect(content.get_by_text(f"{detail.patches:,}")).to_be_visible()


def test_a_version_is_compared_serves_and_goes_back(page: Page, running: Running) -> None:
    versions = tab(page, "Versions")
    expect(versions.locator("li")).to_have_count(2)
    row = versions.locator("li", has_text=running.part.strict)
    row.get_by_role("button", name="Compare").click()
    differs = page.get_by_role("dialog").get_by_role("row", name="Threshold").first
    expect(differs).to_contain_text("0.0001")
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Let it serve").click()
    asks = page.get_by_role("dialog")
    expect(asks).to_contain_text(f"part is judged with version {running.part.strict}")
    expect(asks).to_contain_text(f"let version {running.part.serving} serve again")
    asks.get_by_role("button", name="Cancel").click()
    assert running.serving_version() == running.part.serving
    row.get_by_role("button", name="Let it serve").click()
    page.get_by_role("dialog").get_by_role("button", name="Let it serve").click()
    notice = page.get_by_role("status").filter(has_text="serves now")
    expect(notice).to_contain_text(running.part.strict)
    assert running.serving_version() == running.part.strict
    notice.get_by_role("button", name="Go back").click()
    page.get_by_role("dialog").get_by_role("button", name="Let it serve").click()
    expect(notice).to_contain_text(f"Version {running.part.serving} serves now")
    assert running.serving_version() == running.part.serving


def test_a_candidate_judges_beside_and_its_disagreements_have_pictures(browser: Browser, running: Running) -> None:
    # That there is no candidate is told by a 404, which the browser's console lists.
    with opened(browser, running.address, path="/classes/part", refused=2) as page:
        shadow = tab(page, "Shadow")
        shadow.get_by_label("Candidate").select_option(running.part.strict)
        shadow.get_by_label("Share of the pictures").select_option("1")
        shadow.get_by_role("button", name="Start").click()
        expect(shadow.get_by_text("It waits for the next pictures")).to_be_visible()
        running.client.detect((f"{HOSTILE}.png", nearly(1)), class_name="part")
        differing = shadow.locator(".differing li")
        for _ in range(50):
            shadow.get_by_role("button", name="Refresh").click()
            page.wait_for_timeout(100)
            if differing.count():
                break
        expect(differing).to_have_count(1)
        expect(differing.locator("img")).to_be_visible()
        expect(differing).to_contain_text(HOSTILE)
        assert differing.locator(".badge").all_inner_texts() == ["OK", "Reject"]
        shadow.get_by_role("button", name="Drop").click()
        expect(page.get_by_role("dialog")).to_contain_text("The version itself is kept")
        page.get_by_role("dialog").get_by_role("button", name="Drop").click()
        expect(shadow.get_by_role("button", name="Start")).to_be_visible()
        assert page.evaluate("window.hurt") is None


def test_a_known_defect_is_forgotten_after_a_question_and_comes_back(page: Page, running: Running) -> None:
    running.client.add_defect("part", (f"{HOSTILE}.png", defective_png(2)), HOSTILE, note=HOSTILE)
    page.reload()
    defects = tab(page, "Known defects")
    expect(defects.locator("li img")).to_be_visible()
    expect(defects.locator("li strong")).to_have_text(HOSTILE)
    defects.get_by_role("button", name="Forget it").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"A new version without {HOSTILE} serves")
    page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    expect(defects.locator("li")).to_have_count(0)
    page.get_by_role("button", name="Go back").click()
    page.get_by_role("dialog").get_by_role("button", name="Let it serve").click()
    expect(defects.locator("li")).to_have_count(1)
    running.client.activate("part", running.part.serving)


def test_references_have_pictures_and_names_that_are_text(page: Page, running: Running) -> None:
    added = [(f"{HOSTILE}.png", png(9))]
    running.client.add_references("part", added, note=HOSTILE, added_by=HOSTILE, keep_all=True)
    page.reload()
    references = tab(page, "References")
    expect(references.locator("li img")).to_have_count(5)
    expect(references.locator("li", has_text=HOSTILE).locator(".name")).to_have_count(3)
    expect(references.get_by_role("link", name="Add or withdraw")).to_have_attribute("href", "#/teach/class/part")
    running.client.activate("part", running.part.serving)


def test_an_audit_shows_what_is_least_like_the_others(page: Page) -> None:
    audit = tab(page, "Audit")
    audit.get_by_role("button", name="Audit the references").click()
    expect(audit.get_by_text("Least like the others")).to_be_visible(timeout=30_000)
    expect(audit.locator(".boxed img")).to_have_count(4)
    assert audit.locator(".boxed rect").count() > 0
    expect(audit.locator(".coverage tbody tr")).to_have_count(2)


def test_a_damaged_class_says_so_and_a_sound_version_takes_over(browser: Browser, running: Running) -> None:
    with opened(browser, running.address, path="/classes", refused=1) as page:
        expect(page.locator(".card.broken")).to_contain_text("Damaged: it is not judged")
        expect(page.locator(".card.broken")).to_contain_text("damaged_bank")
        page.get_by_role("link", name="torn").click()
        expect(page.get_by_role("alert")).to_contain_text("damaged_bank")
        rows = page.get_by_role("tabpanel", name="Versions").locator("li")
        expect(rows.filter(has_text="Serves")).to_contain_text("Damaged")
        rows.filter(has_text=running.sound).get_by_role("button", name="Let it serve").click()
        page.get_by_role("dialog").get_by_role("button", name="Let it serve").click()
        expect(page.get_by_text("In use")).to_be_visible()
        expect(page.get_by_role("tab")).to_have_count(len(TABS))
    assert running.client.show_class("torn").version == running.sound


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_tab(browser: Browser, running: Running, theme: str) -> None:
    with opened(browser, running.address, path="/classes", refused=1) as page:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        expect(page.locator(".card img").first).to_be_visible()
        assert barriers(page) == []
        page.get_by_role("link", name="part").click()
        for name in TABS:
            content = tab(page, name)
            expect(content.locator("[aria-busy=true]")).to_have_count(0)
            assert barriers(page) == [], name
